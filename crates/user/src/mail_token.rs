//! Tokens that are mailed and come back: to verify an address, to reset a password.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{CustomerId, Id, Sources};
use ring::digest;
use uuid::Uuid;

kernel::text_enum! {
    /// What a mailed token allows.
    pub(crate) enum Purpose {
        /// To verify the address.
        Verify = "verify",
        /// To set a password.
        Reset = "reset",
    }
}

const SECRET: usize = 24;
const LENGTH: usize = 16 + SECRET;

/// Proves that a mail has arrived. It names its customer, so that looking it up pins their shard.
/// The database keeps its hash. Debug output shows the customer only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MailToken {
    pub(crate) customer: CustomerId,
    bytes: [u8; LENGTH],
}

impl MailToken {
    /// A new token for `customer`.
    pub(crate) fn fresh(sources: &Sources, customer: CustomerId) -> Self {
        let mut bytes = [0; LENGTH];
        bytes[..16].copy_from_slice(customer.uuid().as_bytes());
        bytes[16..].copy_from_slice(&sources.random::<SECRET>());
        Self { customer, bytes }
    }

    /// Reads what came back; `None` if it cannot be a token.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let customer = CustomerId::from_uuid(Uuid::from_slice(&bytes[..16]).ok()?);
        Some(Self { customer, bytes })
    }

    /// The token as the mail shows it.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// What the database keeps of it.
    pub(crate) fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.bytes)
            .as_ref()
            .to_vec()
    }
}

impl fmt::Debug for MailToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailToken({})", self.customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_customer() {
        let sources = Sources::system();
        let customer = sources.id();
        let token = MailToken::fresh(&sources, customer);
        assert_eq!(MailToken::read(&token.text()), Some(token.clone()));
        assert_eq!(token.customer, customer);
        assert_ne!(token.hash(), MailToken::fresh(&sources, customer).hash());
        assert_eq!(MailToken::read("nonsense"), None);
        assert!(!format!("{token:?}").contains(&token.text()));
    }
}
