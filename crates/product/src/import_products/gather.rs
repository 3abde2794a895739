//! Gathers the lines of a file into products, and products into batches, in constant memory: what
//! is not written yet, and sixteen bytes for each handle and SKU, to notice those that come back.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};

use kernel::Currency;

use super::ImportError;
use super::entry::Entry;
use super::line::Line;
use super::report::{Rejection, Tally};
use crate::sheet::{BadHeader, Column, Columns, Record, Records};

/// How much is written in one transaction.
const BATCH_PRODUCTS: usize = 200;
const BATCH_BYTES: usize = 1024 * 1024;

/// The products of a file, in its order.
pub(super) struct Gather<R> {
    records: Records<R>,
    columns: Columns,
    handles: Seen,
    skus: Seen,
    /// The product that the next line may belong to.
    current: Option<Draft>,
    /// The product of a line that could not be read, if that was not the current one; empty if the
    /// line names none.
    spoilt: Option<String>,
}

/// A product whose lines are being read.
struct Draft {
    entry: Entry,
    rejected: bool,
    /// What its other lines say does not matter any more.
    given_up: bool,
}

impl<R: Read> Gather<R> {
    /// Reads the header.
    pub(super) fn open(input: R, currency: Currency) -> Result<Self, ImportError> {
        let mut records = Records::new(input);
        let header = loop {
            match records.read()? {
                None => return Err(ImportError::Empty),
                Some(Ok(record)) if is_blank(&record) => {}
                Some(Ok(record)) => break record,
                Some(Err(unreadable)) => {
                    let line = unreadable.line;
                    let header = BadHeader::Unreadable(unreadable.flaw.to_string());
                    return Err(ImportError::Header { line, header });
                }
            }
        };
        let columns = Columns::read(&header, currency).map_err(|bad| ImportError::Header {
            line: header.line,
            header: bad,
        })?;
        Ok(Self {
            records,
            columns,
            handles: Seen::default(),
            skus: Seen::default(),
            current: None,
            spoilt: None,
        })
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// How much of the file was read.
    pub(super) fn position(&self) -> u64 {
        self.records.position()
    }

    /// The products that are written together next; none at the end of the file.
    pub(super) fn batch(&mut self, tally: &mut Tally<'_>) -> io::Result<Vec<Entry>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_PRODUCTS && bytes < BATCH_BYTES {
            let Some(entry) = self.entry(tally)? else {
                break;
            };
            bytes += entry.bytes;
            batch.push(entry);
        }
        Ok(batch)
    }

    /// The next product of which every line can be read.
    fn entry(&mut self, tally: &mut Tally<'_>) -> io::Result<Option<Entry>> {
        loop {
            let done = match self.records.read()? {
                None => return Ok(self.close(tally)),
                Some(Ok(record)) if is_blank(&record) => None,
                Some(Ok(record)) => {
                    tally.summary.lines += 1;
                    self.line(&record, tally)
                }
                Some(Err(unreadable)) => {
                    tally.summary.lines += 1;
                    let rejection = Rejection {
                        line: unreadable.line,
                        // The flaw is in the field after those that could be read.
                        column: self.columns.name_at(unreadable.fields.len()),
                        handle: self.handle(&unreadable.fields),
                        reason: unreadable.flaw.to_string(),
                    };
                    self.spoil(rejection, tally);
                    None
                }
            };
            if done.is_some() {
                return Ok(done);
            }
        }
    }

    /// Adds a line; returns the product that it ends.
    fn line(&mut self, record: &Record, tally: &mut Tally<'_>) -> Option<Entry> {
        let (count, expected) = (record.fields.len(), self.columns.count());
        let handle = self.handle(&record.fields);
        let reason = if count == expected {
            String::from("the line names no product")
        } else {
            format!("the line has {count} fields, the first line {expected}")
        };
        let handle = match handle {
            Some(handle) if count == expected => handle,
            handle => {
                let rejection = Rejection {
                    line: record.line,
                    column: None,
                    handle,
                    reason,
                };
                self.spoil(rejection, tally);
                return None;
            }
        };
        let mut line = Line::of(&self.columns, record, &handle);
        if let Some(draft) = &mut self.current
            && draft.entry.handle == handle
        {
            draft.add(line, &mut self.skus, tally);
            return None;
        }
        let spoilt = self.spoilt.take();
        let spoilt = spoilt.is_some_and(|owner| owner.is_empty() || owner == handle);
        let before = self.handles.note(&handle, record.line);
        // Without the line that cannot be read, the others would look worse than they are.
        let given_up = spoilt || before.is_some();
        let mut next = Draft {
            entry: Entry::begin(&handle, &mut line),
            rejected: given_up,
            given_up,
        };
        if let Some(before) = before.filter(|_| !spoilt) {
            let reason = format!(
                "the product was in line {before} already; its lines must follow each other"
            );
            tally.reject(&line.rejection(Some(Column::Handle), reason));
        }
        next.add(line, &mut self.skus, tally);
        let done = self.close(tally);
        self.current = Some(next);
        done
    }

    /// The current product, unless one of its lines was rejected.
    fn close(&mut self, tally: &mut Tally<'_>) -> Option<Entry> {
        let Draft {
            mut entry,
            rejected,
            ..
        } = self.current.take()?;
        if rejected {
            tally.summary.rejected += 1;
            return None;
        }
        entry.finish();
        Some(entry)
    }

    /// The product that a line names.
    fn handle(&self, fields: &[String]) -> Option<String> {
        let handle = self.columns.field(fields, Column::Handle);
        let handle = handle.filter(|handle| !handle.is_empty());
        handle.map(str::to_owned)
    }

    /// A line that cannot be read costs its product: without the line it would be another one.
    fn spoil(&mut self, mut rejection: Rejection, tally: &mut Tally<'_>) {
        let current = self.current.as_mut();
        match &rejection.handle {
            None => {
                current.into_iter().for_each(|draft| draft.rejected = true);
                self.spoilt = Some(String::new());
                let reason = &mut rejection.reason;
                reason.push_str("; the products before and after it are left out as well");
            }
            Some(handle) => match current.filter(|draft| draft.entry.handle == *handle) {
                Some(draft) => draft.rejected = true,
                None => {
                    self.handles.note(handle, rejection.line);
                    self.spoilt = Some(handle.clone());
                }
            },
        }
        tally.summary.unreadable += 1;
        tally.reject(&rejection);
    }
}

impl Draft {
    fn add(&mut self, mut line: Line<'_>, skus: &mut Seen, tally: &mut Tally<'_>) {
        if self.given_up {
            return;
        }
        self.entry.bytes += line.bytes();
        self.entry.add(&mut line);
        note_sku(&mut line, skus);
        self.given_up = line.given_up();
        for rejection in line.finish() {
            self.rejected = true;
            tally.reject(&rejection);
        }
    }
}

fn note_sku(line: &mut Line<'_>, skus: &mut Seen) {
    if let Some(sku) = line.text(Column::Sku).filter(|sku| !sku.is_empty())
        && let Some(before) = skus.note(&sku, line.number())
    {
        line.reject(
            Column::Sku,
            format!("the SKU `{sku}` is in line {before} already"),
        );
    }
}

fn is_blank(record: &Record) -> bool {
    record.fields.iter().all(|field| field.trim().is_empty())
}

/// Where texts were seen first. Only a fingerprint of each is kept.
#[derive(Default)]
struct Seen {
    lines: HashMap<u64, u32>,
    fingerprints: RandomState,
}

impl Seen {
    /// Notes a text; the line that it was in before, if there is one.
    fn note(&mut self, text: &str, line: u64) -> Option<u32> {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let before = self.lines.entry(self.fingerprints.hash_one(text));
        match before {
            Place::Occupied(before) => Some(*before.get()),
            Place::Vacant(place) => {
                place.insert(line);
                None
            }
        }
    }
}
