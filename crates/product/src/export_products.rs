//! Products into a file: the product CSV of Shopify, page by page, in the order of their handles.
//!
//! Everything is written in the form that the import gives it (without spaces around cells, nothing
//! below zero), so that the products of a file, exported again, are the same bytes.

mod lines;

use std::io::{self, Write};

use kernel::Currency;
use platform::db::{Db, DbError, Tx};

use self::lines::{Layout, Stock};
use crate::ProductError;
use crate::add_location;
use crate::model::{Product, ProductStatus};
use crate::store::{categories, inventory, transfer};

/// Products that are read and written at once.
const PAGE: i64 = 100;

/// What is exported, and how.
#[derive(Debug, Clone, Copy)]
pub struct ExportSettings {
    /// The currency whose columns name none.
    pub currency: Currency,
    /// Only products in this state; `None` for all.
    pub status: Option<ProductStatus>,
}

/// What was exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// How many products.
    pub products: u64,
    /// How many lines, without the header.
    pub lines: u64,
}

/// Why an export ended before the end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The products cannot be read.
    #[error("the products cannot be read")]
    Read(#[from] ProductError),
    /// The file cannot be written.
    #[error("the file cannot be written")]
    Write(#[from] io::Error),
}

impl From<DbError> for ExportError {
    fn from(error: DbError) -> Self {
        Self::Read(error.into())
    }
}

/// Exports the products of the catalogue. What changes meanwhile is exported as it was or as it is.
pub async fn export_products(
    db: &Db,
    file: impl Write,
    settings: &ExportSettings,
) -> Result<ExportSummary, ExportError> {
    let mut file = csv::Writer::from_writer(file);
    let tx = db.read().await?;
    let layout = layout(&tx, settings).await?;
    file.write_record(layout.header())
        .map_err(io::Error::from)?;
    let mut summary = ExportSummary::default();
    let mut after = String::new();
    loop {
        let page = page(&tx, &after, settings.status).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.slug);
        let stock = stock(&tx, &page).await?;
        for product in &page {
            for line in layout.lines(product, &stock) {
                file.write_record(&line).map_err(io::Error::from)?;
                summary.lines += 1;
            }
            summary.products += 1;
        }
    }
    file.flush()?;
    Ok(summary)
}

async fn layout(tx: &Tx, settings: &ExportSettings) -> Result<Layout, ExportError> {
    let currencies = transfer::currencies(tx, settings.status).await?;
    let currencies = currencies.iter().filter_map(|code| code.parse().ok());
    let locations = inventory::locations(tx, None, add_location::MOST).await?;
    let categories = categories::all(tx).await?;
    Ok(Layout::new(
        settings.currency,
        currencies.collect(),
        locations,
        categories,
    ))
}

async fn page(
    tx: &Tx,
    after: &str,
    status: Option<ProductStatus>,
) -> Result<Vec<Product>, ExportError> {
    let kept = transfer::products_after(tx, after, status, PAGE).await?;
    let parse = |kept: &crate::store::products::KeptProduct| kept.document.parse();
    let page: Result<Vec<Product>, serde_json::Error> = kept.iter().map(parse).collect();
    Ok(page.map_err(ProductError::from)?)
}

async fn stock(tx: &Tx, page: &[Product]) -> Result<Stock, ExportError> {
    let variants = page.iter().flat_map(|product| &product.variants);
    let ids: Vec<_> = variants.map(|variant| variant.id).collect();
    let shelves = transfer::on_shelves(tx, &ids).await?.into_iter();
    let stock = shelves.map(|shelf| ((shelf.variant_id, shelf.location_id), shelf.on_hand));
    Ok(stock.collect())
}
