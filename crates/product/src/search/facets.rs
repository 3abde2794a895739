//! How many results there are of each kind.
//!
//! Each segment counts by numbers: the places of terms among its own terms, ranges of prices, yes
//! and no. Only what was counted is spelled out in the end.

use std::collections::HashMap;

use contracts::product::CategoryId;
use kernel::Id;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{BytesColumn, Column};
use tantivy::{DocId, Score, SegmentReader};
use uuid::Uuid;

use super::index::column;
use super::price::{self, Band};

kernel::text_enum! {
    /// What results can be counted by.
    pub(crate) enum Facet {
        /// What they lie in or below.
        Category = "category",
        /// Who makes them.
        Vendor = "vendor",
        /// Each of their tags.
        Tag = "tag",
        /// Ranges of their lowest prices.
        Price = "price",
        /// Whether they can be bought now.
        InStock = "in_stock",
    }
}

/// Kinds that are told of each facet: those with most results.
const MOST_KINDS: usize = 50;
/// Results that are looked up together.
const BLOCK: usize = 256;

/// How many results are of a kind.
pub(crate) type Counts<K> = Vec<(K, u64)>;

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FacetCounts {
    pub(crate) category: Option<Counts<CategoryId>>,
    pub(crate) vendor: Option<Counts<String>>,
    pub(crate) tag: Option<Counts<String>>,
    /// By the lowest and the highest price of the range, in order.
    pub(crate) price: Option<Counts<(i64, i64)>>,
    pub(crate) in_stock: Option<Counts<bool>>,
}

/// Counts all results.
#[derive(Debug)]
pub(super) struct FacetCollector {
    pub(super) facets: Vec<Facet>,
    pub(super) band: Option<Band>,
}

impl Collector for FacetCollector {
    type Fruit = FacetCounts;
    type Child = SegmentFacets;

    fn for_segment(&self, _: u32, segment: &SegmentReader) -> tantivy::Result<SegmentFacets> {
        let counters = self.facets.iter();
        let counters = counters.map(|facet| Counter::of(*facet, self.band, segment));
        Ok(SegmentFacets {
            counters: counters.collect::<tantivy::Result<_>>()?,
            block: Vec::with_capacity(BLOCK),
            scratch: Scratch::default(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<Vec<Counter>>) -> tantivy::Result<FacetCounts> {
        let mut counted = FacetCounts::default();
        for (index, facet) in self.facets.iter().enumerate() {
            let counters = segments.iter().filter_map(|counters| counters.get(index));
            match facet {
                Facet::Category => {
                    let id = |bytes: &[u8]| Uuid::from_slice(bytes).ok().map(CategoryId::from_uuid);
                    counted.category = Some(terms(counters, id)?);
                }
                Facet::Vendor => counted.vendor = Some(terms(counters, text)?),
                Facet::Tag => counted.tag = Some(terms(counters, text)?),
                Facet::Price => {
                    let range = |number| price::range(number).into_inner();
                    counted.price = Some(numbers(counters, range));
                }
                Facet::InStock => {
                    let mut counts = numbers(counters, |number| number == 1);
                    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                    counted.in_stock = Some(counts);
                }
            }
        }
        Ok(counted)
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// The terms with most results, over all segments.
fn terms<'a, K: Ord>(
    segments: impl Iterator<Item = &'a Counter>,
    read: impl Fn(&[u8]) -> Option<K>,
) -> tantivy::Result<Counts<K>> {
    let mut sums: HashMap<Vec<u8>, u64> = HashMap::new();
    for counter in segments {
        let Numbers::Terms(terms) = &counter.numbers else {
            continue;
        };
        let found = (0..).zip(&counter.counts).filter(|(_, count)| **count > 0);
        let (places, counts): (Vec<u64>, Vec<u64>) = found.map(|(at, count)| (at, *count)).unzip();
        let mut counts = counts.into_iter();
        terms.dictionary().sorted_ords_to_term_cb(&places, |term| {
            let count = counts.next().unwrap_or_default();
            match sums.get_mut(term) {
                Some(sum) => *sum += count,
                None => drop(sums.insert(term.to_vec(), count)),
            }
        })?;
    }
    let read = |(term, count): (Vec<u8>, u64)| Some((read(&term)?, count));
    let mut kinds: Counts<K> = sums.into_iter().filter_map(read).collect();
    kinds.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    kinds.truncate(MOST_KINDS);
    Ok(kinds)
}

/// What is the same number in every segment, in order.
fn numbers<'a, K>(
    segments: impl Iterator<Item = &'a Counter>,
    read: impl Fn(usize) -> K,
) -> Counts<K> {
    let mut sums = [0; price::RANGES];
    for counter in segments {
        for (sum, count) in sums.iter_mut().zip(&counter.counts) {
            *sum += count;
        }
    }
    let found = sums.into_iter().enumerate().filter(|(_, sum)| *sum > 0);
    found.map(|(number, sum)| (read(number), sum)).collect()
}

/// Counts one facet of the results of a segment.
pub(super) struct Counter {
    numbers: Numbers,
    column: Column<u64>,
    counts: Vec<u64>,
}

/// What is counted of a column.
enum Numbers {
    /// The places of terms.
    Terms(BytesColumn),
    /// The ranges of prices in one currency.
    Prices(Option<Band>),
    /// No and yes.
    Flags,
}

impl Counter {
    fn of(facet: Facet, band: Option<Band>, segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let text = |name| {
            columns
                .str(name)
                .map(|column| column.map(BytesColumn::from))
        };
        let terms = match facet {
            Facet::Category => columns.bytes(column::CATEGORY)?,
            Facet::Vendor => text(column::VENDOR)?,
            Facet::Tag => text(column::TAG)?,
            Facet::Price => {
                return Ok(Self {
                    numbers: Numbers::Prices(band),
                    column: columns.u64(column::PRICE)?,
                    counts: vec![0; price::RANGES],
                });
            }
            Facet::InStock => {
                return Ok(Self {
                    numbers: Numbers::Flags,
                    column: columns.bool(column::IN_STOCK)?.to_u64_monotonic(),
                    counts: vec![0; 2],
                });
            }
        };
        // A segment in which nothing has one has no such column.
        let terms = terms.unwrap_or_else(|| BytesColumn::empty(segment.max_doc()));
        Ok(Self {
            column: terms.ords().clone(),
            counts: vec![0; terms.num_terms()],
            numbers: Numbers::Terms(terms),
        })
    }

    fn count(&mut self, docs: &[DocId], scratch: &mut Scratch) {
        scratch.docs.clear();
        scratch.rows.clear();
        self.column
            .row_ids_for_docs(docs, &mut scratch.docs, &mut scratch.rows);
        scratch.values.resize(scratch.rows.len(), 0);
        self.column
            .values
            .get_vals(&scratch.rows, &mut scratch.values);
        for value in &scratch.values {
            let number = match self.numbers {
                Numbers::Prices(band) => {
                    let amount = band.and_then(|band| band.amount(*value));
                    amount.map(price::range_number)
                }
                Numbers::Terms(_) | Numbers::Flags => usize::try_from(*value).ok(),
            };
            if let Some(count) = number.and_then(|number| self.counts.get_mut(number)) {
                *count += 1;
            }
        }
    }
}

/// Counts the results of a segment, a block at a time.
pub(super) struct SegmentFacets {
    counters: Vec<Counter>,
    block: Vec<DocId>,
    scratch: Scratch,
}

/// Room for the values of a block.
#[derive(Default)]
struct Scratch {
    docs: Vec<DocId>,
    rows: Vec<u32>,
    values: Vec<u64>,
}

impl SegmentFacets {
    fn count_block(&mut self) {
        for counter in &mut self.counters {
            counter.count(&self.block, &mut self.scratch);
        }
        self.block.clear();
    }
}

impl SegmentCollector for SegmentFacets {
    type Fruit = Vec<Counter>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.block.push(doc);
        if self.block.len() == BLOCK {
            self.count_block();
        }
    }

    fn harvest(mut self) -> Vec<Counter> {
        self.count_block();
        self.counters
    }
}
