//! What a table says about the transformation of a route.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::table::Size;

/// `[gateway.route.request]`: what the upstream sees instead of what the client has sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RequestSettings {
    /// Of header fields.
    pub(crate) headers: Edits,
    /// Of the fields of the query.
    pub(crate) query: Edits,
    /// Of a JSON body, in this order.
    pub(crate) json: Vec<Spanned<JsonEdit>>,
    /// A new JSON body.
    pub(crate) body: Option<Spanned<String>>,
    /// The longest body that is read.
    pub(crate) limit: Size,
    /// What becomes of bodies that cannot be changed.
    pub(crate) on_mismatch: Mismatch,
}

/// `[gateway.route.response]`: what the client sees instead of what the upstream has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResponseSettings {
    /// Of header fields.
    pub(crate) headers: Edits,
    /// `200`, or `{ 404 = 200, "*" = 500 }`.
    pub(crate) status: Option<Spanned<Status>>,
    /// Of a JSON body, in this order.
    pub(crate) json: Vec<Spanned<JsonEdit>>,
    /// A new JSON body.
    pub(crate) body: Option<Spanned<String>>,
    /// The longest body that is read.
    pub(crate) limit: Size,
    /// What becomes of bodies that cannot be changed.
    pub(crate) on_mismatch: Mismatch,
}

/// Edits of named fields. Fields are removed, then renamed, then set, then added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Edits {
    /// In the place of all values of the name.
    pub(crate) set: BTreeMap<String, Spanned<String>>,
    /// Beside the values that are there.
    pub(crate) add: BTreeMap<String, Spanned<String>>,
    /// With all their values.
    pub(crate) remove: Vec<Spanned<String>>,
    /// From the old name to the new one.
    pub(crate) rename: BTreeMap<String, Spanned<String>>,
}

/// One edit of a JSON document: exactly one of `set`, `remove`, `rename` and `move`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JsonEdit {
    /// Puts `value` there.
    pub(crate) set: Option<String>,
    /// What `set` puts.
    pub(crate) value: Option<serde_json::Value>,
    /// Takes it out.
    pub(crate) remove: Option<String>,
    /// The same as `move`.
    pub(crate) rename: Option<String>,
    /// Takes it out, and puts it at `to`.
    #[serde(rename = "move")]
    pub(crate) shift: Option<String>,
    /// Where `rename` and `move` put it.
    pub(crate) to: Option<String>,
}

/// Which status takes the place of which.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Status {
    /// Of every one.
    All(u16),
    /// Of these; `*` is every other one.
    Of(BTreeMap<String, u16>),
}

/// What becomes of a body that cannot be changed: no JSON, too long, compressed, of another shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mismatch {
    /// It goes on as it is.
    Pass,
    /// The request or the response is refused.
    #[default]
    Refuse,
}
