//! The results of a page: the first ones in some order, after those of the page before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use contracts::product::ProductId;
use kernel::Id;
use serde::{Deserialize, Serialize};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn, TermOrdHit};
use tantivy::{DocId, Score, SegmentReader};
use uuid::Uuid;

use super::index::column;
use super::price::Band;
use super::question::Sort;

/// Where a result stands in the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    key: Key,
    id: Uuid,
}

/// What results are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    /// A score, a time, a price.
    Number(u64),
    /// A name.
    Name(String),
}

impl Place {
    /// What stands there.
    pub(crate) fn product(&self) -> ProductId {
        ProductId::from_uuid(self.id)
    }

    /// Whether results in this order stand at such places.
    pub(crate) fn fits(&self, sort: Sort) -> bool {
        matches!(self.key, Key::Name(_)) == (sort == Sort::Name)
    }
}

/// Collects the first results and counts all.
#[derive(Debug)]
pub(super) struct Top {
    pub(super) sort: Sort,
    pub(super) band: Option<Band>,
    pub(super) after: Option<Place>,
    pub(super) rows: usize,
}

/// The first results, in order, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    pub(super) places: Vec<Place>,
    pub(super) total: u64,
}

impl Sort {
    /// Whether what is high comes first.
    fn falls(self) -> bool {
        matches!(self, Self::Relevance | Self::Newest | Self::PriceDown)
    }
}

impl Collector for Top {
    type Fruit = Ranked;
    type Child = SegmentTop;

    fn for_segment(&self, _: u32, segment: &SegmentReader) -> tantivy::Result<SegmentTop> {
        let columns = segment.fast_fields();
        let keys = match self.sort {
            Sort::Relevance => Keys::Scores,
            Sort::Newest => Keys::Numbers(columns.u64(column::CREATED_AT)?),
            Sort::Name => Keys::Names(columns.str(column::NAME_KEY)?),
            Sort::Price | Sort::PriceDown => Keys::Prices(columns.u64(column::PRICE)?, self.band),
        };
        let falls = self.sort.falls();
        let after = match &self.after {
            Some(place) => Some(keys.begin_after(place, falls)?),
            None => None,
        };
        Ok(SegmentTop {
            ids: (columns.u64(column::ID_HIGH)?, columns.u64(column::ID_LOW)?),
            keys,
            falls,
            after,
            rows: self.rows,
            best: BinaryHeap::with_capacity(self.rows + 1),
            total: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.sort == Sort::Relevance
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Ranked>>) -> tantivy::Result<Ranked> {
        let mut all = Ranked::default();
        for segment in segments {
            let segment = segment?;
            all.total += segment.total;
            all.places.extend(segment.places);
        }
        all.places.sort_unstable();
        if self.sort.falls() {
            all.places.reverse();
        }
        all.places.truncate(self.rows);
        Ok(all)
    }
}

/// Where the keys of a segment's results come from.
enum Keys {
    Scores,
    Numbers(Column<u64>),
    /// By the place of the name among those of the segment.
    Names(Option<StrColumn>),
    Prices(Column<u64>, Option<Band>),
}

/// The higher, the earlier: a key and an id, turned round where what is low comes first.
type Rank = (u64, u128);

/// The first results of a segment.
pub(super) struct SegmentTop {
    ids: (Column<u64>, Column<u64>),
    keys: Keys,
    falls: bool,
    after: Option<Rank>,
    rows: usize,
    /// The lowest on top.
    best: BinaryHeap<Reverse<Rank>>,
    total: u64,
}

fn rank(key: u64, id: u128, falls: bool) -> Rank {
    if falls { (key, id) } else { (!key, !id) }
}

impl SegmentCollector for SegmentTop {
    type Fruit = tantivy::Result<Ranked>;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.total += 1;
        let key = self.keys.of(doc, score);
        // Most results are passed over without a look at their ids.
        let full = self.best.len() == self.rows;
        let lowest = self.best.peek().filter(|_| full).map(|lowest| lowest.0);
        let (ranked, _) = rank(key, 0, self.falls);
        if lowest.is_some_and(|lowest| ranked < lowest.0)
            || self.after.is_some_and(|after| ranked > after.0)
        {
            return;
        }
        let rank = rank(key, self.id(doc), self.falls);
        if self.after.is_some_and(|after| rank >= after)
            || lowest.is_some_and(|lowest| rank <= lowest)
        {
            return;
        }
        if full {
            self.best.pop();
        }
        self.best.push(Reverse(rank));
    }

    fn harvest(self) -> tantivy::Result<Ranked> {
        let mut places = Vec::with_capacity(self.best.len());
        for Reverse(ranked) in self.best {
            let (key, id) = rank(ranked.0, ranked.1, self.falls);
            places.push(Place {
                key: self.keys.name(key)?,
                id: Uuid::from_u128(id),
            });
        }
        Ok(Ranked {
            places,
            total: self.total,
        })
    }
}

impl SegmentTop {
    fn id(&self, doc: DocId) -> u128 {
        let part = |column: &Column<u64>| u128::from(column.first(doc).unwrap_or(0));
        (part(&self.ids.0) << 64) | part(&self.ids.1)
    }
}

impl Keys {
    fn of(&self, doc: DocId, score: Score) -> u64 {
        match self {
            // Scores are whole numbers of at least zero, whose bits are in the same order.
            Self::Scores => u64::from(score.to_bits()),
            Self::Numbers(column) => column.first(doc).unwrap_or(0),
            Self::Names(column) => {
                let place = column.as_ref().and_then(|names| names.ords().first(doc));
                place.unwrap_or(0)
            }
            Self::Prices(column, band) => {
                let amount = |number| band.and_then(|band| band.amount(number));
                let price = column.values_for_doc(doc).find_map(amount);
                price
                    .and_then(|price| u64::try_from(price).ok())
                    .unwrap_or(0)
            }
        }
    }

    /// The key as it is in every segment.
    fn name(&self, key: u64) -> tantivy::Result<Key> {
        let Self::Names(names) = self else {
            return Ok(Key::Number(key));
        };
        let mut name = String::new();
        if let Some(names) = names {
            names.ord_to_str(key, &mut name)?;
        }
        Ok(Key::Name(name))
    }

    /// What results must rank below to come after `place`.
    fn begin_after(&self, place: &Place, falls: bool) -> tantivy::Result<Rank> {
        let id = place.id.as_u128();
        Ok(match (&place.key, self) {
            (Key::Name(name), Self::Names(Some(names))) => {
                match names.dictionary().term_ord_or_next(name)? {
                    TermOrdHit::Exact(own) => rank(own, id, falls),
                    // Nothing here has that name, and everything from the next one on is behind it.
                    TermOrdHit::Next(next) => (rank(next, id, falls).0, u128::MAX),
                }
            }
            (Key::Number(number), _) => rank(*number, id, falls),
            (Key::Name(_), _) => NOTHING_BELOW,
        })
    }
}

const NOTHING_BELOW: Rank = (0, 0);
