//! Entries as bytes, for the second level: what the upstream said, so that whoever reads it decides
//! by its own settings what that means.

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::Timestamp;
use ring::digest::{SHA256, digest};

use super::entry::Entry;
use super::key::part;
use super::second::SecondKey;
use super::vary::Selecting;

/// Changes whenever the form does.
const VERSION: u8 = 1;
const ENTRY: u8 = 1;
const NAMES: u8 = 2;

/// What a value of the second level is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// An answer.
    Answer(Answer),
    /// The answers to this target vary by these fields, and are elsewhere.
    Varies(Vec<HeaderName>),
}

/// An answer as the upstream gave it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// When it would have been made, going by its age.
    pub(crate) born: Timestamp,
    pub(crate) head: HeaderMap,
    pub(crate) tags: Vec<String>,
    pub(crate) body: Bytes,
}

/// The key of a target.
pub(crate) fn key(parts: &[u8]) -> SecondKey {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, parts).as_ref());
    key
}

/// The key of the answer to requests for a target that say the same.
pub(crate) fn key_of_variant(target: &[u8], selecting: &Selecting) -> SecondKey {
    let mut parts = Vec::with_capacity(target.len() + 64);
    part(&mut parts, target);
    for said in &selecting.0 {
        part(&mut parts, said.name.as_str().as_bytes());
        parts.push(u8::from(said.normal.is_some()));
        part(&mut parts, said.normal.as_deref().unwrap_or_default());
    }
    key(&parts)
}

pub(crate) fn write_names(selecting: &Selecting) -> Bytes {
    let mut out = vec![VERSION, NAMES];
    for said in &selecting.0 {
        part(&mut out, said.name.as_str().as_bytes());
    }
    out.into()
}

pub(crate) fn write_entry(entry: &Entry) -> Bytes {
    let meta = &entry.meta;
    let mut out = Vec::with_capacity(entry.bytes());
    out.extend_from_slice(&[VERSION, ENTRY]);
    out.put_u16(meta.status.as_u16());
    out.put_i64(meta.policy.born.micros());
    out.put_u32(u32::try_from(meta.head.len()).unwrap_or(u32::MAX));
    for (name, value) in &meta.head {
        part(&mut out, name.as_str().as_bytes());
        part(&mut out, value.as_bytes());
    }
    out.put_u32(u32::try_from(meta.tags.texts.len()).unwrap_or(u32::MAX));
    for tag in &meta.tags.texts {
        part(&mut out, tag.as_bytes());
    }
    part(&mut out, &entry.body);
    out.into()
}

/// `None` if this is nothing that this version has written.
pub(crate) fn read(mut value: Bytes) -> Option<Value> {
    if value.try_get_u8().ok()? != VERSION {
        return None;
    }
    if value.try_get_u8().ok()? == NAMES {
        let mut names = Vec::new();
        while value.has_remaining() {
            names.push(HeaderName::from_bytes(&next(&mut value)?).ok()?);
        }
        return Some(Value::Varies(names));
    }
    let status = StatusCode::from_u16(value.try_get_u16().ok()?).ok()?;
    let born = Timestamp::from_micros(value.try_get_i64().ok()?);
    let mut head = HeaderMap::new();
    for _ in 0..value.try_get_u32().ok()? {
        let name = HeaderName::from_bytes(&next(&mut value)?).ok()?;
        head.append(
            name,
            HeaderValue::from_maybe_shared(next(&mut value)?).ok()?,
        );
    }
    let mut tags = Vec::new();
    for _ in 0..value.try_get_u32().ok()? {
        tags.push(String::from_utf8(next(&mut value)?.to_vec()).ok()?);
    }
    let body = next(&mut value).filter(|_| !value.has_remaining())?;
    Some(Value::Answer(Answer {
        status,
        born,
        head,
        tags,
        body,
    }))
}

fn next(value: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(value.try_get_u32_le().ok()?).ok()?;
    (length <= value.len()).then(|| value.split_to(length))
}
