//! A table is refused with a line, or can be put together and asked.

use std::path::Path;

use http::{HeaderMap, Method, Uri};

use crate::explain::Explainer;
use crate::table::{Files, Table};

/// A table of routes.
pub fn table(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let table = match Table::parse(text, Path::new("routes.toml"), &mut Files::default()) {
        Ok(table) => table,
        Err(wrong) => {
            assert!(!wrong.errors.is_empty());
            for error in wrong.errors {
                let line = error
                    .line
                    .unwrap_or_else(|| panic!("no line: {}", error.problem));
                assert!((1..=text.matches('\n').count() + 1).contains(&line));
                assert!(!error.problem.is_empty());
            }
            return;
        }
    };
    let paths: Vec<String> = table
        .routes
        .iter()
        .map(|route| route.get_ref().path.clone())
        .collect();
    let explainer = Explainer::of(&table, Vec::new());
    for path in paths {
        // A capture is as good a segment as any.
        if let Ok(target) = path.replace(['{', '}', '*'], "x").parse::<Uri>() {
            let explained = explainer.explain(&Method::GET, &target, &HeaderMap::new());
            assert!(!explained.to_string().is_empty());
        }
    }
}
