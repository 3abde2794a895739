//! What the tables about callers must be.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use http::HeaderName;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use jsonwebtoken::Algorithm;

use super::{Finding, Table, is_name, target};
use crate::identity::{read_keys, read_secret};
use crate::table::{Auth, Certificates, Introspection, Issuer, Keys, Named};

/// All that is wrong with issuers, introspections and files of keys.
pub(super) fn findings(table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    let mut look = |name: &String, span: Range<usize>, problems: Vec<String>| {
        let mut problems = problems;
        if !is_name(name) {
            problems.push(format!("`{name}` is no name: use a-z, 0-9 and `-`"));
        }
        if !names.insert(name.clone()) {
            problems.push(format!(
                "`{name}` is the name of another issuer, introspection, file of keys or kind of \
                 certificates"
            ));
        }
        findings.extend(
            problems
                .into_iter()
                .map(|problem| (Some(span.clone()), problem)),
        );
    };
    for (name, issuer) in &table.issuers {
        look(name, issuer.span(), issuer_problems(issuer.get_ref()));
    }
    for (name, asked) in &table.introspections {
        look(name, asked.span(), introspection_problems(asked.get_ref()));
    }
    for (name, keys) in &table.keys {
        look(name, keys.span(), keys_problems(keys.get_ref()));
    }
    for (name, shown) in &table.certificates {
        look(name, shown.span(), certificates_problems(shown.get_ref()));
    }
    for (name, issuer) in &table.issuers {
        let same = |(other, of): (&String, &toml::Spanned<Issuer>)| {
            other < name && of.get_ref().issuer == issuer.get_ref().issuer
        };
        if table.issuers.iter().any(same) {
            let problem = format!(
                "another issuer is `{}` too: `iss` could not tell them apart",
                issuer.get_ref().issuer
            );
            findings.push((Some(issuer.span()), problem));
        }
    }
    findings
}

fn issuer_problems(issuer: &Issuer) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(Err(problem)) = issuer.jwks.as_deref().map(target) {
        problems.push(format!("jwks: {problem}"));
    }
    if issuer.issuer.is_empty() || issuer.audience.is_empty() {
        problems.push(String::from(
            "`issuer` and `audience` say which tokens are meant for here: name both",
        ));
    }
    let secret = issuer.algorithms.contains(&Algorithm::HS256);
    let public = issuer.algorithms.len() > usize::from(secret);
    if secret != issuer.secret_file.is_some() || public != issuer.jwks.is_some() {
        problems.push(String::from(
            "HS256 needs `secret_file`, all other `algorithms` need `jwks`, and nothing else does",
        ));
    }
    if let Some(Err(problem)) = issuer.secret_file.as_deref().map(read_secret) {
        problems.push(problem);
    }
    let never = [Algorithm::HS384, Algorithm::HS512];
    if issuer.algorithms.iter().any(|way| never.contains(way)) {
        problems.push(String::from("the only HMAC is HS256"));
    }
    if issuer.refresh.is_zero() || issuer.deadline.is_zero() {
        problems.push(String::from("a time of 0 would never rest, or never do"));
    }
    problems
}

fn introspection_problems(asked: &Introspection) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(problem) = target(&asked.url) {
        problems.push(format!("url: {problem}"));
    }
    match (&asked.secret_file, &asked.secret_env) {
        (Some(_), None) | (None, Some(_)) => {
            if let Err(problem) = crate::identity::client_secret(asked) {
                problems.push(problem);
            }
        }
        _ => problems.push(String::from(
            "the secret is in `secret_file` or in `secret_env`: name one of them",
        )),
    }
    if asked.deadline.is_zero() {
        problems.push(String::from("a deadline of 0 would let nobody answer"));
    }
    problems
}

fn keys_problems(keys: &Keys) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(problem) = read_keys(&keys.file) {
        problems.push(problem);
    }
    if HeaderName::from_bytes(keys.header.as_bytes()).is_err() {
        problems.push(format!("`{}` is no name of a header", keys.header));
    }
    problems
}

/// Whoever is allowed by nothing would be everybody.
fn certificates_problems(shown: &Certificates) -> Vec<String> {
    let mut problems = Vec::new();
    for allowed in &shown.allow {
        let name = allowed.strip_suffix('*').unwrap_or(allowed);
        if name.is_empty() || name.contains('*') {
            problems.push(format!(
                "`{allowed}` is no name: the one `*` is at its end, behind what names begin with"
            ));
        }
    }
    problems
}

/// What is wrong with what a route wants.
pub(super) fn auth_problems(auth: &Auth, table: &Table, wrong: &mut impl FnMut(String)) {
    if auth.by.is_empty() {
        wrong(String::from("auth: `by` names who says who calls"));
    }
    for name in auth.by.iter().filter(|name| table.named(name).is_none()) {
        wrong(format!(
            "auth: there is no issuer, introspection, file of keys or kind of certificates `{name}`"
        ));
    }
    let asked = auth
        .by
        .iter()
        .filter(|name| table.named(name) == Some(Named::Introspection));
    if asked.count() > 1 {
        wrong(String::from(
            "auth: one introspection at most: nothing in a token says which one to ask",
        ));
    }
    let shown = auth
        .by
        .iter()
        .filter(|name| table.named(name) == Some(Named::Certificates));
    if shown.count() > 1 {
        wrong(String::from(
            "auth: one kind of certificates at most: nothing in a certificate says which one it is",
        ));
    }
    let token =
        |text: &String| !text.is_empty() && !text.contains([' ', '"', '\\']) && text.is_ascii();
    if let Some(scope) = auth.scopes.iter().find(|scope| !token(scope)) {
        wrong(format!("auth: `{scope}` is no scope (RFC 6749, 3.3)"));
    }
    if auth.optional && !(auth.scopes.is_empty() && auth.roles.is_empty() && auth.claims.is_empty())
    {
        wrong(String::from(
            "auth: what is wanted of callers is not `optional`: make two routes",
        ));
    }
    let kept = [
        AUTHORIZATION,
        CONNECTION,
        CONTENT_LENGTH,
        HOST,
        TRANSFER_ENCODING,
    ];
    let mut seen = HashSet::new();
    for header in auth.forward.headers() {
        match HeaderName::from_bytes(header.as_bytes()) {
            Ok(name) if kept.contains(&name) => {
                wrong(format!("auth: `{header}` cannot tell who calls"));
            }
            Ok(name) if seen.insert(name.clone()) => {}
            Ok(_) => wrong(format!("auth: `{header}` cannot tell two things")),
            Err(_) => wrong(format!("auth: `{header}` is no name of a header")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::table::{Files, Table};

    #[test]
    fn what_could_let_the_wrong_ones_in_is_told_with_its_line() {
        let text = r#"
[gateway.upstream.all]
servers = ["http://127.0.0.1:1"]
[gateway.issuer.acme]
issuer = "https://acme.test"
jwks = "acme.test/jwks"
audience = []
algorithms = ["ES256", "HS256"]
[gateway.introspection.acme]
url = "https://acme.test/introspect"
client_id = "x"
[[gateway.route]]
name = "mine"
path = "/mine"
upstream = "all"
[gateway.route.auth]
by = ["acme", "nobody"]
optional = true
scopes = ["read \" write"]
forward = { subject = "x-who", scopes = "X-Who", roles = "authorization" }
"#;
        let errors = Table::parse(text, Path::new("t.toml"), &mut Files::default())
            .expect_err("much is wrong");
        let told = errors.to_string();
        for part in [
            "t.toml:4: jwks: `acme.test/jwks` is no URL",
            "t.toml:4: `issuer` and `audience`",
            "t.toml:4: HS256 needs `secret_file`",
            "t.toml:9: the secret is in `secret_file` or in `secret_env`",
            "t.toml:9: `acme` is the name of another",
            "t.toml:12: auth: there is no issuer, introspection, file of keys or kind of certificates `nobody`",
            "is no scope",
            "is not `optional`",
            "`X-Who` cannot tell two things",
            "`authorization` cannot tell who calls",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }
}
