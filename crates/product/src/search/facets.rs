//! How many results there are of each kind.

use std::collections::HashMap;

use contracts::product::CategoryId;
use kernel::Id;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{BytesColumn, Column};
use tantivy::{DocId, Score, SegmentReader};
use uuid::Uuid;

use super::index::column;
use super::price::{Band, range};

kernel::text_enum! {
    /// What results can be counted by.
    pub(crate) enum Facet {
        /// What they lie in or below.
        Category = "category",
        Vendor = "vendor",
        Tag = "tag",
        /// Ranges of their lowest prices.
        Price = "price",
        InStock = "in_stock",
    }
}

/// Kinds that are told of each facet: those with most results.
const MOST_KINDS: usize = 50;

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

/// The kinds of one facet, as the index has them: bytes of a text or id, or a number.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Bytes(Vec<u8>),
    Number(i64),
}

type Counted = Vec<(Facet, HashMap<Kind, u64>)>;

impl Collector for FacetCollector {
    type Fruit = FacetCounts;
    type Child = SegmentFacets;

    fn for_segment(&self, _: u32, segment: &SegmentReader) -> tantivy::Result<SegmentFacets> {
        let columns = segment.fast_fields();
        let mut counters = Vec::with_capacity(self.facets.len());
        for facet in &self.facets {
            let text = |name| {
                columns
                    .str(name)
                    .map(|column| column.map(BytesColumn::from))
            };
            let counter = match facet {
                Facet::Category => Counter::terms(columns.bytes(column::CATEGORY)?),
                Facet::Vendor => Counter::terms(text(column::VENDOR)?),
                Facet::Tag => Counter::terms(text(column::TAG)?),
                Facet::InStock => Counter::InStock(columns.bool(column::IN_STOCK)?, [0; 2]),
                Facet::Price => Counter::Prices {
                    column: columns.u64(column::PRICE)?,
                    band: self.band,
                    counts: HashMap::new(),
                },
            };
            counters.push((*facet, counter));
        }
        Ok(SegmentFacets(counters))
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(
        &self,
        segments: Vec<tantivy::Result<Counted>>,
    ) -> tantivy::Result<FacetCounts> {
        let mut all: HashMap<Facet, HashMap<Kind, u64>> = HashMap::new();
        for facet in &self.facets {
            all.entry(*facet).or_default();
        }
        for segment in segments {
            for (facet, counts) in segment? {
                let sums = all.entry(facet).or_default();
                for (kind, count) in counts {
                    *sums.entry(kind).or_default() += count;
                }
            }
        }
        let mut most = |facet| all.remove(&facet).map(most);
        Ok(FacetCounts {
            category: most(Facet::Category).map(|kinds| each(kinds, as_category)),
            vendor: most(Facet::Vendor).map(|kinds| each(kinds, as_text)),
            tag: most(Facet::Tag).map(|kinds| each(kinds, as_text)),
            in_stock: most(Facet::InStock)
                .map(|kinds| each(kinds, |kind| Some(kind == Kind::Number(1)))),
            price: most(Facet::Price).map(|kinds| {
                let mut ranges = each(kinds, as_range);
                ranges.sort_unstable();
                ranges
            }),
        })
    }
}

/// The kinds with most results, those first.
fn most(counts: HashMap<Kind, u64>) -> Counts<Kind> {
    let mut counts: Counts<Kind> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(MOST_KINDS);
    counts
}

fn each<K>(kinds: Counts<Kind>, read: impl Fn(Kind) -> Option<K>) -> Counts<K> {
    let read = |(kind, count)| Some((read(kind)?, count));
    kinds.into_iter().filter_map(read).collect()
}

fn as_category(kind: Kind) -> Option<CategoryId> {
    match kind {
        Kind::Bytes(bytes) => Some(CategoryId::from_uuid(Uuid::from_slice(&bytes).ok()?)),
        Kind::Number(_) => None,
    }
}

fn as_text(kind: Kind) -> Option<String> {
    match kind {
        Kind::Bytes(bytes) => String::from_utf8(bytes).ok(),
        Kind::Number(_) => None,
    }
}

fn as_range(kind: Kind) -> Option<(i64, i64)> {
    match kind {
        Kind::Number(amount) => Some(range(amount).into_inner()),
        Kind::Bytes(_) => None,
    }
}

/// What is counted in a segment.
pub(super) struct SegmentFacets(Vec<(Facet, Counter)>);

enum Counter {
    /// By the place of the term among those of the segment.
    Terms {
        column: BytesColumn,
        counts: Vec<u64>,
    },
    /// No document of the segment has one.
    Nothing,
    Prices {
        column: Column<u64>,
        band: Option<Band>,
        /// By where the range begins.
        counts: HashMap<i64, u64>,
    },
    InStock(Column<bool>, [u64; 2]),
}

impl Counter {
    fn terms(column: Option<BytesColumn>) -> Self {
        column.map_or(Self::Nothing, |column| Self::Terms {
            counts: vec![0; column.num_terms()],
            column,
        })
    }

    fn count(&mut self, doc: DocId) {
        match self {
            Self::Nothing => {}
            Self::Terms { column, counts } => {
                for term in column.term_ords(doc) {
                    let count = usize::try_from(term)
                        .ok()
                        .and_then(|term| counts.get_mut(term));
                    count.into_iter().for_each(|count| *count += 1);
                }
            }
            Self::Prices {
                column,
                band,
                counts,
            } => {
                let amount = |number| band.and_then(|band| band.amount(number));
                if let Some(amount) = column.values_for_doc(doc).find_map(amount) {
                    *counts.entry(*range(amount).start()).or_default() += 1;
                }
            }
            Self::InStock(column, counts) => {
                counts[usize::from(column.first(doc).unwrap_or(false))] += 1;
            }
        }
    }

    fn harvest(self) -> tantivy::Result<HashMap<Kind, u64>> {
        let mut counted = HashMap::new();
        match self {
            Self::Nothing => {}
            Self::Terms { column, counts } => {
                let found = (0..).zip(counts).filter(|(_, count)| *count > 0);
                let (terms, counts): (Vec<u64>, Vec<u64>) = found.unzip();
                let mut counts = counts.into_iter();
                column.dictionary().sorted_ords_to_term_cb(&terms, |term| {
                    let count = counts.next().unwrap_or_default();
                    counted.insert(Kind::Bytes(term.to_vec()), count);
                })?;
            }
            Self::Prices { counts, .. } => {
                let ranges = counts.into_iter();
                counted.extend(ranges.map(|(from, count)| (Kind::Number(from), count)));
            }
            Self::InStock(_, counts) => {
                let found = (0..).zip(counts).filter(|(_, count)| *count > 0);
                counted.extend(found.map(|(value, count)| (Kind::Number(value), count)));
            }
        }
        Ok(counted)
    }
}

impl SegmentCollector for SegmentFacets {
    type Fruit = tantivy::Result<Counted>;

    fn collect(&mut self, doc: DocId, _: Score) {
        for (_, counter) in &mut self.0 {
            counter.count(doc);
        }
    }

    fn harvest(self) -> tantivy::Result<Counted> {
        let counted = |(facet, counter): (Facet, Counter)| Ok((facet, counter.harvest()?));
        self.0.into_iter().map(counted).collect()
    }
}
