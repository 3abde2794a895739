//! What an answer must be that is put together.

use std::collections::BTreeSet;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE};
use serde_json::value::RawValue;

use crate::router::Template;
use crate::table::{Compose, Part};
use crate::template::Text;

pub(super) fn problems(compose: &Compose, wrong: &mut impl FnMut(String)) {
    if compose.parts.is_empty() {
        wrong(String::from(
            "an answer has one part at least: [gateway.compose.part.NAME]",
        ));
    }
    let captures = Template::new(&compose.path);
    let captures = captures
        .map(|path| path.names().to_vec())
        .unwrap_or_default();
    for (name, part) in &compose.parts {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name == "missing" || !name.bytes().all(plain) {
            wrong(format!(
                "`{name}` is no name of a part: letters, digits, `_`, and not `missing`"
            ));
        }
        if let Err(problem) = target(part, compose, &captures) {
            wrong(format!("part {name}: {problem}"));
        }
        if serde_json::from_str::<&RawValue>(&part.fallback).is_err() {
            wrong(format!(
                "part {name}: the fallback is no JSON: a text needs its quotes, '\"none\"'"
            ));
        }
        let passed: Vec<HeaderName> = part
            .pass
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        if passed.len() < part.pass.len() {
            wrong(format!("part {name}: `pass` names headers"));
        }
        if part.cache.is_some() && !passed.is_empty() {
            let secret = passed.contains(&AUTHORIZATION) || passed.contains(&COOKIE);
            let why = if secret { "who asks" } else { "what is passed" };
            wrong(format!(
                "part {name}: a document that is kept cannot depend on {why}: add `pass = []`"
            ));
        }
    }
    if let Some(name) = in_circle(compose) {
        wrong(format!("the part `{name}` needs itself, through others"));
    }
}

fn target(part: &Part, compose: &Compose, captures: &[String]) -> Result<(), String> {
    if !part.get.starts_with('/') {
        return Err(String::from(
            "`get` is a target of this gateway, and begins with `/`",
        ));
    }
    for name in Text::new(&part.get)?.names() {
        let known = match name.split_once('.') {
            Some((first, _)) => compose.parts.contains_key(first),
            None => name == "query" || captures.iter().any(|capture| capture == name),
        };
        if !known {
            return Err(format!("`{{{name}}}` is no capture, and names no part"));
        }
    }
    Ok(())
}

/// A part that waits for itself.
fn in_circle(compose: &Compose) -> Option<&str> {
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let open = compose
            .parts
            .iter()
            .filter(|(name, _)| !settled.contains(name.as_str()));
        let ready = open.clone().find(|(_, part)| {
            let target = Text::new(&part.get);
            target.is_ok_and(|target| {
                let mut needs = target.names().filter_map(|name| name.split_once('.'));
                needs.all(|(first, _)| settled.contains(first))
            })
        });
        match ready {
            Some((name, _)) => settled.insert(name),
            None => return open.map(|(name, _)| name.as_str()).next(),
        };
    }
}
