//! Every error code has a page that explains it, and every page a code.

use std::collections::BTreeSet;

use kernel::{Kind, Problem};
use testkit::TestShop;

use crate::sources::root;

fn pages() -> BTreeSet<String> {
    let folder = root().join("docs/errors");
    let entries = std::fs::read_dir(folder).expect("the pages");
    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        path.file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    entries.map(stem).collect()
}

fn codes() -> BTreeSet<String> {
    let codes = contracts::all_codes();
    let unique: BTreeSet<String> = codes.iter().map(ToString::to_string).collect();
    assert_eq!(unique.len(), codes.len(), "two codes have the same text");
    unique
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let (codes, pages) = (codes(), pages());
    let missing: Vec<_> = codes.difference(&pages).collect();
    assert!(missing.is_empty(), "no page in docs/errors: {missing:?}");
    let orphans: Vec<_> = pages.difference(&codes).collect();
    assert!(orphans.is_empty(), "no code for these pages: {orphans:?}");
}

#[test]
fn every_page_tells_what_it_should() {
    for code in codes() {
        let page = root().join(format!("docs/errors/{code}.md"));
        let text = std::fs::read_to_string(&page).expect("a page");
        assert!(text.starts_with(&format!("# {code}\n")), "{code}: heading");
        let paragraphs = text.split("\n\n").filter(|part| {
            let part = part.trim();
            !part.is_empty() && !part.starts_with('#') && !part.starts_with("```")
        });
        let count = paragraphs.count();
        assert!(
            count >= 3,
            "{code}: meaning, occasion, advice; {count} paragraphs"
        );
        let (_, example) = text.split_once("```json\n").expect("an example");
        let (example, _) = example.split_once("```").expect("the example ends");
        let problem: Problem = serde_json::from_str(example)
            .unwrap_or_else(|error| panic!("{code}: the example is no problem: {error}"));
        assert_eq!(problem.code, code, "{code}: the code of the example");
        assert_eq!(problem.type_uri, format!("/errors/{code}"), "{code}: type");
        let kind = Kind::from_status(problem.status);
        assert_eq!(kind.title(), problem.title, "{code}: title and status");
    }
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let shop = TestShop::start().await;
    let problem = shop.client().get("/v1/nowhere").await;
    let problem = problem.problem(404, "request.no_route");
    let page = shop
        .client()
        .get(problem["type"].as_str().expect("a path"))
        .await;
    assert_eq!(page.status, 200);
    assert!(page.bytes.starts_with(b"# request.no_route"));
}
