//! What an import tells: each line that it rejects, how far it is, and what came of it.

use kernel::Currency;
use serde::Serialize;

use super::plan::Plan;

kernel::text_enum! {
    /// Which variants get their stock from the file.
    pub enum ImportStock {
        /// Those that are new: what was sold since is not put back by a second run.
        New = "new",
        /// All: what lies on the shelves becomes what the file says.
        Set = "set",
    }
}

/// How a file is imported.
#[derive(Debug, Clone, Copy)]
pub struct ImportSettings {
    /// The currency of the price columns that name none.
    pub currency: Currency,
    /// Which variants get their stock from the file.
    pub stock: ImportStock,
    /// Only tells what would happen.
    pub dry_run: bool,
}

/// Why a product was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Of the file; the header is the first.
    pub line: u64,
    /// What the file calls the column, if it is one that is wrong.
    pub column: Option<String>,
    /// The handle of the product, if it is known.
    pub handle: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// What came of an import, or of its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Lines with something in them, without the header.
    pub lines: u64,
    /// Products that are new.
    pub added: u64,
    /// Products that were changed.
    pub changed: u64,
    /// Products that are as the file says already.
    pub unchanged: u64,
    /// Products that were left out.
    pub rejected: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
    /// How often what lies at a location was set.
    pub stock_set: u64,
    /// Columns that nothing is made of.
    pub ignored_columns: Vec<String>,
}

/// Whoever wants to know while the import runs.
pub trait Watch {
    /// A product is left out. There may be several reasons, and a call for each.
    fn rejected(&mut self, rejection: &Rejection);
    /// So many bytes of the file were done with; what was read of them is kept.
    fn progress(&mut self, bytes: u64, so_far: &ImportSummary);
}

/// Counts and passes on.
pub(super) struct Tally<'a> {
    watch: &'a mut dyn Watch,
    pub(super) summary: ImportSummary,
}

impl<'a> Tally<'a> {
    pub(super) fn new(watch: &'a mut dyn Watch, ignored: &[String]) -> Self {
        let summary = ImportSummary {
            ignored_columns: ignored.to_vec(),
            ..ImportSummary::default()
        };
        Self { watch, summary }
    }

    /// What came of a batch.
    pub(super) fn settle(&mut self, plan: &Plan) {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        self.summary.added += count(plan.adds.len());
        self.summary.changed += count(plan.changes.len());
        self.summary.unchanged += plan.unchanged;
        self.summary.rejected += plan.rejected;
        self.summary.stock_set += count(plan.counts.len());
        for rejection in &plan.rejections {
            self.reject(rejection);
        }
    }

    pub(super) fn reject(&mut self, rejection: &Rejection) {
        self.watch.rejected(rejection);
    }

    pub(super) fn progress(&mut self, bytes: u64) {
        self.watch.progress(bytes, &self.summary);
    }
}
