//! Keyset pages: where the next page starts is part of the answer, opaque and bound to the filter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

/// How many items a page may have: 1 to 100, and 20 unless the client says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Limit(u8);

/// The number is not a size that a page may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 1 to {}", Limit::MOST)]
pub struct InvalidLimit;

impl Limit {
    /// The largest page.
    pub const MOST: u8 = 100;

    /// The size of the page.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// How many rows to read: one more than the page has, which tells whether another one follows.
    pub fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<u32> for Limit {
    type Error = InvalidLimit;

    fn try_from(limit: u32) -> Result<Self, InvalidLimit> {
        let small = u8::try_from(limit).map_err(|_| InvalidLimit)?;
        if (1..=Self::MOST).contains(&small) {
            Ok(Self(small))
        } else {
            Err(InvalidLimit)
        }
    }
}

impl PartialSchema for Limit {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
            .minimum(Some(1))
            .maximum(Some(Self::MOST))
            .default(Some(Self::default().0.into()))
            .into()
    }
}

impl ToSchema for Limit {}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page starts; `null` on the last page.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of rows that were read with a limit one above `limit`: an extra row means that
    /// there is a next page, which starts after `key` of the last row kept.
    pub fn of<K: Serialize>(
        mut rows: Vec<T>,
        limit: usize,
        filter: &impl Serialize,
        key: impl FnOnce(&T) -> K,
    ) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|row| Cursor::new(&key(row), filter));
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// The same page of other things.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(each).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

/// The key of the last item of a page, with a fingerprint of the filter that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, max_length = 1000)]
pub struct Cursor(String);

/// The cursor was not made by this list with this filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not belong to this list with this filter")]
pub struct CursorError;

impl Cursor {
    /// A cursor that continues after `key` in the list that `filter` describes.
    pub fn new(key: &impl Serialize, filter: &impl Serialize) -> Self {
        let json = serde_json::to_vec(&(fingerprint(filter), key)).expect("keys are plain data");
        Self(URL_SAFE_NO_PAD.encode(json))
    }

    /// The key, if the cursor was made for `filter`.
    pub fn key<K: DeserializeOwned>(&self, filter: &impl Serialize) -> Result<K, CursorError> {
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| CursorError)?;
        let (made_for, key): (u64, K) = serde_json::from_slice(&json).map_err(|_| CursorError)?;
        if made_for == fingerprint(filter) {
            Ok(key)
        } else {
            Err(CursorError)
        }
    }
}

/// FNV-1a (64 bits) over the filter's JSON: stable between versions and processes. It guards
/// against mistakes, not against forgers: a cursor only ever chooses where a page starts.
fn fingerprint(filter: &impl Serialize) -> u64 {
    let json = serde_json::to_vec(filter).expect("filters are plain data");
    json.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_serves_only_its_own_filter() {
        let cursor = Cursor::new(&("mug", 7), &"category=cups");
        assert_eq!(cursor.key(&"category=cups"), Ok((String::from("mug"), 7)));
        assert_eq!(
            cursor.key::<(String, i32)>(&"category=plates"),
            Err(CursorError)
        );
        assert_eq!(
            Cursor("~".into()).key::<(String, i32)>(&""),
            Err(CursorError)
        );
    }

    #[test]
    fn a_page_has_one_to_a_hundred_items() {
        let read = |json| serde_json::from_str::<Limit>(json).ok().map(Limit::get);
        assert_eq!([read("1"), read("100")], [Some(1), Some(100)]);
        assert_eq!([read("0"), read("101"), read("-1"), read("256")], [None; 4]);
        assert_eq!(Limit::default().rows(), 21);
    }

    #[test]
    fn the_extra_row_becomes_a_cursor() {
        let page = Page::of(vec![1, 2, 3], 2, &"", |row| *row);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(page.next_cursor.expect("a next page").key(&""), Ok(2));
        assert_eq!(Page::of(vec![1, 2], 2, &"", |row| *row).next_cursor, None);
    }
}
