//! Categories as values, and the rules of their tree.

use std::collections::BTreeMap;

use contracts::product::CategoryId;
use kernel::{Timestamp, Violations};
use platform::http::ETag;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All of them are shown in one answer.
pub(crate) const MOST_CATEGORIES: i64 = 5_000;
/// A category at the top has depth 1.
pub(crate) const DEEPEST: i64 = 8;
const LAST_POSITION: i64 = 1_000_000;

/// A category as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Category {
    pub(crate) id: CategoryId,
    pub(crate) parent_id: Option<CategoryId>,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) position: i64,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Category {
    /// Reports what breaks a rule that does not depend on other categories.
    pub(crate) fn check(&self, violations: &mut Violations) {
        violations.text("name", &self.name, 1..=100);
        violations.slug("slug", &self.slug);
        violations.require(
            (0..=LAST_POSITION).contains(&self.position),
            "position",
            "expected 0 to 1000000",
        );
    }

    /// The category with those above it, the top one first.
    pub(crate) fn view(self, path: Vec<CategoryStep>) -> CategoryView {
        let Self {
            id,
            parent_id,
            slug,
            name,
            position,
            version,
            created_at,
            updated_at,
        } = self;
        CategoryView {
            id,
            parent_id,
            slug,
            name,
            position,
            path,
            version,
            created_at,
            updated_at,
        }
    }
}

/// A category, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Category)]
pub(crate) struct CategoryView {
    id: CategoryId,
    /// `null` at the top.
    parent_id: Option<CategoryId>,
    /// Its address in the shop; no two categories share one.
    slug: String,
    name: String,
    /// Where it stands among those with the same parent; names decide between equal ones.
    position: i64,
    /// Those above it, the top one first.
    path: Vec<CategoryStep>,
    /// Counts the changes; also in the `ETag`.
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl CategoryView {
    /// The tag of what it shows: those above it may change without it, hence `tree`, the version
    /// of the whole tree.
    pub(crate) fn etag(&self, tree: i64) -> ETag {
        let tree = u32::try_from(tree & i64::from(u32::MAX)).unwrap_or_default();
        ETag::with_rest(self.version, tree)
    }
}

/// One of the categories above another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CategoryStep {
    pub(crate) id: CategoryId,
    pub(crate) slug: String,
    pub(crate) name: String,
}

/// A category with what lies below it.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CategoryNode {
    id: CategoryId,
    slug: String,
    name: String,
    /// At most eight levels in all.
    #[schema(no_recursion)]
    children: Vec<CategoryNode>,
}

/// Puts categories, which come in the order in which they are shown, below their parents.
pub(crate) fn tree(categories: Vec<Category>) -> Vec<CategoryNode> {
    let mut below: BTreeMap<Option<CategoryId>, Vec<Category>> = BTreeMap::new();
    for category in categories {
        below.entry(category.parent_id).or_default().push(category);
    }
    children(None, &mut below)
}

fn children(
    parent: Option<CategoryId>,
    below: &mut BTreeMap<Option<CategoryId>, Vec<Category>>,
) -> Vec<CategoryNode> {
    let list = below.remove(&parent).unwrap_or_default();
    let node = |category: Category| CategoryNode {
        children: children(Some(category.id), below),
        id: category.id,
        slug: category.slug,
        name: category.name,
    };
    list.into_iter().map(node).collect()
}
