//! Arrays.

use std::collections::HashSet;

use serde_json::Value;

use super::{Checker, Place};
use crate::validate::schema::ArrayRules;
use crate::validate::value::canonical;

impl Checker<'_> {
    pub(super) fn array(&mut self, rules: &ArrayRules, items: &[Value], place: &Place<'_>) {
        if let Some(least) = rules.least.filter(|least| items.len() < *least) {
            self.report(place, format!("expected at least {least} items"));
        }
        if let Some(most) = rules.most.filter(|most| items.len() > *most) {
            // What is too long is not read further.
            return self.report(place, format!("expected at most {most} items"));
        }
        for (index, item) in items.iter().enumerate() {
            if let Some(id) = rules.prefix.get(index).copied().or(rules.items) {
                self.has_evaluated_item(index);
                self.check(id, item, &Place::Item(place, index));
            }
        }
        if rules.unique {
            self.unique(items, place);
        }
        if let Some(id) = rules.contains {
            let mut count = 0;
            for (index, item) in items.iter().enumerate() {
                if self.fits(id, item) {
                    self.has_evaluated_item(index);
                    count += 1;
                }
            }
            if count < rules.least_contained.unwrap_or(1) {
                self.report(place, "an item that must be there is missing");
            }
            if rules.most_contained.is_some_and(|most| count > most) {
                self.report(place, "too many items are of a kind");
            }
        }
    }

    fn unique(&mut self, items: &[Value], place: &Place<'_>) {
        let mut seen = HashSet::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mut form = String::new();
            canonical(item, &mut form);
            if !seen.insert(form) {
                return self.report(&Place::Item(place, index), "the item is there twice");
            }
        }
    }
}
