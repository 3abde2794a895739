//! How fast the index is, and how large. Not part of the ordinary run: `cargo test --release -p
//! rialto-product --lib -- --ignored --nocapture load`.

use std::time::{Duration, Instant};

use contracts::product::CategoryId;
use kernel::{Currency, Id, Timestamp};
use uuid::Uuid;

use super::entry::Entry;
use super::index::ProductIndex;
use super::{Facet, Filter, Question, Sort, Words};
use crate::document::Blank;
use crate::model::ProductStatus;
use crate::model::tests::{mug, price};
use crate::store::search::Indexable;

const PRODUCTS: u64 = 100_000;

/// A generator that needs no more than to be the same every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// One of 20,000 words; the low ones are much more frequent.
    fn word(&mut self) -> String {
        const SYLLABLES: [&str; 16] = [
            "ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "xo",
            "zu", "mir",
        ];
        let bound = [50, 1_000, 20_000][usize::try_from(self.roll(3)).expect("small")];
        let mut number = self.roll(bound) + 17;
        let mut word = String::new();
        while number > 0 {
            word.push_str(SYLLABLES[usize::try_from(number % 16).expect("small")]);
            number /= 16;
        }
        word
    }

    fn words(&mut self, count: u64) -> String {
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    fn product(&mut self, number: u64) -> Indexable {
        let mut product = mug();
        product.id = Id::from_uuid(Uuid::from_u128(u128::from(number) + 1));
        product.title = self.words(5);
        product.description = format!("<p>{}</p>", self.words(60));
        product.vendor = Some(format!("Vendor {}", self.roll(500)));
        product.tags = (0..4)
            .map(|_| format!("tag {}", self.roll(2_000)))
            .collect();
        product.variants[0].sku = format!("SKU-{number}");
        let amount = i64::try_from(self.roll(50_000)).expect("small");
        product.variants[0].prices =
            vec![price(amount, Currency::EUR), price(amount, Currency::USD)];
        Indexable {
            id: product.id,
            status: ProductStatus::Active,
            in_stock: self.roll(5) > 0,
            created_at: Timestamp::from_micros(i64::try_from(number).expect("small")),
            document: Blank::product(&product),
        }
    }

    fn categories(&mut self) -> Vec<(CategoryId, String)> {
        let leaf = self.roll(1_000);
        [leaf + 10_000, leaf / 30 + 1_000, leaf / 300]
            .map(|id| {
                (
                    CategoryId::from_uuid(Uuid::from_u128(u128::from(id))),
                    format!("class {id}"),
                )
            })
            .into()
    }
}

fn question(text: &str) -> Question {
    Question {
        words: Words::of(text),
        filter: Filter::default(),
        sort: Sort::Relevance,
        after: None,
        rows: 21,
        facets: Vec::new(),
    }
}

type Stored = (Indexable, Vec<(CategoryId, String)>);

#[test]
#[ignore = "measures"]
fn a_hundred_thousand_products() {
    let mut dice = Dice(1);
    let stored = (0..PRODUCTS).map(|number| (dice.product(number), dice.categories()));
    let stored: Vec<Stored> = stored.collect();
    let index = fill(&stored);
    words(&index, &mut dice);
    filters_and_facets(&index);
    changes(&index, &stored[..50]);
}

fn entry((product, categories): &Stored) -> Entry {
    Entry::of(product, categories).expect("readable")
}

fn fill(stored: &[Stored]) -> ProductIndex {
    let begun = Instant::now();
    let index = ProductIndex::empty().expect("an index");
    let mut writing = index.write().expect("a writer");
    for batch in stored.chunks(200) {
        let entries: Vec<Entry> = batch.iter().map(entry).collect();
        writing.add(&entries).expect("added");
    }
    writing.publish().expect("published");
    report("until all are found", begun.elapsed());
    writing.finish().expect("finished");
    let searcher = index.searcher();
    let size = searcher.space_usage().expect("a size").total();
    let segments = searcher.segment_readers().len();
    tell(&format!("{size:?} in {segments} segments"));
    index
}

fn words(index: &ProductIndex, dice: &mut Dice) {
    let any: Vec<Question> = (0..200).map(|_| question(&dice.words(2))).collect();
    average("two words", index, &any);
    average("two frequent words", index, &[question("cece dice")]);
    average("one letter", index, &[question("b")]);
    average("three letters", index, &[question("mir")]);
    average(
        "a typo",
        index,
        &[question("visabame"), question("guzumebax")],
    );
    average("twelve words", index, &[question(&dice.words(12))]);
}

fn filters_and_facets(index: &ProductIndex) {
    let by_name = Question {
        sort: Sort::Name,
        ..question("")
    };
    average("everything, by name", index, &[by_name]);
    let mut narrow = question("cece");
    narrow.filter.currency = Some(Currency::EUR);
    narrow.filter.price_max = Some(20_000);
    narrow.filter.in_stock = Some(true);
    narrow.sort = Sort::Price;
    average("filters, by price", index, &[narrow.clone()]);
    narrow.facets = Facet::ALL.to_vec();
    average("filters and five facets", index, &[narrow]);
    for facet in [Facet::Category, Facet::Vendor, Facet::Tag, Facet::InStock] {
        let mut one = question("");
        one.facets = vec![facet];
        average(&format!("everything by {facet}"), index, &[one]);
    }
}

/// One by one, as they come.
fn changes(index: &ProductIndex, stored: &[Stored]) {
    let (mut found, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for changed in stored {
        let begun = Instant::now();
        let mut writing = index.write().expect("a writer");
        writing.remove(&[changed.0.id.uuid()]).expect("removed");
        writing.add(&[entry(changed)]).expect("added");
        writing.publish().expect("published");
        found += begun.elapsed();
        writing.finish().expect("finished");
        slowest = slowest.max(begun.elapsed());
    }
    let count = u32::try_from(stored.len()).expect("few");
    report("until a change is found", found / count);
    report("the slowest change, with merging", slowest);
}

fn average(what: &str, index: &ProductIndex, questions: &[Question]) {
    let rounds = 400 / u32::try_from(questions.len()).expect("few");
    let (mut total, begun) = (0, Instant::now());
    for _ in 0..rounds {
        for question in questions {
            total += index.find(question).expect("an answer").total;
        }
    }
    let count = rounds * u32::try_from(questions.len()).expect("few");
    report(
        &format!("{what} ({} results)", total / u64::from(count)),
        begun.elapsed() / count,
    );
}

fn report(what: &str, took: Duration) {
    tell(&format!("{what}: {} us", took.as_micros()));
}

#[expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]
fn tell(line: &str) {
    println!("{line}");
}
