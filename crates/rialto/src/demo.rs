//! Goods to try: what `rialto serve --demo` fills an empty shop with.

use cart::{CartError, add_promotion};
use feed::{FeedError, publish_for_shop};
use kernel::{Currency, Rate};
use platform::db::{Db, DbError};
use product::{
    ImportError, ImportSettings, ImportStock, ImportSummary, Rejection, Watch, find_by_slugs,
    has_products, import_products,
};

use crate::{Handle, Role};

/// A shop by the bridge, as a file that anybody could import.
const GOODS: &str = include_str!("../../../data/demo-products.csv");
/// What customers enter to pay ten percent less.
const WELCOME: (&str, u32) = ("WELCOME", 100_000);

/// What the shop has posted, the oldest first, and what each shows.
const NEWS: [(&str, &[&str]); 3] = [
    (
        "The shop by the bridge is open. WELCOME takes ten percent off your first cart.",
        &[],
    ),
    (
        "Glazed this week: the breakfast mugs of the Alba series.\nEach is thrown by hand, so no two \
         are alike.",
        &["breakfast-mug-alba"],
    ),
    (
        "Every parcel that is ordered before noon leaves on the same day.",
        &[],
    ),
];

/// Why the shop could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The catalogue cannot be read.
    #[error("the catalogue cannot be read")]
    Catalogue(#[from] DbError),
    /// The goods cannot be imported.
    #[error("the goods of the demo cannot be imported")]
    Goods(#[from] ImportError),
    /// The promotion cannot be added.
    #[error("the promotion of the demo cannot be added")]
    Promotion(#[from] CartError),
    /// The news cannot be posted.
    #[error("the news of the demo cannot be posted")]
    News(#[source] FeedError),
}

/// Fills the shop of a process that runs product, unless there are goods in it; tells what was
/// imported. The promotion is added where cart runs, too, and news are posted where feed does.
pub async fn fill(handle: &Handle) -> Result<Option<ImportSummary>, DemoError> {
    let Some(db) = handle.database(Role::Product) else {
        return Ok(None);
    };
    if has_products(db).await? {
        return Ok(None);
    }
    if let Some(db) = handle.database(Role::Cart) {
        let (code, ppm) = WELCOME;
        let rate = Rate::from_ppm(ppm).expect("ten percent");
        add_promotion(db, code, rate).await?;
    }
    let settings = ImportSettings {
        currency: Currency::EUR,
        stock: ImportStock::New,
        dry_run: false,
    };
    let imported = import_products(db, GOODS.as_bytes(), &settings, &mut Log).await?;
    if let Some(feed) = handle.database(Role::Feed) {
        post_news(feed, db).await.map_err(DemoError::News)?;
    }
    tracing::info!(products = imported.added, "the catalogue was filled");
    Ok(Some(imported))
}

async fn post_news(feed: &Db, catalogue: &Db) -> Result<(), FeedError> {
    for (text, slugs) in NEWS {
        let product_ids = find_by_slugs(catalogue, slugs).await?;
        publish_for_shop(feed, text, product_ids).await?;
    }
    Ok(())
}

struct Log;

impl Watch for Log {
    fn rejected(&mut self, rejection: &Rejection) {
        let Rejection { line, reason, .. } = rejection;
        tracing::warn!(line, reason, "a product of the demo was left out");
    }

    fn progress(&mut self, _: u64, _: &ImportSummary) {}
}
