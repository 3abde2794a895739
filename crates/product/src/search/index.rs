//! The index itself: its fields, writing to it, and what it holds at one moment.

use std::fmt;

use kernel::Id;
use tantivy::directory::RamDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, Schema, SchemaBuilder,
    TextFieldIndexing, TextOptions,
};
use tantivy::{
    Index, IndexBuilder, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher,
    SegmentReader, SingleSegmentIndexWriter, TantivyDocument, Term,
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
    fn of(index: Index, fields: Fields) -> tantivy::Result<Self> {
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

    /// Begins to write. The writer's memory and threads last as long as it does; there can be one
    /// at a time.
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
        Ok(Writing {
            index: self.clone(),
            writer,
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

/// An index that is built from nothing. Its first segment is written without the threads and
/// queues of a writer, which would be several times as large as the index of a small shop; most
/// shops have no other segment.
pub(super) enum Filling {
    /// A segment must not be empty.
    Nothing,
    /// What was added fits into one segment.
    First(Box<SingleSegmentIndexWriter>, Fields),
    /// The first segment is full.
    More(Box<Writing>),
}

/// Decides how large the table of terms is to begin with.
const TERMS_BUDGET: usize = 3_000_000;
/// Bytes in memory at which the first segment is full: some hundred thousand products.
const FULL: usize = 160_000_000;

impl Filling {
    /// Adds entries whose products have none.
    pub(super) fn add(self, entries: &[Entry]) -> tantivy::Result<Self> {
        match self {
            Self::Nothing if entries.is_empty() => Ok(Self::Nothing),
            Self::Nothing => {
                let (builder, fields) = index_builder();
                let folder = RamDirectory::create();
                let writer = builder.single_segment_index_writer(folder, TERMS_BUDGET)?;
                Self::First(Box::new(writer), fields).add(entries)
            }
            Self::First(mut writer, fields) => {
                for entry in entries {
                    writer.add_document(fields.document(entry))?;
                }
                if writer.mem_usage() < FULL {
                    return Ok(Self::First(writer, fields));
                }
                let index = ProductIndex::of(writer.finalize()?, fields)?;
                Ok(Self::More(Box::new(index.write()?)))
            }
            Self::More(writing) => {
                writing.add(entries)?;
                Ok(Self::More(writing))
            }
        }
    }

    /// The index, and what may still be merging in it.
    pub(super) fn finish(self) -> tantivy::Result<(ProductIndex, Option<Box<Writing>>)> {
        let (index, fields) = match self {
            Self::Nothing => {
                let (builder, fields) = index_builder();
                (builder.create_in_ram()?, fields)
            }
            Self::First(writer, fields) => (writer.finalize()?, fields),
            Self::More(mut writing) => {
                writing.publish()?;
                return Ok((writing.index.clone(), Some(writing)));
            }
        };
        Ok((ProductIndex::of(index, fields)?, None))
    }
}

fn index_builder() -> (IndexBuilder, Fields) {
    let mut schema = Schema::builder();
    let fields = Fields::new(&mut schema);
    // Nothing is stored, so there is nothing to compress.
    let settings = IndexSettings {
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    let builder = Index::builder().schema(schema.build()).settings(settings);
    (builder, fields)
}

/// Changes that nobody sees yet.
pub(super) struct Writing {
    index: ProductIndex,
    writer: IndexWriter,
}

impl Writing {
    /// Adds entries whose products have none.
    pub(super) fn add(&self, entries: &[Entry]) -> tantivy::Result<()> {
        for entry in entries {
            let document = self.index.fields.document(entry);
            self.writer.add_document(document)?;
        }
        Ok(())
    }

    /// Takes away the entry of a product, if it has one.
    pub(super) fn remove(&self, product: Uuid) {
        let id = Term::from_field_bytes(self.index.fields.id, product.as_bytes());
        self.writer.delete_term(id);
    }

    /// Lets everybody see the changes.
    pub(super) fn publish(&mut self) -> tantivy::Result<()> {
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
