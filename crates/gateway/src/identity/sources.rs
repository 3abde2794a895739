//! All that can say who calls, by the names of the table.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::Sources;
use platform::metrics::Metrics;

use super::certificates::{Certificates, fingerprint_of};
use super::introspection::Introspection;
use super::issuer::Issuer;
use super::keys::KeyFile;
use super::revoked::{Revocation, Revocations, RevokeError};
use crate::table::Table;

/// What outlives every table. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) sources: Sources,
    pub(crate) metrics: Metrics,
    pub(crate) revocations: Arc<Revocations>,
}

/// Tokens and subjects that can be revoked at once.
const REVOCATIONS: usize = 100_000;

impl Shared {
    pub(crate) fn new(sources: Sources, metrics: &Metrics) -> Self {
        Self {
            revocations: Arc::new(Revocations::new(sources.clone(), REVOCATIONS)),
            metrics: metrics.clone(),
            sources,
        }
    }
}

/// Issuers, introspections, files of keys, and kinds of certificates.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    pub(super) issuers: BTreeMap<String, Arc<Issuer>>,
    pub(super) introspections: BTreeMap<String, Arc<Introspection>>,
    pub(super) keys: BTreeMap<String, Arc<KeyFile>>,
    pub(super) certificates: BTreeMap<String, Arc<Certificates>>,
}

impl Identities {
    /// Those of a checked table. What is as it was in `before` goes on with what it knows.
    pub(crate) fn new(table: &Table, before: &Self, shared: &Shared) -> Self {
        let issuers = table.issuers.iter().map(|(name, definition)| {
            let definition = definition.get_ref();
            let known = before.issuers.get(name);
            let known = known.filter(|known| known.definition == *definition);
            let make = || Arc::new(Issuer::new(name, definition, shared));
            (name.clone(), known.cloned().unwrap_or_else(make))
        });
        let introspections = table.introspections.iter().map(|(name, definition)| {
            let definition = definition.get_ref();
            let known = before.introspections.get(name);
            let known = known.filter(|known| known.definition == *definition);
            let make = || Arc::new(Introspection::new(name, definition, shared));
            (name.clone(), known.cloned().unwrap_or_else(make))
        });
        let keys = table.keys.iter().map(|(name, definition)| {
            let definition = definition.get_ref();
            let known = before.keys.get(name);
            let known = known.filter(|known| known.definition == *definition);
            let make = || Arc::new(KeyFile::new(name, definition));
            (name.clone(), known.cloned().unwrap_or_else(make))
        });
        let certificates = table.certificates.iter().map(|(name, definition)| {
            let definition = definition.get_ref();
            let known = before.certificates.get(name);
            let known = known.filter(|known| known.definition == *definition);
            let make = || Arc::new(Certificates::new(name, definition, shared));
            (name.clone(), known.cloned().unwrap_or_else(make))
        });
        Self {
            certificates: certificates.collect(),
            issuers: issuers.collect(),
            introspections: introspections.collect(),
            keys: keys.collect(),
        }
    }

    /// By what name `source` knows what is to be revoked; fails where it would know nothing by it.
    pub(crate) fn revocable<'a>(
        &self,
        source: &str,
        what: Revocation<'a>,
    ) -> Result<Cow<'a, str>, RevokeError> {
        if self.certificates.contains_key(source) {
            return match what {
                Revocation::Subject(name) => Ok(name.into()),
                Revocation::Token(written) => fingerprint_of(written)
                    .map(Cow::from)
                    .ok_or(RevokeError::NotAFingerprint),
            };
        }
        if self.issuers.contains_key(source) || self.introspections.contains_key(source) {
            return Ok(what.name().into());
        }
        Err(RevokeError::UnknownSource(source.to_owned()))
    }

    /// Reads the files of keys that have changed.
    pub(crate) fn refresh(&self) {
        self.keys.values().for_each(|file| file.refresh());
    }
}
