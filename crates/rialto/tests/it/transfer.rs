//! `rialto import` and `rialto export`: what they say, and how they exit.

use std::path::Path;

use platform::testing::TestDatabase;
use serde_json::{Value, json};

use crate::program::{Run, command, run_with_input};

const GOODS: &str = "\
Handle,Title,Variant SKU,Variant Price,Gift Card,Inventory Qty / Rialto
mug,Mug,MUG,19.99,false,5
bowl,Bowl,BOWL,30,false,
";

/// The program in a folder of its own, on a database of its own.
struct Desk {
    folder: tempfile::TempDir,
    database: TestDatabase,
}

impl Desk {
    async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            database: TestDatabase::create().await,
        }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Run {
        let mut command = command(self.folder.path(), arguments);
        command.env("RIALTO__DATABASE__URL", self.database.url());
        run_with_input(command, input)
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn read(&self, name: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("read")
    }
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out() {
    let desk = Desk::new().await;
    desk.file("goods.csv", GOODS);
    let first = desk.run(&["import", "products", "goods.csv"], "").exits(0);
    assert_eq!(first.err, "");
    let told = "columns not used: Gift Card\n\
                imported: 2 added, 0 changed, 0 unchanged, 0 rejected; 2 lines; stock set once\n";
    assert_eq!(first.out, told);
    let again = desk.run(&["import", "products", "-"], GOODS).exits(0).out;
    assert!(
        again.contains("imported: 0 added, 0 changed, 2 unchanged"),
        "{again}"
    );
    let written = desk.run(&["export", "products", "out.csv"], "").exits(0);
    assert_eq!(
        (written.out.as_str(), written.err.as_str()),
        ("", "exported: 2 products in 2 lines\n")
    );
    let file = desk.read("out.csv");
    assert_eq!(desk.run(&["export", "products"], "").exits(0).out, file);
    assert!(file.starts_with("Handle,Title,Body (HTML),"), "{file}");
    let dollars = desk
        .run(&["export", "products", "-", "--currency", "usd"], "")
        .exits(0)
        .out;
    assert!(dollars.contains("Price / EUR"), "{dollars}");
}

#[tokio::test]
async fn what_is_left_out_is_told_and_exits_with_4() {
    let desk = Desk::new().await;
    desk.file(
        "goods.csv",
        &format!("{GOODS}jug,Jug,JUG,19.999,false,\n\"jar,Jar,JAR,1,false,\n"),
    );
    let run = desk.run(&["import", "products", "goods.csv"], "").exits(4);
    let told = "left out: line 4, product jug, Variant Price: `19.999`: EUR has 2 decimals, not more\n\
                left out: line 5, Handle: a quote is opened that is not closed again; the products \
                before and after it are left out as well\n";
    assert_eq!(run.err, told);
    assert!(
        run.out
            .contains("2 added, 0 changed, 0 unchanged, 1 rejected; 4 lines, 1 of them unreadable"),
        "{}",
        run.out
    );
    let as_json = desk
        .run(
            &["import", "products", "goods.csv", "--json", "--dry-run"],
            "",
        )
        .exits(4);
    assert_eq!(as_json.err, "");
    let report: Value = serde_json::from_str(&as_json.out).expect("one document");
    let expected = json!({
        "line": 4, "column": "Variant Price", "handle": "jug",
        "reason": "`19.999`: EUR has 2 decimals, not more",
    });
    assert_eq!(report["rejections"][0], expected);
    assert_eq!(report["rejections"].as_array().map(Vec::len), Some(2));
    let summary = json!({
        "dry_run": true, "lines": 4, "added": 0, "changed": 0, "unchanged": 2, "rejected": 1,
        "unreadable": 1, "stock_set": 0, "ignored_columns": ["Gift Card"],
        "rejections": report["rejections"],
    });
    assert_eq!(report, summary);
}

#[tokio::test]
async fn a_dry_run_leaves_the_shop_empty() {
    let desk = Desk::new().await;
    let run = desk
        .run(&["import", "products", "-", "--dry-run"], GOODS)
        .exits(0)
        .out;
    assert!(run.contains("would be imported: 2 added"), "{run}");
    let exported = desk.run(&["export", "products"], "").exits(0).out;
    assert_eq!(exported.lines().count(), 1, "{exported}");
}

#[tokio::test]
async fn a_file_that_is_none_fails_with_its_name() {
    let desk = Desk::new().await;
    desk.file("empty.csv", "");
    desk.file("letter.csv", "Dear Ada,\nI am well.\n");
    let failed = |name| desk.run(&["import", "products", name], "").exits(1).err;
    assert!(
        failed("none.csv").starts_with("error: none.csv: No such file"),
        "{}",
        failed("none.csv")
    );
    assert!(failed("empty.csv").starts_with("error: empty.csv: the file is empty"));
    let letter = failed("letter.csv");
    assert!(
        letter.starts_with("error: letter.csv: line 1: the first line must name"),
        "{letter}"
    );
    let folder = desk
        .run(&["export", "products", "none/out.csv"], "")
        .exits(1)
        .err;
    assert!(
        folder.starts_with("error: none/out.csv: No such file"),
        "{folder}"
    );
}
