//! How well products match words. Whatever was typed is only ever split into words: there is no
//! query language that could be broken out of.
//!
//! The score of a product is the sum of what each word is worth at its best place. That is a small
//! whole number and depends on nothing but the product: not on the other products, not on what was
//! deleted from the index of this instance. So pages can be read from one instance after another.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, FuzzyTermQuery,
    InvertedIndexRangeQuery, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::index::Fields;
use super::question::all_of;
use super::words::{asked, whole};

kernel::text_enum! {
    /// How far the results are from what was typed.
    pub(crate) enum Match {
        /// Every word is there; the last one may be unfinished.
        Exact = "exact",
        /// No product has every word as it was typed; with typos corrected, these have.
        Corrected = "corrected",
        /// No product has every word; these have half of them or more, those with most first.
        Partial = "partial",
    }
}

/// Words of a query that are looked at.
const MOST_WORDS: usize = 12;
/// From so many letters on a word may differ in one letter, and in two.
const LETTERS_FOR_TYPOS: [usize; 2] = [4, 8];
/// From so many letters on the beginning of a word is looked for in descriptions: fewer letters
/// begin a word of nearly every one.
const LETTERS_IN_PROSE: usize = 3;

/// What a word is worth in each field.
#[derive(Debug, Clone, Copy)]
struct Worth {
    title: u16,
    labels: u16,
    description: u16,
}

const WORD: Worth = Worth {
    title: 100,
    labels: 60,
    description: 20,
};
const BEGINNING: Worth = Worth {
    title: 80,
    labels: 50,
    description: 15,
};
/// With one letter that differs, and with two.
const TYPOS: [Worth; 2] = [
    Worth {
        title: 40,
        labels: 25,
        description: 10,
    },
    Worth {
        title: 20,
        labels: 12,
        description: 5,
    },
];
/// A title, SKU or barcode that is the text as a whole.
const WHOLE: u16 = 2_000;
/// One more word, where not all have to be there.
const ONE_MORE: u16 = 1_000;

/// What was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    words: Vec<String>,
    whole: String,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let mut words = asked(text);
        words.truncate(MOST_WORDS);
        Self {
            words,
            whole: whole(text),
        }
    }

    /// The ways to look for them, one after another, while nothing is found. There are none if
    /// nothing was typed that could be looked for.
    pub(super) fn ways(&self) -> impl Iterator<Item = Match> {
        let some = !self.words.is_empty();
        let typos = self.words.iter().any(|word| typos(word) > 0);
        let several = self.words.len() > 1;
        let ways = [
            some.then_some(Match::Exact),
            typos.then_some(Match::Corrected),
            several.then_some(Match::Partial),
        ];
        ways.into_iter().flatten()
    }

    /// The products that match in one of these ways.
    pub(super) fn query(&self, how: Match, fields: &Fields) -> Box<dyn Query> {
        if self.words.is_empty() {
            return Box::new(AllQuery);
        }
        let asking = Asking {
            fields,
            typos: how != Match::Exact,
            base: if how == Match::Partial { ONE_MORE } else { 0 },
        };
        let last = self.words.len() - 1;
        let words = self.words.iter().enumerate();
        let words = words.map(|(index, word)| asking.word(word, index == last));
        let words = words.collect();
        match how {
            Match::Exact => {
                let code = Term::from_field_text(fields.whole, &self.whole);
                Box::new(BooleanQuery::union(vec![all_of(words), equal(code, WHOLE)]))
            }
            Match::Corrected => all_of(words),
            Match::Partial => {
                let half = self.words.len().div_ceil(2);
                Box::new(BooleanQuery::union_with_minimum_required_clauses(
                    words, half,
                ))
            }
        }
    }
}

/// How many letters of a word may differ.
fn typos(word: &str) -> usize {
    let letters = word.chars().count();
    LETTERS_FOR_TYPOS
        .iter()
        .filter(|least| letters >= **least)
        .count()
}

/// How words are looked for.
struct Asking<'a> {
    fields: &'a Fields,
    typos: bool,
    /// Added to what a word is worth anywhere.
    base: u16,
}

impl Asking<'_> {
    /// The products that have the word, or one that begins with it if it may be `unfinished`.
    fn word(&self, word: &str, unfinished: bool) -> Box<dyn Query> {
        let mut places = Vec::new();
        self.everywhere(WORD, &mut places, |field, worth| {
            equal(Term::from_field_text(field, word), worth)
        });
        if unfinished {
            let prose = word.chars().count() >= LETTERS_IN_PROSE;
            let worth = BEGINNING.without_prose_unless(prose);
            self.everywhere(worth, &mut places, |field, worth| {
                begins(field, word, worth)
            });
        }
        if self.typos {
            for (distance, worth) in (1..).zip(TYPOS).take(typos(word)) {
                self.everywhere(worth, &mut places, |field, worth| {
                    let term = Term::from_field_text(field, word);
                    let query = if unfinished {
                        FuzzyTermQuery::new_prefix(term, distance, true)
                    } else {
                        FuzzyTermQuery::new(term, distance, true)
                    };
                    scored(Box::new(query), worth)
                });
            }
        }
        Box::new(DisjunctionMaxQuery::new(places))
    }

    fn everywhere(
        &self,
        worth: Worth,
        places: &mut Vec<Box<dyn Query>>,
        query: impl Fn(Field, u16) -> Box<dyn Query>,
    ) {
        for (field, worth) in [
            (self.fields.title, worth.title),
            (self.fields.labels, worth.labels),
            (self.fields.description, worth.description),
        ] {
            if worth > 0 {
                places.push(query(field, self.base + worth));
            }
        }
    }
}

impl Worth {
    fn without_prose_unless(self, prose: bool) -> Self {
        Self {
            description: if prose { self.description } else { 0 },
            ..self
        }
    }
}

fn equal(term: Term, worth: u16) -> Box<dyn Query> {
    scored(
        Box::new(TermQuery::new(term, IndexRecordOption::Basic)),
        worth,
    )
}

fn begins(field: Field, word: &str, worth: u16) -> Box<dyn Query> {
    let from = Term::from_field_text(field, word);
    // No word has the last of all characters in it, which is no letter.
    let to = Term::from_field_text(field, &format!("{word}{}", char::MAX));
    scored(
        Box::new(InvertedIndexRangeQuery::new(
            Bound::Included(from),
            Bound::Excluded(to),
        )),
        worth,
    )
}

fn scored(query: Box<dyn Query>, worth: u16) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, f32::from(worth)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_have_no_typos() {
        let counts = ["mug", "lamp", "blanket", "blankets", "ÄÖÜ"].map(typos);
        assert_eq!(counts, [0, 1, 1, 2, 0]);
    }

    #[test]
    fn a_text_without_letters_asks_for_nothing() {
        for text in ["", " ", "!?", "\"\" + -()"] {
            assert_eq!(Words::of(text).ways().count(), 0, "{text}");
        }
        let long = "a b c d e f g h i j k l m n o p";
        assert_eq!(Words::of(long).words.len(), MOST_WORDS);
    }

    #[test]
    fn an_exact_match_is_worth_more_than_any_other() {
        let titles = [WORD, BEGINNING, TYPOS[0], TYPOS[1]].map(|worth| worth.title);
        assert!(titles.is_sorted_by(|a, b| a > b));
        for worth in [WORD, BEGINNING, TYPOS[0], TYPOS[1]] {
            assert!(worth.title > worth.labels && worth.labels > worth.description);
        }
        let words = u16::try_from(MOST_WORDS).expect("few");
        assert!(
            WHOLE > words * WORD.title,
            "a code is worth more than all words"
        );
        assert!(ONE_MORE > words * WORD.title / 2 && ONE_MORE < u16::MAX / words);
    }
}
