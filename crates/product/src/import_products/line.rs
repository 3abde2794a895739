//! One line of the file, read cell by cell; remembers what is wrong with it.

use kernel::Currency;

use super::entry::Cell;
use super::report::Rejection;
use crate::sheet::{Column, Columns, Record, amount};

/// A line that is being read.
pub(super) struct Line<'a> {
    columns: &'a Columns,
    record: &'a Record,
    handle: &'a str,
    wrong: Vec<Rejection>,
    given_up: bool,
}

impl<'a> Line<'a> {
    pub(super) fn of(columns: &'a Columns, record: &'a Record, handle: &'a str) -> Self {
        Self {
            columns,
            record,
            handle,
            wrong: Vec::new(),
            given_up: false,
        }
    }

    pub(super) fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// Where it is in the file.
    pub(super) fn number(&self) -> u64 {
        self.record.line
    }

    pub(super) fn bytes(&self) -> usize {
        self.record.bytes
    }

    /// Whether one of these columns is not empty.
    pub(super) fn says(&self, which: impl Fn(Column) -> bool) -> bool {
        self.columns.says(self.record, which)
    }

    /// The text, empty or not; nothing if there is no such column.
    pub(super) fn text(&self, column: Column) -> Option<String> {
        self.columns.cell(self.record, column).map(str::to_owned)
    }

    pub(super) fn optional(&self, column: Column) -> Cell<String> {
        let text = self.columns.cell(self.record, column)?;
        Some((!text.is_empty()).then(|| text.to_owned()))
    }

    /// What the text says, unless that is wrong.
    pub(super) fn parse<T>(
        &mut self,
        column: Column,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Cell<T> {
        let text = self.columns.cell(self.record, column)?;
        if text.is_empty() {
            return Some(None);
        }
        match read(text) {
            Ok(value) => Some(Some(value)),
            Err(reason) => {
                self.reject(column, format!("`{}`: {reason}", shortened(text)));
                None
            }
        }
    }

    pub(super) fn amount(&mut self, column: Column, currency: Currency) -> Cell<i64> {
        let read = |text: &str| amount::minor_units(text, currency);
        self.parse(column, |text| read(text).map_err(|bad| bad.to_string()))
    }

    pub(super) fn reject(&mut self, column: Column, reason: String) {
        let rejection = self.rejection(Some(column), reason);
        self.wrong.push(rejection);
    }

    /// Rejects the line, and every one of the product that follows, unseen.
    pub(super) fn give_up(&mut self, column: Option<Column>, reason: String) {
        let rejection = self.rejection(column, reason);
        self.wrong.push(rejection);
        self.given_up = true;
    }

    pub(super) fn rejection(&self, column: Option<Column>, reason: String) -> Rejection {
        Rejection {
            line: self.record.line,
            column: column.and_then(|column| self.columns.name(column)),
            handle: Some(self.handle.to_owned()),
            reason,
        }
    }

    pub(super) fn given_up(&self) -> bool {
        self.given_up
    }

    /// What is wrong.
    pub(super) fn finish(self) -> Vec<Rejection> {
        self.wrong
    }
}

/// Enough to recognise it.
fn shortened(text: &str) -> String {
    const ENOUGH: usize = 40;
    let mut letters = text.chars();
    let mut short: String = letters.by_ref().take(ENOUGH).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}
