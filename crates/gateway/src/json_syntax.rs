//! Whether a text is JSON (RFC 8259). What is only passed on is looked over, not read: a parser that
//! keeps nothing took an eighth of the instructions of an answer that is put together from three.

/// How deep arrays and objects may lie in one another: as deep as common parsers follow.
const DEEPEST: u32 = 128;

/// Bytes of a text that are looked at together.
const CHUNK: usize = 32;

/// Whether `text` is one document of JSON, with blanks around it or not, and not too deep.
pub(crate) fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && Scan(text).document().is_some()
}

/// What has not been looked at yet. `None` is told by all that find something else than JSON.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn document(&mut self) -> Option<()> {
        // One bit for each array or object that is open, the innermost the lowest: set for objects.
        let (mut objects, mut depth) = (0_u128, 0);
        loop {
            self.blanks();
            match self.next()? {
                b'"' => self.text()?,
                first @ (b'-' | b'0'..=b'9') => self.number(first)?,
                b't' => self.letters(b"rue")?,
                b'f' => self.letters(b"alse")?,
                b'n' => self.letters(b"ull")?,
                open @ (b'{' | b'[') => {
                    let object = open == b'{';
                    self.blanks();
                    if self.take(if object { b'}' } else { b']' }).is_none() {
                        depth += 1;
                        objects = objects << 1 | u128::from(object);
                        if depth > DEEPEST {
                            return None;
                        }
                        if object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => return None,
            }
            // A value has ended, and with it perhaps those that it is the last of.
            loop {
                self.blanks();
                if depth == 0 {
                    return self.0.is_empty().then_some(());
                }
                match (self.next()?, objects & 1 == 1) {
                    (b',', true) => {
                        self.blanks();
                        self.name()?;
                        break;
                    }
                    (b',', false) => break,
                    (b'}', true) | (b']', false) => {
                        depth -= 1;
                        objects >>= 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[wanted])?;
        Some(())
    }

    fn letters(&mut self, wanted: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn blanks(&mut self) {
        while let Some((b' ' | b'\n' | b'\r' | b'\t', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }

    /// The name of a member, and what stands before its value.
    fn name(&mut self) -> Option<()> {
        self.take(b'"')?;
        self.text()?;
        self.blanks();
        self.take(b':')
    }

    /// What follows the quotation mark that begins a text, with the one that ends it.
    fn text(&mut self) -> Option<()> {
        loop {
            self.plain();
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let (digits, rest) = self.0.split_at_checked(4)?;
                        self.0 = rest;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                    }
                    _ => return None,
                },
                _ => return None,
            }
        }
    }

    /// Goes on to what means something in a text. Without a branch for each byte, the compiler looks at
    /// as many at once as a register holds.
    fn plain(&mut self) {
        let plain = |byte: u8| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
        while let Some((chunk, rest)) = self.0.split_first_chunk::<CHUNK>() {
            if !chunk.iter().fold(true, |all, byte| all & plain(*byte)) {
                break;
            }
            self.0 = rest;
        }
        let end = self.0.iter().position(|byte| !plain(*byte));
        self.0 = &self.0[end.unwrap_or(self.0.len())..];
    }

    /// What follows the first byte of a number.
    fn number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => {
                // There may be no more.
                let _ = self.digits();
            }
            _ => return None,
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if let Some((b'e' | b'E', rest)) = self.0.split_first() {
            self.0 = rest;
            if let Some((b'+' | b'-', rest)) = self.0.split_first() {
                self.0 = rest;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let count = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.0 = &self.0[count..];
        (count > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn serde_reads(text: &[u8]) -> bool {
        serde_json::from_slice::<&RawValue>(text).is_ok()
    }

    #[test]
    fn what_the_grammar_has() {
        let good = [
            r#"{}"#,
            r#"[]"#,
            r#" { "a" : [ 1 , -0.5e+3 , true , false , null ] } "#,
            r#""""#,
            r#""\u00e9\"\\\/\b\f\n\r\t""#,
            "\"é\"",
            "0",
            "-0",
            "10",
            "1E9",
            "1e-9",
            "[[],{}]",
            r#"{"a":{"b":{}},"c":[{}]}"#,
        ];
        for text in good {
            assert!(
                is_json(text.as_bytes()) && serde_reads(text.as_bytes()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_the_grammar_does_not_have() {
        let bad = [
            "",
            " ",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "1e+",
            "tru",
            "nul",
            "truex",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{a:1}"#,
            r#"{"a":1]"#,
            "[1}",
            "[",
            "{",
            "]",
            "\"",
            "\"\\\"",
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\x""#,
            "\"\n\"",
            "\"\u{0}\"",
            "1 2",
            "{} {}",
            "'a'",
            "NaN",
            "\u{feff}1",
        ];
        for text in bad {
            assert!(
                !is_json(text.as_bytes()) && !serde_reads(text.as_bytes()),
                "{text}"
            );
        }
        assert!(!is_json(b"\"\xff\""), "not UTF-8");
    }

    #[test]
    fn deep_but_not_too_deep() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_json(nested(128).as_bytes()));
        assert!(
            is_json(nested(129).as_bytes()),
            "an empty one has nothing in it"
        );
        assert!(!is_json(nested(130).as_bytes()));
        let alternating = format!("{}1{}", "[{\"a\":".repeat(60), "}]".repeat(60));
        assert!(is_json(alternating.as_bytes()));
    }

    #[test]
    fn what_ends_a_text_is_seen_wherever_it_stands() {
        for length in 0..100 {
            let plain = "é".repeat(length / 2) + &"x".repeat(length % 2);
            for (end, good) in [("\"", true), ("\\n\"", true), ("\t\"", false), ("", false)] {
                let text = format!("\"{plain}{end}");
                assert_eq!(is_json(text.as_bytes()), good, "{text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_same_as_a_parser_reads(pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"b\"", "\\", "\\u00e9", "\\u0", "0", "1",
            "-", ".", "e", "E", "+", "true", "false", "null", " ", "\n", "é", "x", "\u{1}",
            "plain text that is longer than a register holds",
        ]), 0..12)) {
            let text = pieces.concat();
            prop_assert_eq!(is_json(text.as_bytes()), serde_reads(text.as_bytes()), "{}", text);
        }

        /// What is JSON, with one byte of it changed.
        #[test]
        fn the_same_of_what_is_nearly_json(
            name in ".{0,40}", number in any::<f64>(), flag in any::<bool>(),
            at in any::<prop::sample::Index>(), byte in any::<u8>(), change in any::<bool>(),
        ) {
            let document = serde_json::json!({&name: [number, flag, {"b": null, "c": name}, {}]});
            let mut text = serde_json::to_vec_pretty(&document).expect("plain data");
            if change {
                let at = at.index(text.len());
                text[at] = byte;
            }
            prop_assert_eq!(is_json(&text), serde_reads(&text), "{:?}", String::from_utf8_lossy(&text));
        }
    }
}
