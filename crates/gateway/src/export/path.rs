//! Paths as OpenAPI writes them.

use std::collections::BTreeMap;

use super::Vendor;

/// A path of a table for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// The same for paths that differ in what their captures are called: to OpenAPI they are one.
    pub(super) key: String,
    /// As the document has it.
    pub(super) path: String,
    /// What its parameters are called, in order, each once.
    pub(super) names: Vec<String>,
    /// The one that takes several segments.
    pub(super) greedy: Option<String>,
    /// Whether each capture is a segment of its own.
    pub(super) whole: bool,
}

/// A piece of a path: what is before a capture, and the capture.
fn captures(path: &str) -> (Vec<(&str, &str)>, &str) {
    let mut found = Vec::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{')
        && let Some((name, behind)) = after.split_once('}')
    {
        found.push((before, name));
        rest = behind;
    }
    (found, rest)
}

impl Shape {
    pub(super) fn new(template: &str, vendor: Vendor) -> Self {
        let (found, end) = captures(template);
        let mut shape = Self {
            key: String::new(),
            path: String::new(),
            names: Vec::new(),
            greedy: None,
            whole: end.is_empty() || end.starts_with('/'),
        };
        for (number, (before, capture)) in found.iter().enumerate() {
            let greedy = capture.starts_with('*');
            let name = if greedy && vendor == Vendor::Aws {
                "proxy"
            } else {
                capture.trim_start_matches('*')
            };
            let name = shape.unused(name);
            let plus = if greedy && vendor == Vendor::Aws {
                "+"
            } else {
                ""
            };
            let star = if greedy { "*" } else { "" };
            shape.key.push_str(&format!("{before}{{{star}}}"));
            shape.path.push_str(&format!("{before}{{{name}{plus}}}"));
            shape.whole &= before.ends_with('/') && (number == 0 || before.starts_with('/'));
            shape.greedy = greedy.then(|| name.clone());
            shape.names.push(name);
        }
        shape.key.push_str(end);
        shape.path.push_str(end);
        shape
    }

    /// A name that every importer takes, and that this path does not have yet.
    fn unused(&self, name: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() { c } else { '_' }
        };
        let mut name: String = name.chars().map(plain).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            name.insert(0, 'p');
        }
        // Some compare names without their case.
        let known = |name: &String| {
            self.names
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let plain = name.clone();
        let mut number = 2;
        while known(&name) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        name
    }

    /// What a table calls the captures of `template`, and what the document calls them.
    pub(super) fn renamed(&self, template: &str) -> BTreeMap<String, String> {
        let mut renamed = BTreeMap::new();
        for ((_, capture), name) in captures(template).0.iter().zip(&self.names) {
            let capture = capture.trim_start_matches('*').to_owned();
            // The first of two of one name is what a rewrite means.
            renamed.entry(capture).or_insert_with(|| name.clone());
        }
        renamed
    }
}
