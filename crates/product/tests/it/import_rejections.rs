//! Files with something wrong in them: each line that costs a product is told, and why.

use testkit::{TestShop, eur};

use crate::import_files::{rejections, shown, try_import, usual};

const HEADER: &str = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Compare At Price / USD,Price / USD,Variant Inventory Qty,Image Src";

/// A line of that header.
fn line(handle: &str, sku: &str, price: &str) -> String {
    format!("{handle},{handle},Title,Default Title,{sku},{price},,,,\n")
}

async fn told(lines: &str) -> Vec<String> {
    let shop = TestShop::start().await;
    rejections(&shop, format!("{HEADER}\n{lines}")).await
}

#[tokio::test]
async fn a_wrong_cell_costs_the_product_and_no_other() {
    let shop = TestShop::start().await;
    let file = format!(
        "{HEADER}\n{}{}mug,,,M,MUG-M,oops,,,,\n{}",
        line("bowl", "BOWL", "1"),
        "mug,Mug,Size,S,MUG-S,19.999,,,1.5,\n",
        line("jug", "JUG", "1"),
    );
    let told = rejections(&shop, file).await;
    let expected = [
        "3 Variant Price: `19.999`: EUR has 2 decimals, not more",
        "3 Variant Inventory Qty: `1.5`: expected a whole number",
        "4 Variant Price: `oops`: expected an amount such as 1999.99: digits, and a point before \
         the decimals",
    ];
    assert_eq!(told, expected);
    for slug in ["bowl", "jug"] {
        shown(&shop, slug).await;
    }
    shop.client()
        .get("/v1/products/by-slug/mug")
        .await
        .problem(404, "product.not_found");
}

#[tokio::test]
async fn rules_of_the_catalogue_are_told_with_their_places() {
    let lines = "\
Mug,Mug,Title,Default Title,A,1,,,,
b,,Title,Default Title,B,1,,,,
c,C,Size,S,C1,1,5.00,5.00,,
c,,,,C2,1,,,,
d,D,Title,Default Title,D,,3.00,,,javascript:alert(1)
e,E,Size,S,E1,1,,,,
e,,,S,E2,10000000000.01,,,,
f,F,Title,Large,F,1,,,,
";
    let expected = [
        "6 Compare At Price / USD: there is no price beside it",
        "2 Handle: expected lower-case letters and digits, joined by hyphens",
        "3 Title: expected 1 to 200 characters",
        "4 Compare At Price / USD: must be higher than amount",
        "5 Option1 Value: a value of `Size` is missing",
        "8 Variant Price: expected 0 to 1000000000000",
        "8 Option1 Value: another variant has the same options",
    ];
    // What is wrong in a line is told when it is read; what is wrong in a product, when it is
    // written.
    assert_eq!(told(lines).await, expected);
}

#[tokio::test]
async fn pictures_are_never_scripts() {
    let lines = "d,D,Title,Default Title,D,,,,,javascript:alert(1)\n";
    let expected = ["2 Image Src: expected an https or http address, or a path"];
    assert_eq!(told(lines).await, expected);
}

#[tokio::test]
async fn a_handle_does_not_come_back() {
    let lines = [
        line("a", "A", "1"),
        line("b", "B", "1"),
        line("a", "C", "x"),
        line("a", "D", "1"),
    ];
    let expected =
        ["4 Handle: the product was in line 2 already; its lines must follow each other"];
    assert_eq!(told(&lines.concat()).await, expected);
}

#[tokio::test]
async fn an_sku_is_there_once() {
    let shop = TestShop::start().await;
    shop.product("owner").price(eur(1)).create().await;
    let sku = shown(&shop, "owner").await["variants"][0]["sku"].clone();
    let sku = sku.as_str().expect("an SKU");
    let lines = [
        line("a", "A", "1"),
        line("b", "A", "1"),
        line("c", sku, "1"),
        line("d", "D", "1"),
    ];
    let told = rejections(&shop, format!("{HEADER}\n{}", lines.concat())).await;
    let expected = [
        String::from("3 Variant SKU: the SKU `A` is in line 2 already"),
        format!("4 Variant SKU: the product `owner` has the SKU `{sku}`"),
    ];
    assert_eq!(told, expected);
    shown(&shop, "d").await;
}

#[tokio::test]
async fn an_sku_moves_where_its_owner_gives_it_up() {
    let shop = TestShop::start().await;
    let file = |first: &str, second: &str| {
        format!(
            "{HEADER}\n{}{}",
            line("a", first, "1"),
            line("b", second, "1")
        )
    };
    assert!(rejections(&shop, file("X", "Y")).await.is_empty());
    assert!(rejections(&shop, file("Y", "X")).await.is_empty());
    assert_eq!(shown(&shop, "a").await["variants"][0]["sku"], "Y");
    // Its owner says nothing of it, and keeps it.
    let file_of_both = format!("{HEADER}\n{}{}", line("e", "X", "1"), line("b", "", "1"));
    let told = rejections(&shop, file_of_both).await;
    assert_eq!(told, ["2 Variant SKU: the product `b` has the SKU `X`"]);
    // Its owner is left out, and keeps it; so this one is left out, too.
    let file = format!(
        "{HEADER}\n{}{}{}",
        line("c", "X", "1"),
        "b,,Title,Default Title,Z,1,,,,\n",
        line("d", "D", "1")
    );
    let expected = [
        "3 Title: expected 1 to 200 characters",
        "2 Variant SKU: the product `b` has the SKU `X`",
    ];
    let mut told = rejections(&shop, file).await;
    told.sort_by_key(|told| std::cmp::Reverse(told.clone()));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_product_has_a_hundred_variants() {
    let variants = |count: usize| -> String {
        let line = |number| format!("a,A,Size,{number},A-{number},1,,,,\n");
        (1..=count).map(line).collect()
    };
    assert!(told(&variants(100)).await.is_empty());
    let expected = ["102 -: a product has at most 100 variants"];
    assert_eq!(told(&variants(130)).await, expected);
}

#[tokio::test]
async fn a_line_that_cannot_be_read_costs_its_product() {
    let broken = |broken: &str| {
        let (a, b) = (line("a", "A", "1"), line("b", "B", "1"));
        format!("{a}{broken}\n{b}")
    };
    let quote = broken("mug,\"Mug,Size,S,MUG-S,1,,,,\nmug,,,M,MUG-M,1,,,,");
    let expected = ["3 Title: a quote is opened that is not closed again"];
    assert_eq!(told(&quote).await, expected);
    let stray = broken("mug,\"Mug\" of glass,Size,S,MUG-S,1,,,,\nmug,Mug,Size,M,MUG-M,1,,,,");
    let expected = "3 Title: a comma or the end of the line must follow a closing quote; within \
                    quotes, a quote is written twice";
    assert_eq!(told(&stray).await, [expected]);
    let short = broken("mug,Mug,Size,S,MUG-S");
    assert_eq!(
        told(&short).await,
        ["3 -: the line has 5 fields, the first line 10"]
    );
}

#[tokio::test]
async fn a_variant_whose_line_cannot_be_read_is_not_removed() {
    let shop = TestShop::start().await;
    let file = |second: &str| {
        let first = "mug,Mug,Size,S,MUG-S,1,,,,\n";
        format!(
            "{HEADER}\n{first}{second}mug,,,L,MUG-L,1,,,,\n{}",
            line("a", "A", "1")
        )
    };
    assert!(
        rejections(&shop, file("mug,,,M,MUG-M,1,,,,\n"))
            .await
            .is_empty()
    );
    let mug = shown(&shop, "mug").await;
    let told = rejections(&shop, file("mug,,,M,MUG-M,1\n")).await;
    assert_eq!(told, ["3 -: the line has 6 fields, the first line 10"]);
    assert_eq!(shown(&shop, "mug").await, mug);
}

#[tokio::test]
async fn a_line_that_names_no_product_costs_those_beside_it() {
    let shop = TestShop::start().await;
    let lines = [line("a", "A", "1"), line("b", "B", "1"), line("", "X", "1")];
    let file = format!(
        "{HEADER}\n{}{}{}",
        lines.concat(),
        line("c", "C", "1"),
        line("d", "D", "1")
    );
    let (done, told) = try_import(&shop, file.as_bytes(), usual()).await;
    let done = done.expect("the file is read");
    assert_eq!((done.added, done.rejected, done.unreadable), (2, 2, 1));
    let reason = "the line names no product; the products before and after it are left out as well";
    assert_eq!(told.rejections[0].reason, reason);
    assert_eq!((told.rejections.len(), told.rejections[0].line), (1, 4));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_told_with_their_line() {
    let shop = TestShop::start().await;
    let mut file = format!("{HEADER}\n{}", line("a", "A", "1")).into_bytes();
    file.extend_from_slice(b"mug,\"M\nu\xfcg\",Title,Default Title,MUG,1,,,,\n");
    file.extend_from_slice(line("b", "B", "1").as_bytes());
    let told = rejections(&shop, file).await;
    assert_eq!(
        told,
        ["4 -: the line is not UTF-8; save the file as `CSV UTF-8`"]
    );
    shown(&shop, "b").await;
}

#[tokio::test]
async fn a_file_as_spreadsheets_write_it_is_read() {
    let shop = TestShop::start().await;
    let file = format!("\u{feff}{HEADER}\n{},,,,,,,,,\n", line(" a ", " A ", " 1 "));
    let told = rejections(&shop, file.replace('\n', "\r\n")).await;
    assert!(told.is_empty(), "{told:?}");
    let found = shown(&shop, "a").await;
    assert_eq!(
        (&found["title"], &found["variants"][0]["sku"]),
        (&"a".into(), &"A".into())
    );
}

#[tokio::test]
async fn a_file_without_a_header_is_not_imported() {
    let shop = TestShop::start().await;
    let refused = async |file: &[u8]| {
        let (done, _) = try_import(&shop, file, usual()).await;
        done.expect_err("refused").to_string()
    };
    assert_eq!(
        refused(b"").await,
        "the file is empty; its first line must name the columns"
    );
    assert_eq!(
        refused(b"\n \n").await,
        "the file is empty; its first line must name the columns"
    );
    let no_header = refused(b"mug,Mug,1.00\n").await;
    assert!(
        no_header.starts_with("line 1: the first line must name the columns"),
        "{no_header}"
    );
    let utf16 = refused(b"\xff\xfeH\0a\0n\0d\0l\0e\0\n\0").await;
    assert_eq!(
        utf16,
        "line 1: the line is not UTF-8; save the file as `CSV UTF-8`"
    );
}
