//! What templates may name, told before they are used.

/// Blocks that a template may use. Not `autoescape`, by which values could break out of JSON.
const BLOCKS: [&str; 8] = [
    "if", "elif", "else", "endif", "for", "endfor", "set", "endset",
];

/// What templates may name here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The captures of the route's path.
    pub(crate) captures: &'a [String],
    /// Whether there is a `response`.
    pub(crate) response: bool,
}

pub(super) fn is_template(source: &str) -> bool {
    source.contains("{{") || source.contains("{%")
}

/// Whether the text is one expression, and nothing else.
pub(super) fn is_expression(source: &str) -> bool {
    let inner = source
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains("}}") && !is_template(inner))
}

/// Whether a template uses only blocks that there are.
pub(super) fn check_blocks(source: &str) -> Result<(), String> {
    match blocks(source).find(|block| !BLOCKS.contains(block)) {
        Some(block) => Err(format!(
            "there is no block `{block}` here: use if, for and set"
        )),
        None => Ok(()),
    }
}

/// The first word of every block.
fn blocks(source: &str) -> impl Iterator<Item = &str> {
    source.split("{%").skip(1).map(|rest| {
        let rest = rest.trim_start_matches(['-', '+']).trim_start();
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// A template with an empty text for each expression, which is no JSON between quotes; none if it
/// has blocks.
pub(super) fn without_expressions(source: &str) -> Option<String> {
    if source.contains("{%") || source.contains("{#") {
        return None;
    }
    let mut out = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        out.push_str("\"\"");
        rest = after.split_once("}}")?.1;
    }
    out.push_str(rest);
    Some(out)
}

/// Whether a dotted name is one that there is.
pub(super) fn known(name: &str, scope: Scope<'_>) -> Result<(), String> {
    let mut steps = name.split('.');
    let (first, second, third) = (steps.next(), steps.next(), steps.next());
    let members: &[&str] = match first {
        Some("body") => return Ok(()),
        Some("request") => &["method", "path", "query", "headers", "captures"],
        Some("identity") => &["subject", "scopes", "claims"],
        Some("response") if scope.response => &["status", "headers"],
        _ => {
            let response = if scope.response { ", response" } else { "" };
            return Err(format!(
                "there is no `{name}` here, but request, identity{response} and body; \
                 a header is request.headers.user_agent or request.headers[\"user-agent\"]"
            ));
        }
    };
    if let Some(member) = second
        && !members.contains(&member)
    {
        let first = first.unwrap_or_default();
        let members = members.join(", ");
        return Err(format!("`{first}` has no `{member}`, but {members}"));
    }
    if let (Some("captures"), Some(capture)) = (second, third)
        && !scope.captures.iter().any(|known| known == capture)
    {
        return Err(format!("`{capture}` is no capture of the path"));
    }
    Ok(())
}
