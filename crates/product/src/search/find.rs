//! Answers a question from an index.

use tantivy::query::{AllQuery, EnableScoring, Query};
use tantivy::{DocSet, Searcher, TERMINATED};

use super::facets::{FacetCollector, FacetCounts};
use super::index::ProductIndex;
use super::matching::Match;
use super::question::{Filter, Question, all_of};
use super::top::{Place, Top};

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) matched: Match,
    /// In order.
    pub(crate) places: Vec<Place>,
    /// How many there are on all pages.
    pub(crate) total: u64,
    pub(crate) facets: FacetCounts,
}

impl ProductIndex {
    /// Looks for what was typed, and further from it as long as there is nothing. Only the words
    /// decide how far: a filter that nothing passes is no reason to guess at them.
    pub(super) fn find(&self, question: &Question) -> tantivy::Result<Found> {
        let searcher = self.searcher();
        let run = |how, words| self.run(&searcher, question, how, words);
        let words = |how| question.words.query(how, &self.fields);
        if let Some((how, _)) = question.after {
            // The next page is more of the same, whatever has been added meanwhile.
            return run(how, words(how));
        }
        let mut nothing = None;
        for how in question.words.ways() {
            let query = words(how);
            let found = run(how, query.box_clone())?;
            let filtered = question.filter != Filter::default();
            if found.total > 0 || (filtered && any(&searcher, &*query)?) {
                return Ok(found);
            }
            nothing.get_or_insert(found);
        }
        // There was nothing to look for if there was no way.
        nothing.map_or_else(|| run(Match::Exact, Box::new(AllQuery)), Ok)
    }

    fn run(
        &self,
        searcher: &Searcher,
        question: &Question,
        how: Match,
        words: Box<dyn Query>,
    ) -> tantivy::Result<Found> {
        let mut clauses = vec![words];
        question.filter.add(&self.fields, &mut clauses);
        let band = question.filter.band();
        let top = Top {
            sort: question.sort,
            band,
            after: question.after.as_ref().map(|(_, place)| place.clone()),
            rows: question.rows,
        };
        let facets = (!question.facets.is_empty()).then(|| FacetCollector {
            facets: question.facets.clone(),
            band,
        });
        let (ranked, facets) = searcher.search(&all_of(clauses), &(top, facets))?;
        Ok(Found {
            matched: how,
            places: ranked.places,
            total: ranked.total,
            facets: facets.unwrap_or_default(),
        })
    }
}

/// Whether anything matches.
fn any(searcher: &Searcher, query: &dyn Query) -> tantivy::Result<bool> {
    let weight = query.weight(EnableScoring::disabled_from_searcher(searcher))?;
    for segment in searcher.segment_readers() {
        let mut found = weight.scorer(segment, 1.0)?;
        while found.doc() != TERMINATED {
            if segment
                .alive_bitset()
                .is_none_or(|alive| alive.is_alive(found.doc()))
            {
                return Ok(true);
            }
            found.advance();
        }
    }
    Ok(false)
}
