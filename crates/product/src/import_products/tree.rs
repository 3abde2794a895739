//! The tree of categories, with those that a batch of products adds to it.

use std::collections::{BTreeMap, BTreeSet};

use contracts::product::CategoryId;
use kernel::{Sources, Timestamp};

use crate::category::{Category, MOST_CATEGORIES};
use crate::sheet::category_path::{self, CategoryPath};

/// What there is, and what is to be.
#[derive(Debug)]
pub(super) struct Tree {
    below: BTreeMap<Option<CategoryId>, Vec<Category>>,
    slugs: BTreeSet<String>,
    /// Parents come before what lies below them.
    new: Vec<Category>,
}

impl Tree {
    pub(super) fn new(categories: Vec<Category>) -> Self {
        let slugs = categories.iter().map(|category| category.slug.clone());
        let mut tree = Self {
            slugs: slugs.collect(),
            below: BTreeMap::new(),
            new: Vec::new(),
        };
        for category in categories {
            tree.below
                .entry(category.parent_id)
                .or_default()
                .push(category);
        }
        tree
    }

    /// The category at the end of a path; those that are not there are made. Fails with the reason
    /// why one cannot be.
    pub(super) fn find(
        &mut self,
        path: &CategoryPath,
        sources: &Sources,
        now: Timestamp,
    ) -> Result<Option<CategoryId>, String> {
        let mut above: Option<Category> = None;
        for name in path {
            let parent = above.as_ref().map(|category| category.id);
            let found = match self.known(parent, name) {
                Some(found) => found.clone(),
                None => self.add(above.as_ref(), name, sources, now)?,
            };
            above = Some(found);
        }
        Ok(above.map(|category| category.id))
    }

    /// The one with the name, or else the one with the slug that the name suggests: it may have
    /// been renamed since.
    fn known(&self, parent: Option<CategoryId>, name: &str) -> Option<&Category> {
        let siblings = self.below.get(&parent)?;
        let slug = category_path::slug(name);
        let named = siblings.iter().find(|category| category.name == name);
        named.or_else(|| siblings.iter().find(|category| category.slug == slug))
    }

    fn add(
        &mut self,
        above: Option<&Category>,
        name: &str,
        sources: &Sources,
        now: Timestamp,
    ) -> Result<Category, String> {
        let count = i64::try_from(self.slugs.len()).unwrap_or(i64::MAX);
        if count >= MOST_CATEGORIES {
            return Err(format!(
                "there are {MOST_CATEGORIES} categories, as many as there may be"
            ));
        }
        let plain = category_path::slug(name);
        let longer = above.map(|above| category_path::slug(&format!("{} {plain}", above.slug)));
        let mut slugs = [Some(plain), longer].into_iter().flatten();
        let Some(slug) = slugs.find(|slug| !self.slugs.contains(slug)) else {
            return Err(format!(
                "another category has the slug that `{name}` would have"
            ));
        };
        let category = Category {
            id: sources.id(),
            parent_id: above.map(|above| above.id),
            slug: slug.clone(),
            name: name.to_owned(),
            position: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        self.slugs.insert(slug);
        self.below
            .entry(category.parent_id)
            .or_default()
            .push(category.clone());
        self.new.push(category.clone());
        Ok(category)
    }

    /// What must be added for products to be in these categories.
    pub(super) fn needed(self, used: impl IntoIterator<Item = CategoryId>) -> Vec<Category> {
        let mut used: BTreeSet<CategoryId> = used.into_iter().collect();
        // From the leaves up: who is needed needs its parent.
        for category in self.new.iter().rev() {
            if used.contains(&category.id) {
                used.extend(category.parent_id);
            }
        }
        let needed = self
            .new
            .into_iter()
            .filter(|category| used.contains(&category.id));
        needed.collect()
    }
}
