//! Who depends on whom: services know contracts, never each other.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::sources::{root, services};

/// The crates of the workspace with what each needs to build.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let needed = |package: &Value| {
        let all = package["dependencies"].as_array().expect("a list").iter();
        // What only tests need may close a circle.
        let built = all.filter(|dependency| dependency["kind"].is_null());
        built.map(|dependency| text(&dependency["name"])).collect()
    };
    let packages = metadata["packages"].as_array().expect("a list").iter();
    packages
        .map(|package| (text(&package["name"]), needed(package)))
        .collect()
}

#[test]
fn no_service_depends_on_another() {
    let dependencies = dependencies();
    let services: BTreeSet<String> = services()
        .iter()
        .map(|role| format!("rialto-{role}"))
        .collect();
    for service in &services {
        let known = &dependencies[service];
        let others: Vec<_> = known.intersection(&services).collect();
        assert!(others.is_empty(), "{service} depends on {others:?}");
        assert!(
            !known.contains("rialto-gateway"),
            "{service} depends on the gateway"
        );
    }
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies();
    let ours = |name: &str| -> Vec<&str> {
        let all = dependencies[name].iter().map(String::as_str);
        all.filter(|name| name.starts_with("rialto")).collect()
    };
    assert!(ours("rialto-kernel").is_empty());
    assert_eq!(ours("rialto-contracts"), ["rialto-kernel"]);
    assert!(ours("rialto-wire").is_empty(), "it knows nothing of shops");
    assert_eq!(ours("rialto-platform"), ["rialto-kernel", "rialto-wire"]);
    for outside in ["axum", "rusqlite", "tokio", "tokio-postgres", "hyper"] {
        assert!(
            !dependencies["rialto-kernel"].contains(outside),
            "{outside} in the kernel"
        );
        assert!(
            !dependencies["rialto-contracts"].contains(outside),
            "{outside} in contracts"
        );
    }
}
