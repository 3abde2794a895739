//! `peers`: where the roles are that a process does not run.

use std::collections::{BTreeMap, BTreeSet};

use http::Uri;
use platform::config::{Layers, Section};

use crate::Role;

/// Stands for instances that announce themselves.
const ANNOUNCED: &str = "announced:";

/// Where the roles are that this process does not run, and the gateways that it tells of itself.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    addresses: BTreeMap<Role, Vec<Uri>>,
    announced: BTreeSet<Role>,
}

impl Peers {
    /// Reads the section.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut peers = Self::default();
        for role in Role::ALL.iter().copied() {
            let texts: Vec<String> = section.list(role.as_str());
            let (announced, named): (Vec<_>, Vec<_>) =
                texts.into_iter().partition(|text| text == ANNOUNCED);
            if !announced.is_empty() {
                peers.announced.insert(role);
            }
            let addresses = named.iter().filter_map(|text| {
                let address = address(text);
                if address.is_none() {
                    section.report(
                        role.as_str(),
                        format!("`{text}` is not the address of an internal listener"),
                        "write it as http://HOST:PORT",
                    );
                }
                address
            });
            peers.addresses.insert(role, addresses.collect());
        }
        peers
    }

    /// The internal listeners of `role` that the configuration names.
    pub fn of(&self, role: Role) -> &[Uri] {
        self.addresses.get(&role).map_or(&[], Vec::as_slice)
    }

    /// Whether instances of `role` announce themselves here.
    pub fn announced(&self, role: Role) -> bool {
        self.announced.contains(&role)
    }

    /// Whether it is said where `role` is.
    pub(super) fn know(&self, role: Role) -> bool {
        self.announced(role) || !self.of(role).is_empty()
    }

    /// Reports what a process with `roles` cannot do.
    pub(super) fn check(&self, layers: &Layers, roles: &BTreeSet<Role>) {
        let gateway = self.announced(Role::Gateway).then_some(Role::Gateway);
        let deaf = (!roles.contains(&Role::Gateway)).then_some(&self.announced);
        for role in deaf.into_iter().flatten().copied().chain(gateway) {
            layers.report(
                &format!("peers.{role}"),
                format!("is `{ANNOUNCED}`, but services announce themselves, and only to gateways"),
                format!("write http://HOST:PORT of the internal listener of {role}"),
            );
        }
    }
}

fn address(text: &str) -> Option<Uri> {
    let address: Uri = text.parse().ok()?;
    (address.scheme_str() == Some("http") && address.authority().is_some()).then_some(address)
}
