//! What stories about files begin with: an import that notes what it is told, and a look at
//! everything that an import must not touch twice.

use std::io::Read;

use kernel::Currency;
use platform::sql;
use product::{
    ExportSettings, ImportError, ImportSettings, ImportStock, ImportSummary, ProductStatus,
    Rejection, Watch, export_products, import_products,
};
use rialto::Role;
use serde_json::Value;
use testkit::TestShop;

/// Two mugs and a course, at two locations, in three currencies.
pub(crate) const SHOP: &str = "\
Handle,Title,Body (HTML),Vendor,Product Category,Tags,Published,Option1 Name,Option1 Value,\
Option2 Name,Option2 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,\
Variant Inventory Policy,Variant Price,Variant Compare At Price,Variant Requires Shipping,\
Variant Barcode,Image Src,Image Position,Image Alt Text,Price / USD,Price / JPY,Status,\
Inventory Qty / Rialto,Inventory Qty / Mestre
mug,Mug,\"<p>Holds \"\"tea\"\", and more.</p>
<p>Made in Murano.</p>\",Vetreria Zorzi,Home > Kitchen > Mugs; Gifts,\"glass, gift\",true,Size,S,\
Colour,Blue,MUG-S-BLUE,350,shopify,deny,19.99,24.00,true,8001234567890,images/mug.jpg,2,A mug,\
21.50,3200,active,5,3
mug,,,,,,,,M,,Blue,MUG-M-BLUE,410.0,shopify,continue,22.50,,true,,images/mugs.jpg,1,,24,3600,,0,
mug,,,,,,,,,,,,,,,,,,,images/shelf.jpg,3,,,,,,
bowl,Bowl,,,Home > Kitchen,,true,Title,Default Title,,,BOWL,900,track,deny,30,,true,,,,,,,active,,7
course,Glass blowing,,Scuola,,,false,Title,Default Title,,,COURSE,,,deny,120.00,,false,,,,,,,\
active,9,
";

/// Notes what it is told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) progress: Vec<u64>,
}

impl Watch for Told {
    fn rejected(&mut self, rejection: &Rejection) {
        self.rejections.push(rejection.clone());
    }

    fn progress(&mut self, bytes: u64, _: &ImportSummary) {
        self.progress.push(bytes);
    }
}

/// Prices are in euros; stock comes with what is new.
pub(crate) fn usual() -> ImportSettings {
    ImportSettings {
        currency: Currency::EUR,
        stock: ImportStock::New,
        dry_run: false,
    }
}

pub(crate) fn set_stock() -> ImportSettings {
    ImportSettings {
        stock: ImportStock::Set,
        ..usual()
    }
}

/// Imports a file, with whatever comes of it.
pub(crate) async fn try_import(
    shop: &TestShop,
    file: impl Read,
    settings: ImportSettings,
) -> (Result<ImportSummary, ImportError>, Told) {
    let mut told = Told::default();
    let db = shop.db(Role::Product);
    let done = import_products(db, file, &settings, &mut told).await;
    (done, told)
}

/// Imports a file of which nothing is rejected: how many products were added, changed, unchanged.
pub(crate) async fn import(shop: &TestShop, file: &str) -> (u64, u64, u64) {
    import_with(shop, file, usual()).await
}

pub(crate) async fn import_with(
    shop: &TestShop,
    file: &str,
    settings: ImportSettings,
) -> (u64, u64, u64) {
    let (done, told) = try_import(shop, file.as_bytes(), settings).await;
    let done = done.expect("the file is imported");
    assert!(told.rejections.is_empty(), "{:#?}", told.rejections);
    assert_eq!((done.rejected, done.unreadable), (0, 0));
    (done.added, done.changed, done.unchanged)
}

/// Imports a file; what it is told, as `line column: reason`.
pub(crate) async fn rejections(shop: &TestShop, file: impl AsRef<[u8]>) -> Vec<String> {
    let (done, told) = try_import(shop, file.as_ref(), usual()).await;
    done.expect("the file is read to its end");
    let text = |rejection: &Rejection| {
        let column = rejection.column.as_deref().unwrap_or("-");
        format!("{} {column}: {}", rejection.line, rejection.reason)
    };
    told.rejections.iter().map(text).collect()
}

pub(crate) async fn export(shop: &TestShop, status: Option<ProductStatus>) -> String {
    let mut file = Vec::new();
    let settings = ExportSettings {
        currency: Currency::EUR,
        status,
    };
    let db = shop.db(Role::Product);
    let done = export_products(db, &mut file, &settings).await;
    done.expect("the products are exported");
    String::from_utf8(file).expect("UTF-8")
}

/// A product as customers see it.
pub(crate) async fn shown(shop: &TestShop, slug: &str) -> Value {
    let path = format!("/v1/products/by-slug/{slug}");
    shop.client().get(path).await.expect(200)
}

/// Everything that grows when something changes: versions, events, places in the change log,
/// entries of the ledger, categories, locations.
pub(crate) async fn traces(shop: &TestShop) -> [i64; 6] {
    let counts = [
        sql!("SELECT CAST(COALESCE(SUM(version), 0) AS bigint) FROM products"),
        sql!("SELECT COUNT(*) FROM outbox"),
        sql!("SELECT COALESCE(MAX(seq), 0) FROM product_changes"),
        sql!("SELECT COUNT(*) FROM ledger"),
        sql!("SELECT COUNT(*) FROM categories"),
        sql!("SELECT COUNT(*) FROM locations"),
    ];
    let tx = shop.db(Role::Product).read().await.expect("a reader");
    let mut traces = [0; 6];
    for (trace, statement) in traces.iter_mut().zip(counts) {
        let row = tx.one::<(i64,)>(statement, &[]).await.expect("counted");
        *trace = row.expect("a count").0;
    }
    traces
}
