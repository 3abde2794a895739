//! Every SQL statement of the code prepares on the schema that the migrations make. No statement
//! waits for a rare path to be found broken on one engine.

use rialto::Role;
use testkit::TestShop;

use crate::sources::{rust_files, services};

/// A `sql!` of the sources.
#[derive(Debug, PartialEq, Eq)]
struct Statement {
    sqlite: String,
    postgres: String,
}

/// Every `sql!` of a Rust source, outside of comments.
fn statements(source: &str) -> Vec<Statement> {
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, opening) in code.match_indices("sql!(") {
        let mut literals = literals(&code[at + opening.len()..]).into_iter();
        let (first, second) = (literals.next(), literals.next());
        let Some(first) = first else { continue };
        found.push(Statement {
            postgres: second.unwrap_or_else(|| first.clone()),
            sqlite: first,
        });
    }
    found
}

/// The string literals up to the closing parenthesis.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ')' => break,
            '"' => found.push(literal(&mut rest)),
            _ => {}
        }
    }
    found
}

/// The rest of a string literal, without its escapes.
fn literal(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('"', _) => break,
            ('\\', Some('\n')) => while rest.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some(_)) => text.extend(rest.next()),
            (c, _) => text.push(c),
        }
    }
    text
}

async fn prepare_all(shop: &TestShop, role: Role, folder: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, source) in rust_files(folder) {
        for Statement { sqlite, postgres } in statements(&source) {
            if let Err(error) = shop.db(role).check(&sqlite, &postgres).await {
                broken.push(format!("{}: {error}\n{sqlite}", path.display()));
            }
        }
    }
    broken
}

#[tokio::test]
async fn every_statement_prepares() {
    let shop = TestShop::start().await;
    let mut broken = prepare_all(&shop, Role::User, "crates/platform/src").await;
    for role in services() {
        let folder = format!("crates/{role}/src");
        broken.extend(prepare_all(&shop, role, &folder).await);
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// The test provider stands for a system outside, and keeps a book of its own as that would.
const OWN_BOOK: &str = "crates/order/src/payment/test.rs";

#[test]
fn statements_are_in_stores_only() {
    for role in services() {
        let files = rust_files(&format!("crates/{role}/src"));
        let (_, root) = files
            .iter()
            .find(|(path, _)| path.ends_with("lib.rs"))
            .expect("lib.rs");
        for (path, source) in &files {
            let module = path.file_stem().expect("a name").to_string_lossy();
            let name = path.display().to_string();
            let allowed = name.ends_with("/store.rs")
                || name.contains("/store/")
                || name.ends_with(OWN_BOOK)
                || root.contains(&format!("#[cfg(test)]\nmod {module};"));
            assert!(allowed || statements(source).is_empty(), "{name} holds SQL");
        }
    }
}

#[test]
fn the_scanner_finds_statements() {
    let source = r#"
        // sql!("a comment")
        tx.all(sql!("SELECT \"a\" \
                     FROM b"), &[]);
        tx.run(sql!(sqlite: "SELECT f(x)", postgres: "SELECT g(x)"), &[]);
    "#;
    let expected = [
        ("SELECT \"a\" FROM b", "SELECT \"a\" FROM b"),
        ("SELECT f(x)", "SELECT g(x)"),
    ];
    let expected = expected.map(|(sqlite, postgres)| Statement {
        sqlite: sqlite.to_owned(),
        postgres: postgres.to_owned(),
    });
    assert_eq!(statements(source), expected);
    let platform = rust_files("crates/platform/src");
    let count: usize = platform
        .iter()
        .map(|(_, text)| statements(text).len())
        .sum();
    assert!(
        count > 20,
        "only {count} statements were found in the platform"
    );
}
