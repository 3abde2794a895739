//! Durations and sizes as people write them.

use std::time::Duration;

/// `250ms`, `30s`, `15m`, `24h`, `7d`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// `512B`, `64KiB`, `1MiB`, `2GiB`.
pub fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let scale = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number
        .checked_mul(scale)
        .and_then(|bytes| usize::try_from(bytes).ok())
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(604_800)));
        assert_eq!(bytes("1MiB"), Some(1_048_576));
        for wrong in ["", "5", "s", "5 weeks", "-5s", "99999999999999999999s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
