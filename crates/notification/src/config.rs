//! Settings of the service.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use kernel::Email;
use platform::config::{Item, Section};

/// The sections `notification` and `mail` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// What mails call the shop.
    pub shop_name: String,
    /// Where the links of mails lead.
    pub shop_url: ShopUrl,
    /// A folder with templates that replace the built-in ones of the same name.
    pub templates: Option<PathBuf>,
    /// Which engine takes the mails.
    pub mail: MailUrl,
    /// Who mails come from.
    pub from: Email,
    /// How long a mailbox keeps what it has taken.
    pub keep: Duration,
}

/// Which engine takes the mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailUrl {
    /// `mailbox:` - a table of the service; read it by `rialto mail`.
    Mailbox,
}

impl FromStr for MailUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url {
            "mailbox:" => Ok(Self::Mailbox),
            _ => Err(String::from("this version has mailbox:")),
        }
    }
}

impl Item for MailUrl {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn stand_in() -> Self {
        Self::Mailbox
    }
}

/// The address of the storefront, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopUrl(pub(crate) String);

impl fmt::Display for ShopUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Item for ShopUrl {
    fn read(text: &str) -> Result<Self, String> {
        let expected = || String::from("expected an address such as https://shop.example");
        let url: Uri = text.parse().map_err(|_| expected())?;
        let web = matches!(url.scheme_str(), Some("http" | "https"));
        if !web || url.authority().is_none() || url.query().is_some() {
            return Err(expected());
        }
        Ok(Self(url.to_string().trim_end_matches('/').to_owned()))
    }

    fn stand_in() -> Self {
        Self(String::new())
    }
}

impl Config {
    /// Reads the sections.
    pub fn read(section: &mut Section<'_>, mail: &mut Section<'_>) -> Self {
        Self {
            shop_name: section.parse("shop_name"),
            shop_url: section.parse("shop_url"),
            templates: section.optional("templates"),
            mail: mail.parse("url"),
            from: mail.parse("from"),
            keep: mail.duration("keep"),
        }
    }
}
