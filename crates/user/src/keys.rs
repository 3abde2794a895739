//! The keys that sign access tokens, shared by every instance through the database.

use kernel::{Secret, Sources};
use platform::auth::{JwkSet, SigningKey};
use platform::db::{Db, DbError};

use crate::store;

/// The key that signs, and where the public halves are. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    db: Db,
    signing: SigningKey,
}

impl Keys {
    /// Loads the youngest key; makes the first one. Instances that start together agree: the
    /// oldest of the first ones wins.
    pub(crate) async fn load(db: &Db) -> Result<Self, DbError> {
        let fresh = SigningKey::generate();
        let key = SigningKey::from_pkcs8(&fresh).ok_or(DbError::Closed)?;
        let (kid, bytes) = (key.jwk().kid, fresh.expose().clone());
        let kept = db
            .write(move |tx| async move {
                store::add_first_key(&tx, &kid, bytes).await?;
                store::signing_keys(&tx).await
            })
            .await?;
        let usable = kept
            .into_iter()
            .find_map(|pkcs8| SigningKey::from_pkcs8(&Secret::new(pkcs8)));
        Ok(Self {
            db: db.clone(),
            signing: usable.unwrap_or(key),
        })
    }

    /// The key that signs.
    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The public halves of all keys.
    pub(crate) async fn public(&self) -> Result<JwkSet, DbError> {
        let kept = store::signing_keys(&self.db.read().await?).await?;
        let keys = kept
            .into_iter()
            .filter_map(|pkcs8| SigningKey::from_pkcs8(&Secret::new(pkcs8)));
        Ok(JwkSet {
            keys: keys.map(|key| key.jwk()).collect(),
        })
    }

    /// Time and ids.
    pub(crate) fn sources(&self) -> &Sources {
        self.db.sources()
    }
}
