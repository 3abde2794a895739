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

/// The statement as PostgreSQL prepares it: a list of ids (`= ANY($1)`) comes out of a query. Of a
/// list that is a parameter the planner counts the elements, finds that few of them cost less than
/// the ten that it assumes otherwise, and so plans anew each time, which takes longer than the
/// statement. Of a query it assumes ten in any case, and keeps the plan.
pub(super) fn with_one_plan(text: &str) -> String {
    const LIST: &str = "= ANY($";
    let mut out = String::with_capacity(text.len() + 40);
    let mut rest = text;
    while let Some(at) = rest.find(LIST) {
        let (before, after) = (&rest[..at], &rest[at + LIST.len()..]);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if after[digits..].starts_with(')') {
            let number = &after[..digits];
            out.push_str(before);
            out.push_str(&format!("= ANY(ARRAY(SELECT unnest(${number}::uuid[])))"));
            rest = &after[digits + 1..];
        } else {
            out.push_str(&rest[..at + LIST.len()]);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_out_of_a_query() {
        assert_eq!(
            with_one_plan("a = ANY($1) AND b = ANY($12::text[]) OR c = ANY($2)"),
            "a = ANY(ARRAY(SELECT unnest($1::uuid[]))) AND b = ANY($12::text[]) \
             OR c = ANY(ARRAY(SELECT unnest($2::uuid[])))"
        );
        assert_eq!(with_one_plan("SELECT 1"), "SELECT 1");
    }
}
