//! API keys: long random texts, of which a file has the digests.
//!
//! Keys are compared by their SHA-256: how long that takes says nothing about a key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderName;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::Identity;
use crate::table::{self, Stamp, stamp};

/// Bytes of a file.
const FILE_LIMIT: u64 = 8 << 20;

/// The owners of keys, by the digests of these.
type Owners = HashMap<[u8; 32], Owner>;

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    name: String,
    scopes: Vec<String>,
}

/// One file of keys, as it was read last.
#[derive(Debug)]
pub(super) struct KeyFile {
    pub(super) name: Arc<str>,
    pub(super) definition: table::Keys,
    /// Where keys are looked for.
    pub(super) header: HeaderName,
    owners: ArcSwap<HashMap<[u8; 32], Arc<Identity>>>,
    /// What the file was like when it was read.
    seen: Mutex<Option<Stamp>>,
}

impl KeyFile {
    /// Reads a checked file.
    pub(super) fn new(name: &str, definition: &table::Keys) -> Self {
        let file = Self {
            name: name.into(),
            header: definition.header.parse().expect("the table was checked"),
            definition: definition.clone(),
            owners: ArcSwap::default(),
            seen: Mutex::default(),
        };
        file.refresh();
        file
    }

    /// Whose key it is.
    pub(super) fn owner(&self, fingerprint: &[u8; 32]) -> Option<Arc<Identity>> {
        self.owners.load().get(fingerprint).cloned()
    }

    /// Reads the file again if it has changed. Of a file that is wrong nothing counts: the keys of
    /// the last one go on.
    pub(super) fn refresh(&self) {
        let path = &self.definition.file;
        let stamp = stamp(path);
        let mut seen = self.seen.lock();
        if stamp.is_some() && stamp == *seen {
            return;
        }
        if stamp.is_none() && seen.is_none() {
            return;
        }
        // Before it is read: what is written meanwhile is read again.
        *seen = stamp;
        match read(path) {
            Ok(owners) => {
                let owners = owners.into_iter();
                let identities =
                    owners.map(|(digest, owner)| (digest, Arc::new(self.identity(owner))));
                self.owners.store(Arc::new(identities.collect()));
            }
            Err(problem) => {
                tracing::error!(keys = %self.name, problem, "the keys known so far go on");
            }
        }
    }

    fn identity(&self, owner: Owner) -> Identity {
        let mut claims = Map::new();
        claims.insert(String::from("sub"), Value::from(owner.name.as_str()));
        claims.insert(String::from("scope"), Value::from(owner.scopes.join(" ")));
        Identity::from_claims(&self.name, &owner.name, "roles", claims)
    }
}

/// Reads a file of keys.
pub(crate) fn read(file: &Path) -> Result<Owners, String> {
    let shown = file.display();
    let cannot = |error: std::io::Error| format!("`{shown}` cannot be read: {error}");
    if std::fs::metadata(file).map_err(cannot)?.len() > FILE_LIMIT {
        return Err(format!("`{shown}` is longer than {FILE_LIMIT} bytes"));
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    parse(&text).map_err(|(line, problem)| format!("{shown}:{line}: {problem}"))
}

/// Reads lines `NAME SHA256HEX scope,scope`; what is wrong is told with its line.
fn parse(text: &str) -> Result<Owners, (usize, String)> {
    let mut owners = Owners::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |problem: &str| (number + 1, String::from(problem));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(digest)) = (fields.next(), fields.next()) else {
            return Err(wrong("write NAME SHA256HEX SCOPE,SCOPE"));
        };
        // The digest is not repeated: it could be the key itself, by mistake.
        let digest = unhex(digest).ok_or_else(|| {
            wrong("the second field is no SHA-256 in hex: `printf %s KEY | sha256sum` makes it")
        })?;
        let scopes = fields.next().unwrap_or_default().split(',');
        let scopes = scopes.filter(|scope| !scope.is_empty()).map(str::to_owned);
        let owner = Owner {
            name: name.to_owned(),
            scopes: scopes.collect(),
        };
        if fields.next().is_some() {
            return Err(wrong(
                "there is more than a name, a digest and scopes with commas",
            ));
        }
        match owners.entry(digest) {
            Entry::Vacant(free) => free.insert(owner),
            Entry::Occupied(_) => return Err(wrong("another line has the same key")),
        };
    }
    Ok(owners)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_a_digest_and_scopes() {
        let digest = "ab".repeat(32);
        let owners = parse(&format!(
            "# ours\n\n crm {digest} read,write \nbot {}\n",
            "0F".repeat(32)
        ));
        let owners = owners.expect("right");
        assert_eq!(owners[&[0xab; 32]].scopes, ["read", "write"]);
        assert_eq!(owners[&[0x0f; 32]].name, "bot");
        for (text, line) in [
            (format!("crm {digest} a b"), 1),
            (format!("\ncrm {}", &digest[1..]), 2),
            (format!("crm {digest}\nbot {digest}"), 2),
            (String::from("crm"), 1),
            (format!("crm {}", "zz".repeat(32)), 1),
        ] {
            assert_eq!(parse(&text).expect_err(&text).0, line, "{text}");
        }
    }
}
