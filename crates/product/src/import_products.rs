//! Products from a file: the product CSV of Shopify, read line by line and written in batches.
//!
//! A product is written as the file has it, or not at all; every line that speaks against it is
//! told. The same file changes nothing when it is imported again. What came of each product is
//! decided from what is there (`plan`) and then written (`write`); if something has changed in
//! between, it is decided anew.

mod candidate;
mod entry;
mod gather;
mod line;
mod merge;
mod plan;
mod report;
mod skus;
mod tree;
mod write;

use std::io::{self, Read};

use kernel::{Fault, Kind};
use platform::db::{Db, DbError};

pub use self::report::{ImportSettings, ImportStock, ImportSummary, Rejection, Watch};

use self::entry::Entry;
use self::gather::Gather;
use self::plan::Plan;
use self::report::Tally;
use crate::ProductError;
pub use crate::sheet::BadHeader;
use crate::sheet::Columns;
use crate::store::transfer;

/// How often a batch is decided that somebody else gets in the way of.
const ATTEMPTS: u32 = 5;

/// Why an import ended before the end of the file. What it had written before stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
    /// There is nothing in it.
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    /// The first line does not name the columns.
    #[error("line {line}: {header}")]
    Header {
        /// Of the file.
        line: u64,
        /// Why.
        header: BadHeader,
    },
    /// The products cannot be written.
    #[error("the products cannot be written")]
    Write(#[source] ProductError),
}

/// Whether there is any product at all, in whatever state.
pub async fn has_products(db: &Db) -> Result<bool, DbError> {
    transfer::has_products(&db.read().await?).await
}

/// Imports the products of a file into the catalogue. Reads it between transactions, and waits for
/// it: the file should be at hand.
pub async fn import_products(
    db: &Db,
    file: impl Read,
    settings: &ImportSettings,
    watch: &mut dyn Watch,
) -> Result<ImportSummary, ImportError> {
    let mut gather = Gather::open(file, settings.currency)?;
    let columns = gather.columns().clone();
    let mut tally = Tally::new(watch, columns.ignored());
    loop {
        let batch = gather.batch(&mut tally)?;
        if batch.is_empty() {
            return Ok(tally.summary);
        }
        let done = settle(db, &batch, &columns, settings).await;
        let plan = done.map_err(ImportError::Write)?;
        tally.settle(&plan);
        tally.progress(gather.position());
    }
}

/// Decides about a batch and writes it, again if somebody has got in the way.
async fn settle(
    db: &Db,
    batch: &[Entry],
    columns: &Columns,
    settings: &ImportSettings,
) -> Result<Plan, ProductError> {
    let mut attempt = 1;
    loop {
        match try_settle(db, batch, columns, settings).await {
            Err(error) if attempt < ATTEMPTS && passing(&error) => attempt += 1,
            settled => return settled,
        }
    }
}

async fn try_settle(
    db: &Db,
    batch: &[Entry],
    columns: &Columns,
    settings: &ImportSettings,
) -> Result<Plan, ProductError> {
    let plan = plan::plan(db, batch, columns, settings).await?;
    if plan.is_empty() || settings.dry_run {
        return Ok(plan);
    }
    let names = columns.locations().to_vec();
    let work = move |tx| async move { write::write(&tx, &plan, &names).await.map(|()| plan) };
    db.write(work).await
}

/// Whether it may go well when it is decided anew.
fn passing(error: &ProductError) -> bool {
    !matches!(error.kind(), Kind::Internal)
}
