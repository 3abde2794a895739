//! Reading typed values out of the layers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use kernel::Secret;

use super::{ConfigError, Layers, Origin, redact, units};

/// The keys below one path. Reading a wrong value notes an error and goes on with a stand-in, so
/// that every error is found; [`Layers::finish`] keeps the stand-in from being used.
#[derive(Debug)]
pub struct Section<'a> {
    pub(super) layers: &'a Layers,
    pub(super) path: String,
}

/// A type that a text of the configuration can stand for.
pub trait Item: Sized {
    /// Reads the text, or says what was expected instead.
    fn read(text: &str) -> Result<Self, String>;
    /// Goes on in place of a wrong value; never used by a server that starts.
    fn stand_in() -> Self;
}

macro_rules! items {
    ($($type:ty => $stand_in:expr),+ $(,)?) => {
        $(impl Item for $type {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error: <$type as FromStr>::Err| error.to_string())
            }
            fn stand_in() -> Self {
                $stand_in
            }
        })+
    };
}

items! {
    String => String::new(),
    bool => false,
    u16 => 1,
    u32 => 1,
    u64 => 1,
    usize => 1,
    i64 => 1,
    std::net::SocketAddr => ([127, 0, 0, 1], 0).into(),
    std::path::PathBuf => Self::new(),
    kernel::Currency => Self::EUR,
    kernel::Country => "DE".parse().expect("a country"),
    kernel::Email => "nobody@example.com".parse().expect("an address"),
    crate::telemetry::LogFormat => Self::Auto,
    crate::db::DatabaseUrl => Self::Sqlite(std::path::PathBuf::new()),
    crate::cache::CacheUrl => Self::Memory,
    http::uri::Authority => Self::from_static("localhost:1"),
    wire::network::Network => Self::new([127, 0, 0, 1].into(), 32).expect("fits"),
}

impl Item for kernel::Rate {
    fn read(text: &str) -> Result<Self, String> {
        let ppm = text
            .parse::<u32>()
            .map_err(|_| String::from("expected parts per million"))?;
        Self::from_ppm(ppm).map_err(|error| error.to_string())
    }
    fn stand_in() -> Self {
        Self::ZERO
    }
}

impl Section<'_> {
    /// The section below `name`.
    pub fn section(&self, name: &str) -> Self {
        Section {
            layers: self.layers,
            path: self.key(name),
        }
    }

    /// A value that must be there.
    pub fn parse<T: Item>(&mut self, name: &str) -> T {
        self.with(name, T::read).unwrap_or_else(|| {
            if self.text(name).is_none() {
                self.report(name, "is missing", "set it; the default has been removed");
            }
            T::stand_in()
        })
    }

    /// A value that may be left empty.
    pub fn optional<T: Item>(&mut self, name: &str) -> Option<T> {
        self.text(name).filter(|text| !text.is_empty())?;
        self.with(name, T::read)
    }

    /// A length of time, such as `30s`.
    pub fn duration(&mut self, name: &str) -> Duration {
        let read = |text: &str| {
            let wrong = "expected a duration such as 250ms, 30s, 15m, 24h or 7d";
            units::duration(text).ok_or_else(|| String::from(wrong))
        };
        self.with(name, read).unwrap_or_default()
    }

    /// A number of bytes, such as `1MiB`.
    pub fn bytes(&mut self, name: &str) -> usize {
        let read = |text: &str| {
            let wrong = "expected a size such as 512B, 64KiB or 1MiB";
            units::bytes(text).ok_or_else(|| String::from(wrong))
        };
        self.with(name, read).unwrap_or_default()
    }

    /// A value that is never shown; `None` if it is empty.
    pub fn secret(&mut self, name: &str) -> Option<Secret<String>> {
        let key = self.key(name);
        self.layers.state.borrow_mut().secret.insert(key);
        self.text(name)
            .filter(|text| !text.is_empty())
            .map(Secret::new)
    }

    /// A list, or a single value for a list of one.
    pub fn list<T: Item>(&mut self, name: &str) -> Vec<T> {
        let key = self.know(name);
        let Some(entry) = self.layers.entries.get(&key) else {
            return Vec::new();
        };
        let items = match &entry.value {
            toml::Value::Array(items) => items.iter().map(as_text).collect(),
            value if value.as_str() == Some("") => Vec::new(),
            value => vec![as_text(value)],
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            match T::read(&item) {
                Ok(value) => list.push(value),
                Err(wrong) => self.wrong(&key, &item, &wrong),
            }
        }
        list
    }

    /// A list of tables, each read by `read` from its fields, which are text.
    pub fn tables<T>(
        &mut self,
        name: &str,
        read: impl Fn(&BTreeMap<String, String>) -> Result<T, String>,
    ) -> Vec<T> {
        let key = self.know(name);
        let items = match self.layers.entries.get(&key).map(|entry| &entry.value) {
            Some(toml::Value::Array(items)) => items.clone(),
            Some(value) if value.as_str() != Some("") => vec![value.clone()],
            _ => Vec::new(),
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let fields = match &item {
                toml::Value::Table(table) => {
                    let fields = table
                        .iter()
                        .map(|(name, value)| (name.clone(), as_text(value)));
                    read(&fields.collect())
                }
                _ => Err(String::from("expected a list of tables")),
            };
            match fields {
                Ok(value) => list.push(value),
                Err(wrong) => self.wrong(&key, &as_text(&item), &wrong),
            }
        }
        list
    }

    /// All values below `name`, by their free keys.
    pub fn map<T: Item>(&mut self, name: &str) -> BTreeMap<String, T> {
        self.names(name)
            .into_iter()
            .map(|free| {
                let value = self.parse(&format!("{name}.{free}"));
                (free, value)
            })
            .collect()
    }

    /// The free keys directly below `name`; everything below them counts as known once read.
    pub fn names(&self, name: &str) -> Vec<String> {
        let prefix = format!("{}.", self.key(name));
        let below = self
            .layers
            .entries
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix));
        let mut names: Vec<String> = below
            .map(|rest| rest.split('.').next().unwrap_or(rest).to_owned())
            .collect();
        names.dedup();
        names
    }

    /// Notes that the value of `name` does not fit, for a reason that its text alone does not show.
    pub fn report(&self, name: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.layers.report(&self.key(name), problem, remedy);
    }

    /// Where the value of `name` came from.
    pub fn origin(&self, name: &str) -> Origin {
        self.layers.origin(&self.key(name))
    }

    fn with<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.wrong(&self.key(name), &text, &wrong);
                None
            }
        }
    }

    fn wrong(&self, key: &str, text: &str, wrong: &str) {
        let mut state = self.layers.state.borrow_mut();
        let shown = if state.secret.contains(key) {
            String::from("[redacted]")
        } else {
            redact::passwords(text)
        };
        state.errors.push(ConfigError {
            key: key.to_owned(),
            origin: self.layers.origin(key),
            problem: format!("`{shown}` does not fit"),
            remedy: wrong.to_owned(),
        });
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let key = self.know(name);
        self.layers
            .entries
            .get(&key)
            .map(|entry| as_text(&entry.value))
    }

    fn know(&mut self, name: &str) -> String {
        let key = self.key(name);
        self.layers.state.borrow_mut().known.insert(key.clone());
        key
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

fn as_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}
