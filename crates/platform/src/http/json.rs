//! Reading JSON bodies: nested to a limit, with a pointer to what does not fit.

use kernel::problem::codes;
use kernel::{FieldError, Kind, Problem};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

/// Reads `body`, nested at most `depth` deep.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], depth: usize) -> Result<T, Problem> {
    if nesting(body) > depth {
        let detail = format!("the body is nested more than {depth} levels deep");
        return Err(Problem::new(Kind::Malformed, codes::TOO_DEEP, detail));
    }
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(error) if error.is_data() => Err(misfit::<T>(body)),
        Err(error) => {
            let detail = format!("the body is not JSON: {error}");
            Err(Problem::new(Kind::Malformed, codes::MALFORMED, detail))
        }
    }
}

/// How deeply brackets outside strings are nested.
fn nesting(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads again, slowly, to find out where the body does not fit.
fn misfit<T: DeserializeOwned>(body: &[u8]) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut json) else {
        return Problem::new(Kind::Malformed, codes::MALFORMED, "the body does not fit");
    };
    let pointer: String = error
        .path()
        .iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::from("/?"),
        })
        .collect();
    let detail = error.inner().to_string();
    // The position within the body says nothing that the pointer does not.
    let detail = detail
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    Problem::invalid(vec![FieldError {
        pointer,
        code: codes::INVALID.into(),
        detail,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only read")]
        lines: Vec<Line>,
    }

    #[derive(serde::Deserialize, Debug)]
    struct Line {
        #[expect(dead_code, reason = "only read")]
        quantity: u8,
    }

    fn problem(body: &str) -> Problem {
        read::<Order>(body.as_bytes(), 4).expect_err("does not fit")
    }

    #[test]
    fn points_at_what_does_not_fit() {
        let problem = problem(r#"{"lines": [{"quantity": 1}, {"quantity": "two"}]}"#);
        assert_eq!(problem.status, 422);
        assert_eq!(problem.errors[0].pointer, "/lines/1/quantity");
        assert!(problem.errors[0].detail.starts_with("invalid type: string"));
    }

    #[test]
    fn tells_broken_from_misfitting_from_too_deep() {
        assert_eq!(problem("{\"lines\": [").code, codes::MALFORMED);
        assert_eq!(problem("[[[[[]]]]]").code, codes::TOO_DEEP);
        assert_eq!(
            problem(r#"{"lines": [], "[[[[[[": 1}"#).code,
            codes::INVALID
        );
        assert_eq!(
            problem(r#"{"lines": [], "\"[[[[[[": 1}"#).code,
            codes::INVALID
        );
    }
}
