//! How many requests an upstream gets at once, and when a second server is asked as well.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::limit::adaptive::AdaptiveSettings;

/// `[gateway.upstream.NAME.concurrency]`: how many requests may be on their way at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Concurrency {
    /// To all servers together.
    pub(crate) total: u32,
    /// Whether the limit of each server finds itself.
    pub(crate) adaptive: bool,
    /// What an adaptive limit never falls below.
    pub(crate) min: Option<u32>,
    /// To each server; what an adaptive limit never rises above.
    pub(crate) max: Option<u32>,
}

/// What each server may have at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PerServer {
    /// As much as comes.
    Unlimited,
    Fixed(u32),
    Adaptive(AdaptiveSettings),
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            total: 10_000,
            adaptive: false,
            min: None,
            max: None,
        }
    }
}

impl Concurrency {
    /// What each server may have at once.
    pub(crate) fn per_server(&self) -> PerServer {
        if !self.adaptive {
            return self.max.map_or(PerServer::Unlimited, PerServer::Fixed);
        }
        let usual = AdaptiveSettings::default();
        let lowest = self.min.unwrap_or(usual.lowest);
        let highest = self.max.unwrap_or(usual.highest);
        PerServer::Adaptive(AdaptiveSettings {
            initial: usual.initial.min(highest).max(lowest),
            lowest: lowest.min(highest),
            highest,
            ..usual
        })
    }

    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<&'static str> {
        let mut faults = Vec::new();
        if self.total == 0 || self.max == Some(0) || self.min == Some(0) {
            faults.push("`concurrency` of 0 would refuse everything");
        }
        if self.min.is_some() && !self.adaptive {
            faults
                .push("`concurrency.min` is for `adaptive = true`: a fixed limit has only a `max`");
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            faults.push("`concurrency.min` is above `concurrency.max`");
        }
        faults
    }
}

/// A number, which is `total`, or a table.
pub(super) fn concurrency<'de, D: Deserializer<'de>>(from: D) -> Result<Concurrency, D::Error> {
    struct Form;

    impl<'de> Visitor<'de> for Form {
        type Value = Concurrency;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number, or a table such as { adaptive = true, min = 5, max = 200 }")
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Concurrency, E> {
            let total = u32::try_from(number).map_err(|_| {
                E::custom("`concurrency` is a number of requests, below 4 thousand millions")
            })?;
            Ok(Concurrency {
                total,
                ..Concurrency::default()
            })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Concurrency, A::Error> {
            Concurrency::deserialize(MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_any(Form)
}

/// `[gateway.route.hedge]`: asks a second server when the first takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hedge {
    /// How long it may take before that.
    pub(crate) after: After,
}

/// How long a first server is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Fixed(Duration),
    /// As long as 19 of 20 answers of the upstream take at most.
    P95,
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "p95" {
            return Ok(Self::P95);
        }
        platform::config::duration(&text)
            .map(Self::Fixed)
            .ok_or_else(|| D::Error::custom("expected a duration such as \"50ms\", or \"p95\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Concurrency {
        #[derive(Deserialize)]
        struct File {
            #[serde(deserialize_with = "concurrency")]
            concurrency: Concurrency,
        }
        let file: File = toml::from_str(text).expect("is one");
        file.concurrency
    }

    #[test]
    fn a_number_is_for_all_servers_together() {
        let concurrency = read("concurrency = 7");
        assert_eq!(concurrency.total, 7);
        assert_eq!(concurrency.per_server(), PerServer::Unlimited);
    }

    #[test]
    fn a_limit_of_each_server_is_fixed_or_finds_itself() {
        assert_eq!(
            read("concurrency = { max = 7 }").per_server(),
            PerServer::Fixed(7)
        );
        let adaptive = read("concurrency = { adaptive = true, min = 2, max = 7 }").per_server();
        let PerServer::Adaptive(settings) = adaptive else {
            panic!("{adaptive:?}");
        };
        assert_eq!(
            (settings.lowest, settings.initial, settings.highest),
            (2, 7, 7)
        );
    }

    #[test]
    fn bounds_that_make_no_sense_are_told() {
        assert!(
            read("concurrency = { adaptive = true, max = 3 }")
                .faults()
                .is_empty()
        );
        assert_eq!(read("concurrency = 0").faults().len(), 1);
        assert_eq!(read("concurrency = { max = 0 }").faults().len(), 1);
        assert_eq!(read("concurrency = { min = 3, max = 9 }").faults().len(), 1);
        let crossed = read("concurrency = { adaptive = true, min = 9, max = 3 }");
        assert_eq!(crossed.faults().len(), 1);
    }
}
