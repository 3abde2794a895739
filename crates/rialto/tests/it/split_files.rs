//! The files of `config/split` belong together: each role finds the others where they listen.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use platform::config::Layers;
use rialto::{Role, Settings};

use crate::sources::root;

fn settings(role: Role) -> Settings {
    let mut layers = Layers::defaults();
    layers.file(&root().join(format!("config/split/{role}.toml")));
    layers.flag("internal.key", "the key that the environment would bring");
    match Settings::read(&layers, &[role].into()) {
        Ok(settings) => settings,
        Err(errors) => panic!("{role}: {errors}"),
    }
}

#[test]
fn each_role_finds_the_others() {
    let all: BTreeMap<Role, Settings> = Role::ALL
        .iter()
        .map(|role| (*role, settings(*role)))
        .collect();
    let mut taken: BTreeMap<SocketAddr, Role> = BTreeMap::new();
    for (role, settings) in &all {
        for (key, address) in settings.listen_addresses(&[*role].into()) {
            let other = taken.insert(address, *role);
            assert_eq!(
                other, None,
                "{key} of {role} is {address}, like another one"
            );
        }
        for needed in role.needs() {
            let listens = all[needed].internal.listen.to_string();
            let peers: Vec<_> = settings.peers.of(*needed).iter().collect();
            let found = peers.iter().filter_map(|peer| peer.authority());
            let found: Vec<&str> = found.map(|authority| authority.as_str()).collect();
            assert_eq!(found, [listens], "where {role} looks for {needed}");
        }
    }
}

#[test]
fn the_key_is_not_in_the_files() {
    for role in Role::ALL {
        let mut layers = Layers::defaults();
        layers.file(&root().join(format!("config/split/{role}.toml")));
        let errors = Settings::read(&layers, &[*role].into()).expect_err("no key");
        let keys: Vec<&str> = errors.0.iter().map(|error| error.key.as_str()).collect();
        assert_eq!(keys, ["internal.key"], "{role}");
    }
}
