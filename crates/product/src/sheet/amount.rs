//! Amounts as decimal text, exactly.

use kernel::{Currency, Money};

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAmount {
    #[error("expected an amount such as 1999.99: digits, and a point before the decimals")]
    NotDecimal,
    #[error("{} has {} decimals, not more", .0.code(), .0.exponent())]
    TooPrecise(Currency),
    #[error("the amount is too large")]
    TooLarge,
}

/// The minor units of a decimal text: `19.99` and `19.990` are 1999 cents, `19.999` is refused.
pub(crate) fn minor_units(text: &str, currency: Currency) -> Result<i64, BadAmount> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return Err(BadAmount::NotDecimal),
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) {
        return Err(BadAmount::NotDecimal);
    }
    let exponent = currency.exponent() as usize;
    let (kept, beyond) = decimals.split_at(exponent.min(decimals.len()));
    if beyond.bytes().any(|digit| digit != b'0') {
        return Err(BadAmount::TooPrecise(currency));
    }
    let minor = format!("{whole}{kept:0<exponent$}");
    minor.parse().map_err(|_| BadAmount::TooLarge)
}

/// The decimal text of minor units, with all decimals of the currency.
pub(crate) fn decimal(minor: i64, currency: Currency) -> String {
    let mut text = Money::new(minor, currency).to_string();
    text.truncate(text.find(' ').unwrap_or(text.len()));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currencies() -> impl Strategy<Value = Currency> {
        prop_oneof![
            Just(Currency::EUR),
            Just(Currency::JPY),
            Just(Currency::KWD)
        ]
    }

    proptest! {
        /// The value of `whole.decimals` is (whole * 10^n + decimals) / 10^n for n decimals; it is
        /// an amount if 10^exponent times that is whole.
        #[test]
        fn it_agrees_with_exact_arithmetic(
            whole in 0_u64..=99_999_999_999_999, decimals in "[0-9]{0,9}", currency in currencies(),
        ) {
            let text = if decimals.is_empty() { whole.to_string() } else { format!("{whole}.{decimals}") };
            let scale = 10_u128.pow(u32::try_from(decimals.len()).expect("nine at the most"));
            let fraction: u128 = if decimals.is_empty() { 0 } else { decimals.parse().expect("digits") };
            let minor = (u128::from(whole) * scale + fraction) * 10_u128.pow(currency.exponent());
            let expected = if minor.is_multiple_of(scale) {
                Ok(i64::try_from(minor / scale).expect("small enough"))
            } else {
                Err(BadAmount::TooPrecise(currency))
            };
            prop_assert_eq!(minor_units(&text, currency), expected);
        }

        #[test]
        fn there_and_back(minor in 0..=i64::MAX, currency in currencies()) {
            prop_assert_eq!(minor_units(&decimal(minor, currency), currency), Ok(minor));
        }

        #[test]
        fn whatever_is_read_is_written_as_the_same_number(text in "[0-9.,+ -]{0,12}", currency in currencies()) {
            if let Ok(minor) = minor_units(&text, currency) {
                let written = decimal(minor, currency);
                let plain = |text: &str| {
                    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
                    let whole = whole.trim_start_matches('0').to_owned();
                    (whole, decimals.trim_end_matches('0').to_owned())
                };
                prop_assert_eq!(plain(&written), plain(&text));
            }
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for text in [
            "", ".", ".5", "5.", "-1", "+1", "1,99", "1.999,00", "1e3", "1 000", "€5", "٣", "1.2.3",
        ] {
            assert_eq!(
                minor_units(text, Currency::EUR),
                Err(BadAmount::NotDecimal),
                "{text}"
            );
        }
        assert_eq!(minor_units("1999.00", Currency::JPY), Ok(1999));
        assert_eq!(
            minor_units("19.999", Currency::EUR),
            Err(BadAmount::TooPrecise(Currency::EUR))
        );
        assert_eq!(
            minor_units("92233720368547758.08", Currency::EUR),
            Err(BadAmount::TooLarge)
        );
    }
}
