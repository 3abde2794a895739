//! Settings of the service.

use std::str::FromStr;
use std::time::Duration;

use platform::config::{Item, Section};

/// The section `feed` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which engine keeps the posts: there is one, and others are refused at the start.
    pub store: FeedStore,
    /// How often what hangs on removed posts is taken away.
    pub sweep: Duration,
}

/// Which engine keeps the posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedStore {
    /// `database:` - the database of the role.
    Database,
}

impl FromStr for FeedStore {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url {
            "database:" => Ok(Self::Database),
            _ => Err(String::from("this version has database:")),
        }
    }
}

impl Item for FeedStore {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn stand_in() -> Self {
        Self::Database
    }
}

impl Config {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Self {
        Self {
            store: section.parse("store"),
            sweep: section.duration("sweep"),
        }
    }
}
