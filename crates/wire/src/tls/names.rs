//! Which certificate a client gets: that of the name which it asks for (RFC 6066, section 3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates by name. One name may have several, with keys of different kinds.
#[derive(Debug)]
pub(super) struct ByName {
    names: HashMap<String, Vec<Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    /// Names are in lower case, and may begin with `*.`.
    pub(super) fn new(default: Arc<CertifiedKey>) -> Self {
        let names = HashMap::new();
        Self { names, default }
    }

    pub(super) fn insert(&mut self, name: &str, key: &Arc<CertifiedKey>) {
        let keys = self.names.entry(name.to_owned()).or_default();
        keys.push(key.clone());
    }

    /// The certificates for a name: its own ones before those of its siblings (RFC 6125, 6.4.3:
    /// the asterisk stands for one label).
    fn of(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        let name = name.to_ascii_lowercase();
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.names.get(&format!("*.{parent}"))
        };
        let keys = self.names.get(&name).or_else(wildcard)?;
        Some(keys)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| self.of(name));
        let keys = asked.unwrap_or(std::slice::from_ref(&self.default));
        let schemes = hello.signature_schemes();
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        keys.iter().find(fits).or(keys.first()).cloned()
    }
}
