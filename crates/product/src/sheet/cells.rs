//! What the cells of a record say, where that is more than text.

use contracts::product::InventoryMode;

use crate::model::ProductStatus;
use crate::stock::MOST_ON_HAND;

/// What an option is called where a product has none, and its only value.
pub(crate) const NO_OPTION: (&str, &str) = ("Title", "Default Title");

/// How stock is kept, as far as the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracker {
    /// In this way.
    Mode(InventoryMode),
    /// It is counted, in whichever way.
    Counted,
}

/// Any text means that stock is counted, as in the files of other shops; ours say how.
pub(crate) fn tracker(text: &str) -> Tracker {
    if text.is_empty() {
        return Tracker::Mode(InventoryMode::None);
    }
    text.parse().map_or(Tracker::Counted, Tracker::Mode)
}

/// What the file calls a way of keeping stock.
pub(crate) fn tracker_text(mode: InventoryMode) -> &'static str {
    match mode {
        InventoryMode::None => "",
        InventoryMode::ReserveOnOrder => "shopify",
        other => other.as_str(),
    }
}

pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(String::from("expected true or false")),
    }
}

/// Whether it is sold when there is none.
pub(crate) fn policy(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "deny" | "false" => Ok(false),
        "continue" | "true" => Ok(true),
        _ => Err(String::from("expected deny or continue")),
    }
}

pub(crate) fn policy_text(backorder: bool) -> &'static str {
    if backorder { "continue" } else { "deny" }
}

pub(crate) fn status(text: &str) -> Result<ProductStatus, String> {
    let known = text.to_ascii_lowercase().parse();
    known.map_err(|_| String::from("expected active, draft or archived"))
}

/// How many there are. What another shop has sold beyond that (below zero) is not there.
pub(crate) fn quantity(text: &str) -> Result<i64, String> {
    let count: Result<i64, _> = text.parse();
    match count {
        Ok(count) if count <= MOST_ON_HAND => Ok(count.max(0)),
        Ok(_) => Err(format!("no more than {MOST_ON_HAND} can lie there")),
        Err(_) => Err(String::from("expected a whole number")),
    }
}

pub(crate) fn position(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| String::from("expected a whole number"))
}

/// Whole grams; decimals may follow if they are zero.
pub(crate) fn grams(text: &str) -> Result<i64, String> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let number: Result<i64, _> = whole.parse();
    match number {
        Ok(grams) if decimals.bytes().all(|digit| digit == b'0') => Ok(grams),
        _ => Err(String::from("expected whole grams")),
    }
}

/// Tags with commas between them, each once.
pub(crate) fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trackers_of_ours_are_told_apart() {
        for mode in InventoryMode::ALL.iter().copied() {
            let read = tracker(tracker_text(mode));
            let counted = mode == InventoryMode::ReserveOnOrder && read == Tracker::Counted;
            assert!(read == Tracker::Mode(mode) || counted, "{mode}");
        }
        assert_eq!(tracker("amazon_marketplace_web"), Tracker::Counted);
    }

    #[test]
    fn words_count_in_any_case() {
        assert_eq!(flag("TRUE"), Ok(true));
        assert_eq!(policy("CONTINUE"), Ok(true));
        assert_eq!(status("Active"), Ok(ProductStatus::Active));
        assert!(flag("yes").is_err() && policy("").is_err() && status("live").is_err());
    }

    #[test]
    fn numbers_are_whole() {
        assert_eq!(quantity("-3"), Ok(0));
        assert!(quantity("3.5").is_err());
        assert_eq!((grams("350"), grams("350.0")), (Ok(350), Ok(350)));
        assert!(grams("0.5").is_err() && grams("1e3").is_err());
    }

    #[test]
    fn a_tag_is_there_once() {
        assert_eq!(tags("a, b,,a , c d"), ["a", "b", "c d"]);
    }
}
