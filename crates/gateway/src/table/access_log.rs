//! `[gateway.access_log]`: which requests are told.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::units;

/// Which requests have a line in the log, beside those that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// The share of all traces.
    #[serde(default)]
    pub(crate) sample: Sample,
    /// Requests that take longer have a line whatever their trace.
    #[serde(default, deserialize_with = "units::duration")]
    pub(crate) slow: Option<Duration>,
}

/// A share of all traces, as the number of the low 56 bits of a trace id that are in it: those are
/// drawn by lot (W3C Trace Context, level 2, section 3.2.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample(u64);

const ALL: u64 = 1 << 56;

impl Sample {
    /// Whether a trace is in it. Whoever draws so keeps all parts of a trace, or none.
    pub(crate) fn has(self, trace_id: u128) -> bool {
        let lot = (trace_id % u128::from(ALL)) as u64;
        // The largest lots, as others draw them by the same trace ids (OpenTelemetry).
        lot >= ALL - self.0
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self(ALL)
    }
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom("expected a share from 0 to 1, such as 0.01");
        let share = f64::deserialize(from).map_err(|_| wrong())?;
        if !(0.0..=1.0).contains(&share) {
            return Err(wrong());
        }
        #[expect(clippy::float_arithmetic, reason = "once, when the table is read")]
        Ok(Self((share * ALL as f64) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AccessLog, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_share_of_all_traces_is_kept() {
        let traces: Vec<u128> = (0..1000).map(|lot| (7 << 64) | (lot << 46)).collect();
        let kept = |text: &str| {
            let sample = read(text).expect("right").sample;
            traces.iter().filter(|trace| sample.has(**trace)).count()
        };
        assert_eq!(kept(""), 1000);
        assert_eq!(kept("sample = 1"), 1000);
        assert_eq!(kept("sample = 0.0"), 0);
        // Of the 1024 that the highest ten bits can be, these lack the largest 24.
        assert_eq!(kept("sample = 0.25"), 256 - 24);
    }

    #[test]
    fn what_is_no_share_is_told() {
        for text in [
            "sample = 1.5",
            "sample = -1",
            "sample = nan",
            "sample = \"1%\"",
        ] {
            let told = read(text).expect_err("no share");
            assert!(told.contains("a share from 0 to 1"), "{text}: {told}");
        }
        assert!(read("slow = 1").is_err());
        assert!(read("level = \"info\"").is_err());
    }
}
