//! One statement, in the dialects of both engines.

/// A statement. Made by [`sql!`](crate::sql), so that its text lives as long as the program and
/// its address can stand for it in statement caches.
#[derive(Debug)]
pub struct Sql {
    /// With `?1` placeholders.
    pub sqlite: &'static str,
    /// With `$1` placeholders.
    pub postgres: &'static str,
}

/// Writes a statement with `$1` placeholders, once for both engines, or once for each where they
/// really differ.
///
/// ```
/// use platform::sql;
/// let both = sql!("SELECT id FROM orders WHERE state = $1");
/// assert_eq!(both.sqlite, "SELECT id FROM orders WHERE state = ?1");
/// let each = sql!(
///     sqlite: "SELECT id FROM orders WHERE id IN rarray($1)",
///     postgres: "SELECT id FROM orders WHERE id = ANY($1)"
/// );
/// assert_eq!(each.postgres, "SELECT id FROM orders WHERE id = ANY($1)");
/// ```
#[macro_export]
macro_rules! sql {
    ($text:literal) => {
        $crate::sql!(sqlite: $text, postgres: $text)
    };
    (sqlite: $sqlite:literal, postgres: $postgres:literal $(,)?) => {{
        // SQLite numbers `$1` in order of appearance, as a name; `?1` means the first parameter.
        const BYTES: [u8; $sqlite.len()] = $crate::db::sql::numbered($sqlite);
        const SQLITE: &str = match ::std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("replacing ASCII keeps UTF-8"),
        };
        static STATEMENT: $crate::db::Sql = $crate::db::Sql { sqlite: SQLITE, postgres: $postgres };
        &STATEMENT
    }};
}

#[doc(hidden)]
pub const fn numbered<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        let placeholder = text[i] == b'$' && i + 1 < N && text[i + 1].is_ascii_digit();
        out[i] = if placeholder { b'?' } else { text[i] };
        i += 1;
    }
    out
}

/// [`numbered`] for text that is only known at run time.
pub(super) fn with_question_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let placeholder = character == '$' && characters.peek().is_some_and(char::is_ascii_digit);
        out.push(if placeholder { '?' } else { character });
    }
    out
}
