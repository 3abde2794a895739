//! The keys that sign access tokens, shared by every instance through the database.
//!
//! A new key is published before it signs, so that who verifies tokens knows it in time. A key
//! that signs no more stays published until the last of its tokens has expired.

use std::sync::Arc;
use std::time::Duration;

use kernel::stored::NotStored;
use kernel::{Secret, Timestamp};
use parking_lot::RwLock;
use platform::auth::{JwkSet, SigningKey};
use platform::db::{Db, DbError, Tx};

use crate::store;
use crate::store::KeyRow;

/// For how long others may keep the published keys.
pub(crate) const PUBLISHED_FOR: Duration = Duration::from_secs(300);
/// How long before it signs a new key is published: longer than others keep the old ones, and than
/// instances take to read the new one.
const PUBLISHED_AHEAD: Duration = Duration::from_secs(600);
/// How long after the last of its tokens has expired a key stays published: clocks differ.
const PUBLISHED_AFTER: Duration = Duration::from_secs(3600);

/// The keys of this instance. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    /// The youngest first, each with the time from which it signs.
    loaded: RwLock<Vec<(Timestamp, SigningKey)>>,
}

impl Keys {
    /// Loads the keys; makes the first one. Instances that start together may each make one: all
    /// of them verify.
    pub(crate) async fn load(db: &Db) -> Result<Self, DbError> {
        let (kid, pkcs8) = fresh();
        let add = move |tx: Tx| async move { store::add_first_key(&tx, &kid, pkcs8).await };
        db.write(add).await?;
        let (db, loaded) = (db.clone(), RwLock::default());
        let keys = Self(Arc::new(Inner { db, loaded }));
        keys.reload().await?;
        Ok(keys)
    }

    /// Reads the keys again: another instance, or the command line, may have added one.
    pub(crate) async fn reload(&self) -> Result<(), DbError> {
        let keys = read(&self.0.db).await?;
        *self.0.loaded.write() = keys;
        Ok(())
    }

    /// The key that signs: the youngest whose time has come.
    pub(crate) fn signing(&self) -> SigningKey {
        let now = self.0.db.sources().now();
        let loaded = self.0.loaded.read();
        let due = loaded.iter().find(|(signs_from, _)| *signs_from <= now);
        let (_, key) = due.or(loaded.last()).expect("loading fails without keys");
        key.clone()
    }

    /// The public halves of all keys, that of the one that signs first.
    pub(crate) async fn public(&self) -> Result<JwkSet, DbError> {
        let now = self.0.db.sources().now();
        let mut keys = read(&self.0.db).await?;
        keys.sort_by_key(|(signs_from, _)| *signs_from > now);
        let keys = keys.iter().map(|(_, key)| key.jwk()).collect();
        Ok(JwkSet { keys })
    }
}

/// Fails if there is no key, or one cannot be read: tokens that nobody verifies must not be signed.
async fn read(db: &Db) -> Result<Vec<(Timestamp, SigningKey)>, DbError> {
    let unreadable = |kid: String| NotStored {
        wanted: "signing key",
        found: kid,
    };
    let rows = store::signing_keys(&db.read().await?).await?;
    if rows.is_empty() {
        return Err(unreadable(String::from("none")).into());
    }
    let open = |row: KeyRow| {
        let key = SigningKey::from_pkcs8(&Secret::new(row.pkcs8));
        let key = key.ok_or_else(|| unreadable(row.kid))?;
        Ok((row.signs_from, key))
    };
    rows.into_iter().map(open).collect()
}

/// The name and the bytes of a key that is not kept yet.
fn fresh() -> (String, Vec<u8>) {
    let pkcs8 = SigningKey::generate();
    let key = SigningKey::from_pkcs8(&pkcs8).expect("a key that was just made is a key");
    (key.jwk().kid, pkcs8.expose().clone())
}

/// Adds a signing key to the database of the user service, for the command line; returns its name
/// and from when it signs. Instances pick it up while they run. Tokens of the keys before stay
/// valid until they expire.
pub async fn rotate_key(db: &Db) -> Result<(String, Timestamp), DbError> {
    let (kid, pkcs8) = fresh();
    let signs_from = db.sources().now().plus(PUBLISHED_AHEAD);
    db.write(move |tx| async move {
        store::add_key(&tx, &kid, pkcs8, signs_from).await?;
        Ok((kid, signs_from))
    })
    .await
}

/// Forgets the keys whose tokens, which lived for `ttl`, have all expired.
pub(crate) async fn retire(tx: &Tx, ttl: Duration) -> Result<u64, DbError> {
    let before = tx.sources().now().minus(ttl).minus(PUBLISHED_AFTER);
    store::retire_keys(tx, before).await
}
