//! How many requests of a route are answered at once.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::units;

/// `concurrency` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtOnce {
    /// So many.
    pub(crate) max: u32,
    /// How many more may wait for one of them to end.
    #[serde(default)]
    pub(crate) queue: u32,
    /// For how long.
    #[serde(default = "wait", deserialize_with = "units::some_duration")]
    pub(crate) wait: Duration,
}

const fn wait() -> Duration {
    Duration::from_millis(100)
}

/// The most that `max` and `queue` may be: far more than one process answers.
const MOST: u32 = 1_000_000;

impl AtOnce {
    /// What is wrong with it.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.max == 0 {
            faults.push(String::from("`concurrency` of 0 would refuse everything"));
        }
        if self.max > MOST || self.queue > MOST {
            faults.push(format!("`concurrency` is above {MOST}: leave it out"));
        }
        if self.queue > 0 && self.wait.is_zero() {
            faults.push(String::from(
                "`concurrency.queue` is for those who wait: say how long in `wait`",
            ));
        }
        faults
    }
}

/// A number, which is `max`, or a table.
pub(super) fn at_once<'de, D: Deserializer<'de>>(from: D) -> Result<Option<AtOnce>, D::Error> {
    struct Form;

    impl<'de> Visitor<'de> for Form {
        type Value = AtOnce;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number, or a table such as { max = 50, queue = 20, wait = \"100ms\" }")
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<AtOnce, E> {
            let max = u32::try_from(number)
                .map_err(|_| E::custom(format!("`concurrency` is a number up to {MOST}")))?;
            Ok(AtOnce {
                max,
                queue: 0,
                wait: wait(),
            })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AtOnce, A::Error> {
            AtOnce::deserialize(MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_any(Form).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AtOnce {
        #[derive(Deserialize)]
        struct File {
            #[serde(deserialize_with = "at_once")]
            concurrency: Option<AtOnce>,
        }
        let file: File = toml::from_str(text).expect("is one");
        file.concurrency.expect("is there")
    }

    #[test]
    fn a_number_has_no_queue() {
        let short = read("concurrency = 7");
        assert_eq!((short.max, short.queue), (7, 0));
        assert_eq!(read("concurrency = { max = 7 }"), short);
    }

    #[test]
    fn bounds_that_make_no_sense_are_told() {
        for (text, faults) in [
            ("concurrency = { max = 7, queue = 3, wait = \"50ms\" }", 0),
            ("concurrency = 0", 1),
            ("concurrency = { max = 2000000 }", 1),
            ("concurrency = { max = 7, queue = 3, wait = \"0s\" }", 1),
        ] {
            assert_eq!(read(text).faults().len(), faults, "{text}");
        }
    }
}
