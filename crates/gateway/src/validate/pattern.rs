//! `pattern`: an expression of ECMA-262, as one of `regex`, which takes linear time.
//!
//! What means something else there is written in another way (`\d` is 0 to 9, not every digit of
//! Unicode), and what `regex` does not have (look-around, references back) is refused.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes.
const LONGEST: usize = 4096;
/// The most memory that a pattern may take, in bytes.
const LARGEST: usize = 1 << 20;

const SPACES: &str = r"\t-\r \u{a0}\u{feff}\p{Zs}\u{2028}\u{2029}";
const LINE_ENDS: &str = r"\n\r\u{2028}\u{2029}";

/// Compiles a pattern, or says what is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > LONGEST {
        return Err(format!("a pattern has {LONGEST} bytes at most"));
    }
    let translated = translate(pattern)?;
    let built = RegexBuilder::new(&translated).size_limit(LARGEST).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => String::from("the pattern is too large"),
        _ => String::from(
            "the pattern is none, or has what takes more than linear time (look-around, references \
             back)",
        ),
    })
}

fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(&mut letters, &mut out, false)?,
            '[' => class(&mut letters, &mut out)?,
            '.' => out.push_str(&format!("[^{LINE_ENDS}]")),
            '(' => {
                out.push('(');
                let rest: String = letters.clone().take(3).collect();
                let named = rest.starts_with("?<") && !matches!(&rest[2..], "=" | "!");
                if rest.starts_with('?') && !rest.starts_with("?:") && !named {
                    return Err(String::from(
                        "look-around and flags in a pattern are not supported: only `(`, `(?:` and \
                         `(?<name>`",
                    ));
                }
            }
            plain => out.push(plain),
        }
    }
    Ok(out)
}

/// What stands behind a backslash.
fn escape(
    letters: &mut Peekable<Chars<'_>>,
    out: &mut String,
    within_class: bool,
) -> Result<(), String> {
    let Some(letter) = letters.next() else {
        return Err(String::from("a pattern does not end with a backslash"));
    };
    match letter {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(&format!("[{SPACES}]")),
        'S' => out.push_str(&format!("[^{SPACES}]")),
        'b' if within_class => out.push_str(r"\x08"),
        'b' => out.push_str(r"(?-u:\b)"),
        'B' if !within_class => out.push_str(r"(?-u:\B)"),
        '0' if !letters.peek().is_some_and(char::is_ascii_digit) => out.push_str(r"\x00"),
        'n' | 'r' | 't' | 'f' | 'v' | 'x' | 'u' | 'p' | 'P' => {
            out.push('\\');
            out.push(letter);
        }
        plain if plain.is_ascii_punctuation() => {
            out.push('\\');
            out.push(plain);
        }
        other => return Err(format!("`\\{other}` in a pattern is not supported")),
    }
    Ok(())
}

/// A class, whose `[` is behind.
fn class(letters: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    out.push('[');
    if letters.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if letters.peek() == Some(&']') {
        return Err(String::from("an empty class in a pattern is not supported"));
    }
    while let Some(letter) = letters.next() {
        match letter {
            ']' => {
                out.push(']');
                return Ok(());
            }
            '\\' => escape(letters, out, true)?,
            '-' if letters.peek() == Some(&'-') => {
                return Err(String::from(
                    "write `\\-` for a dash in a class of a pattern",
                ));
            }
            // Operators in a class, for `regex`.
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            plain => out.push(plain),
        }
    }
    Err(String::from("a class in a pattern has no end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_ecmascript() {
        let cases = [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^\d+$", "12\n", false),
            (r"^\w$", "é", false),
            (r"^[\w-]+$", "a-b", true),
            (r"^[^\s]+$", "a\u{feff}", false),
            (r"^.$", "\u{2028}", false),
            (r"^[[&]+$", "[&", true),
            (r"^a\/b$", "a/b", true),
            (r"b", "abc", true),
            (r"^\p{Lu}$", "É", true),
            (r"^\u00e9$", "é", true),
            (r"^(?<year>[0-9]{4})(?:-x)?$", "2030-x", true),
        ];
        for (pattern, text, fits) in cases {
            let regex = compile(pattern).expect(pattern);
            assert_eq!(regex.is_match(text), fits, "{pattern} {text:?}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let long = "a".repeat(LONGEST + 1);
        for pattern in [
            r"(?=a)",
            r"(?<!a)",
            r"(a)\1",
            r"(?i)a",
            "(",
            r"a\",
            "[a",
            "[]",
            "[+--]",
            r"\cA",
            r"\z",
            r"\p{L}{9999}",
            &long,
        ] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
