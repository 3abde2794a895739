//! The index itself: its fields, writing to it, and what it holds at one moment.

use std::collections::HashSet;
use std::fmt;

use kernel::Id;
use tantivy::indexer::{AddOperation, IndexWriterOptions, LogMergePolicy, SegmentWriter};
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, Schema, SchemaBuilder,
    TextFieldIndexing, TextOptions,
};
use tantivy::{
    Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, Segment, SegmentMeta,
    SegmentReader, TantivyDocument, Term,
};
use uuid::Uuid;

use super::entry::Entry;

/// Columns, by the names that segments know them by.
pub(super) mod column {
    pub(crate) const ID_HIGH: &str = "id_high";
    pub(crate) const ID_LOW: &str = "id_low";
    pub(crate) const CATEGORY: &str = "category";
    pub(crate) const VENDOR: &str = "vendor";
    pub(crate) const TAG: &str = "tag";
    pub(crate) const PRICE: &str = "price";
    pub(crate) const IN_STOCK: &str = "in_stock";
    pub(crate) const CREATED_AT: &str = "created_at";
    pub(crate) const NAME_KEY: &str = "name_key";
}

/// The fields of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    id: Field,
    id_high: Field,
    id_low: Field,
    pub(super) title: Field,
    pub(super) labels: Field,
    pub(super) description: Field,
    pub(super) whole: Field,
    pub(super) category: Field,
    pub(super) vendor: Field,
    pub(super) tag: Field,
    pub(super) price: Field,
    pub(super) in_stock: Field,
    created_at: Field,
    name_key: Field,
}

impl Fields {
    /// Nothing is stored and nothing is scored by how often it is there: results are read from the
    /// database, and are in the same order in every instance, whatever was deleted in its index.
    fn new(schema: &mut SchemaBuilder) -> Self {
        let indexing = |tokenizer: &str| {
            TextFieldIndexing::default()
                .set_tokenizer(tokenizer)
                .set_index_option(IndexRecordOption::Basic)
                .set_fieldnorms(false)
        };
        let words = TextOptions::default().set_indexing_options(indexing("whitespace"));
        let exact = TextOptions::default().set_indexing_options(indexing("raw"));
        let key = TextOptions::default().set_fast("raw");
        let bytes = BytesOptions::default().set_indexed();
        Self {
            id: schema.add_bytes_field("id", bytes.clone()),
            id_high: schema.add_u64_field(column::ID_HIGH, FAST),
            id_low: schema.add_u64_field(column::ID_LOW, FAST),
            title: schema.add_text_field("title", words.clone()),
            labels: schema.add_text_field("labels", words.clone()),
            description: schema.add_text_field("description", words),
            whole: schema.add_text_field("whole", exact.clone()),
            category: schema.add_bytes_field(column::CATEGORY, bytes.set_fast()),
            vendor: schema.add_text_field(column::VENDOR, exact.clone().set_fast("raw")),
            tag: schema.add_text_field(column::TAG, exact.set_fast("raw")),
            price: schema.add_u64_field(column::PRICE, FAST),
            in_stock: schema.add_bool_field(column::IN_STOCK, FAST | INDEXED),
            created_at: schema.add_u64_field(column::CREATED_AT, FAST),
            name_key: schema.add_text_field(column::NAME_KEY, key),
        }
    }

    fn document(&self, entry: &Entry) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        let (high, low) = entry.id.as_u64_pair();
        document.add_bytes(self.id, entry.id.as_bytes());
        document.add_u64(self.id_high, high);
        document.add_u64(self.id_low, low);
        document.add_text(self.title, &entry.title);
        document.add_text(self.labels, &entry.labels);
        document.add_text(self.description, &entry.description);
        for whole in &entry.whole {
            document.add_text(self.whole, whole);
        }
        for category in &entry.categories {
            document.add_bytes(self.category, category.uuid().as_bytes());
        }
        if let Some(vendor) = &entry.vendor {
            document.add_text(self.vendor, vendor);
        }
        for tag in &entry.tags {
            document.add_text(self.tag, tag);
        }
        for price in &entry.prices {
            document.add_u64(self.price, *price);
        }
        document.add_bool(self.in_stock, entry.in_stock);
        document.add_u64(self.created_at, entry.created_at);
        document.add_text(self.name_key, &entry.name_key);
        document
    }
}

/// An index in memory. Cheap to clone.
#[derive(Clone)]
pub(super) struct ProductIndex {
    pub(super) fields: Fields,
    index: Index,
    reader: IndexReader,
}

impl ProductIndex {
    /// An index without entries.
    pub(super) fn empty() -> tantivy::Result<Self> {
        let mut schema = Schema::builder();
        let fields = Fields::new(&mut schema);
        // Nothing is stored, so there is nothing to compress.
        let settings = IndexSettings {
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let builder = Index::builder().schema(schema.build());
        let index = builder.settings(settings).create_in_ram()?;
        let reader = index.reader_builder();
        let reader = reader.reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self {
            fields,
            index,
            reader,
        })
    }

    /// What it holds now. Searches that have begun are not disturbed by what is written meanwhile.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Begins to write; there can be one writer at a time.
    pub(super) fn write(&self) -> tantivy::Result<Writing> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = self.index.writer_with_options(options)?;
        let mut merging = LogMergePolicy::default();
        merging.set_min_layer_size(SMALL_SEGMENT);
        merging.set_del_docs_ratio_before_merge(DELETED_BEFORE_MERGE);
        writer.set_merge_policy(Box::new(merging));
        let segments = !self.index.searchable_segment_ids()?.is_empty();
        Ok(Writing {
            index: self.clone(),
            writer,
            segments,
            open: None,
            removed: HashSet::new(),
        })
    }
}

/// Documents of a segment that is merged with others as small as it is.
const SMALL_SEGMENT: u32 = 1_000;
/// The part of a segment that may be deleted.
const DELETED_BEFORE_MERGE: f32 = 0.3;

impl fmt::Debug for ProductIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProductIndex({} entries)", self.searcher().num_docs())
    }
}

/// Changes that nobody sees yet.
///
/// Segments are written by those who add to them. The library's own threads would do it, behind a
/// queue of ten thousand documents, with tables that are larger than the index of a small shop and
/// that an allocator does not give back; so they only merge.
pub(super) struct Writing {
    index: ProductIndex,
    writer: IndexWriter,
    /// Whether there is anything to remove entries from.
    segments: bool,
    /// The segment that is added to.
    open: Option<OpenSegment>,
    /// Products whose entries have to go from the other segments.
    removed: HashSet<Uuid>,
}

struct OpenSegment {
    segment: Segment,
    writer: SegmentWriter,
    products: HashSet<Uuid>,
}

/// Decides how large the table of terms is to begin with.
const TERMS_BUDGET: usize = 1_000_000;
/// Bytes in memory at which a segment is full: some hundred thousand products.
const FULL: usize = 160_000_000;

impl Writing {
    /// Adds entries whose products have none.
    pub(super) fn add(&mut self, entries: &[Entry]) -> tantivy::Result<()> {
        for entry in entries {
            let open = match self.open.take() {
                Some(open) => open,
                None => OpenSegment::begin(&self.index.index)?,
            };
            let open = self.open.insert(open);
            open.products.insert(entry.id);
            open.writer.add_document(AddOperation {
                opstamp: 0,
                document: self.index.fields.document(entry),
            })?;
            if open.writer.mem_usage() >= FULL {
                self.close()?;
            }
        }
        Ok(())
    }

    /// Takes away the entries that products have.
    pub(super) fn remove(&mut self, products: &[Uuid]) -> tantivy::Result<()> {
        let open = self.open.as_ref();
        if open.is_some_and(|open| products.iter().any(|id| open.products.contains(id))) {
            self.close()?;
        }
        self.removed.extend(products);
        Ok(())
    }

    /// Puts the open segment with the others, from which entries are removed before: they must not
    /// go from the new one.
    fn close(&mut self) -> tantivy::Result<()> {
        if self.segments && !self.removed.is_empty() {
            for product in &self.removed {
                let id = Term::from_field_bytes(self.index.fields.id, product.as_bytes());
                self.writer.delete_term(id);
            }
            self.writer.commit()?;
        }
        self.removed.clear();
        if let Some(open) = self.open.take() {
            self.writer.add_segment(open.finish()?)?;
            self.segments = true;
        }
        Ok(())
    }

    /// Lets everybody see the changes.
    pub(super) fn publish(&mut self) -> tantivy::Result<()> {
        self.close()?;
        self.writer.commit()?;
        self.index.reader.reload()
    }

    /// Waits until segments are merged; nothing goes on when this returns.
    pub(super) fn finish(self) -> tantivy::Result<()> {
        self.writer.wait_merging_threads()?;
        let reader = &self.index.reader;
        let segments = self.index.index.searchable_segment_ids()?;
        let seen = reader.searcher();
        let seen = seen.segment_readers().iter().map(SegmentReader::segment_id);
        if seen.eq(segments) {
            Ok(())
        } else {
            reader.reload()
        }
    }
}

impl OpenSegment {
    fn begin(index: &Index) -> tantivy::Result<Self> {
        let segment = index.new_segment();
        let writer = SegmentWriter::for_segment(TERMS_BUDGET, segment.clone())?;
        Ok(Self {
            segment,
            writer,
            products: HashSet::new(),
        })
    }

    fn finish(self) -> tantivy::Result<SegmentMeta> {
        let documents = self.writer.max_doc();
        self.writer.finalize()?;
        let segment = self.segment.with_max_doc(documents);
        segment.meta().untrack_temp_docstore();
        Ok(segment.meta().clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::search::{Filter, Question, Sort, Words};

    fn entry(id: Uuid, title: String) -> Entry {
        Entry {
            id,
            name_key: title.clone(),
            title,
            labels: String::new(),
            description: String::new(),
            whole: Vec::new(),
            categories: Vec::new(),
            vendor: None,
            tags: Vec::new(),
            prices: Vec::new(),
            in_stock: true,
            created_at: 0,
        }
    }

    fn found(index: &ProductIndex, text: &str) -> Vec<Uuid> {
        let question = Question {
            words: Words::of(text),
            filter: Filter::default(),
            sort: Sort::Newest,
            after: None,
            rows: 100,
            facets: Vec::new(),
        };
        let found = index.find(&question).expect("an answer");
        let products = found.places.iter().map(|place| place.product().uuid());
        products.collect()
    }

    /// Products, and whether each has an entry afterwards.
    type Batch = Vec<(u8, bool)>;

    fn sessions() -> impl Strategy<Value = Vec<Vec<Batch>>> {
        let batch = prop::collection::vec((0..6_u8, any::<bool>()), 0..5);
        prop::collection::vec(prop::collection::vec(batch, 0..4), 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Entries are replaced, whether the old ones are published, closed or just added.
        #[test]
        fn an_index_holds_the_last_entry_of_each_product(
            sessions in sessions(),
        ) {
            let index = ProductIndex::empty().expect("an index");
            let (mut expected, mut version) = (BTreeMap::new(), 100);
            for session in sessions {
                let mut writing = index.write().expect("a writer");
                for batch in session {
                    let batch: BTreeMap<u8, bool> = batch.into_iter().collect();
                    let id = |id: &u8| Uuid::from_u128(u128::from(*id) + 1);
                    let ids: Vec<Uuid> = batch.keys().map(id).collect();
                    writing.remove(&ids).expect("removed");
                    for (product, stays) in &batch {
                        expected.remove(&id(product));
                        if *stays {
                            version += 1;
                            let title = format!("v{version}");
                            writing.add(&[entry(id(product), title.clone())]).expect("added");
                            expected.insert(id(product), title);
                        }
                    }
                }
                writing.publish().expect("published");
                writing.finish().expect("finished");
                let all: Vec<Uuid> = expected.keys().rev().copied().collect();
                prop_assert_eq!(found(&index, ""), all);
                for (id, title) in &expected {
                    prop_assert_eq!(found(&index, title), vec![*id]);
                }
            }
        }
    }
}
