//! The text of a description, which may be HTML.

use std::borrow::Cow;

/// The text without tags and comments, its entities spelled out. For search only: letters with
/// accents become those without, which is all that is compared.
pub(super) fn plain(html: &str) -> Cow<'_, str> {
    if !html.contains(['<', '&']) {
        return Cow::Borrowed(html);
    }
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (text, markup) = rest.split_at(at);
        out.push_str(text);
        rest = match markup.strip_prefix('&') {
            Some(entity) => push_entity(entity, &mut out),
            None => skip_tag(markup, &mut out),
        };
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What follows a tag that begins here; if it is none, what follows the sign.
fn skip_tag<'a>(markup: &'a str, out: &mut String) -> &'a str {
    // Words on both sides stay apart.
    out.push(' ');
    let inside = &markup[1..];
    if let Some(comment) = inside.strip_prefix("!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        return inside;
    }
    let Some((tag, rest)) = inside.split_once('>') else {
        return inside;
    };
    let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next();
    // What these hold is no text.
    for hidden in ["script", "style"] {
        if name.is_some_and(|name| name.eq_ignore_ascii_case(hidden)) {
            return after_end(rest, hidden);
        }
    }
    rest
}

/// What begins with the end tag of `name`.
fn after_end<'a>(rest: &'a str, name: &str) -> &'a str {
    let ends = rest.match_indices("</").map(|(at, _)| &rest[at..]);
    let mut ends = ends.filter(|end| {
        let tag = end.get(2..2 + name.len());
        tag.is_some_and(|tag| tag.eq_ignore_ascii_case(name))
    });
    ends.next().unwrap_or("")
}

/// The longest name that is looked for.
const LONGEST_ENTITY: usize = 10;

/// Spells an entity out and returns what follows it. What is none is kept as it is.
fn push_entity<'a>(entity: &'a str, out: &mut String) -> &'a str {
    let end = entity
        .bytes()
        .take(LONGEST_ENTITY + 1)
        .position(|b| b == b';');
    let Some(name) = end.and_then(|end| entity.get(..end)) else {
        out.push('&');
        return entity;
    };
    match name.strip_prefix('#') {
        Some(number) => {
            let hex = number.strip_prefix(['x', 'X']);
            let code = hex.map_or_else(|| number.parse().ok(), |n| u32::from_str_radix(n, 16).ok());
            out.push(code.and_then(char::from_u32).unwrap_or(' '));
        }
        None => out.push_str(spelled(name)),
    }
    &entity[name.len() + 1..]
}

fn spelled(name: &str) -> &str {
    const ACCENTS: [&str; 9] = [
        "acute", "grave", "circ", "uml", "tilde", "cedil", "ring", "caron", "slash",
    ];
    match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        "szlig" => "ss",
        "aelig" | "AElig" => "ae",
        "oelig" | "OElig" => "oe",
        // `&eacute;` is an e, with an accent.
        _ => match name.get(1..) {
            Some(accent) if ACCENTS.contains(&accent) => &name[..1],
            _ => " ",
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::words::tests::kept;

    #[test]
    fn tags_set_words_apart_and_vanish() {
        let html = "<p class=\"x\">Made of<br/>oak</p><ul><li>solid</li><li>oiled</li></ul>";
        assert_eq!(kept(&plain(html)), ["made", "of", "oak", "solid", "oiled"]);
        let html = "a<!-- hidden > words -->b<style>c { d: e }</style>f<SCRIPT>g()</Script >h";
        assert_eq!(kept(&plain(html)), ["a", "b", "f", "h"]);
    }

    #[test]
    fn what_is_no_tag_is_text() {
        for text in [
            "3 < 5 > 4",
            "a <b",
            "AT&T, R&D & more",
            "&;",
            "<",
            "&",
            "<!--",
        ] {
            assert_eq!(kept(&plain(text)), kept(text), "{text}");
        }
        assert_eq!(plain("no markup"), Cow::Borrowed("no markup"));
    }

    #[test]
    fn entities_are_spelled_out() {
        let html = "Caf&eacute;&nbsp;Cr&egrave;me &#8211; Stra&szlig;e &amp; &#x4D;ug &#xFFFFFFFF;";
        assert_eq!(kept(&plain(html)), ["cafe", "creme", "strasse", "mug"]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "[<>&;/!#xa-é \\-]{0,40}") {
            plain(&text);
        }
    }
}
