//! The default file is the single source of defaults: every key in it is read, and explained.

use platform::config::{DEFAULTS, Layers};
use rialto::{Role, Settings};

#[test]
fn every_default_is_read_and_valid() {
    // A key that no part reads is unknown, and that is an error.
    let settings = Settings::read(&Layers::defaults(), &Role::all());
    assert!(settings.is_ok(), "{}", settings.unwrap_err());
}

#[test]
fn every_key_is_explained() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let key = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| !key.starts_with('#'))
    };
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| key(line)) {
        let above = lines[..number].iter().rev();
        let mut above = above.skip_while(|line| key(line) || line.starts_with('['));
        let explained = above.next().is_some_and(|line| line.starts_with('#'));
        assert!(
            explained,
            "line {}: `{line}` has no comment above it",
            number + 1
        );
    }
}

#[test]
fn a_lease_outlives_the_requests_that_hold_it() {
    let mut layers = Layers::defaults();
    layers.flag("http.deadline", "20s");
    let wrong = Settings::read(&layers, &Role::all()).expect_err("the lease is as long");
    let wrong = wrong.to_string();
    let told = "order.lease: 20s is not longer than http.deadline, 20s";
    assert!(wrong.contains(told), "{wrong}");
}

#[test]
fn stock_is_held_for_longer_than_a_payment_is_waited_for() {
    let mut layers = Layers::defaults();
    layers.flag("order.payment_timeout", "3590s");
    let wrong = Settings::read(&layers, &Role::all()).expect_err("the lease comes on top");
    let wrong = wrong.to_string();
    let told =
        "order.reservation_ttl: 3600s is not longer than order.payment_timeout and order.lease";
    assert!(wrong.contains(told), "{wrong}");
}

#[test]
fn secrets_are_not_shown() {
    let secret = "a secret of more than thirty-two characters";
    let mut layers = Layers::defaults();
    layers.flag("internal.key", secret);
    layers.flag("payment.test_webhook_secret", secret);
    layers.flag("database.url", "postgres://shop:hunter2@db.example/shop");
    layers.flag(
        "database.roles.user",
        "postgres://shop:hunter2@db.example/users",
    );
    let (_, _) = Settings::read_all(&layers, &Role::all());
    let shown: Vec<String> = layers
        .show()
        .iter()
        .map(|shown| format!("{} = {}", shown.key, shown.value))
        .collect();
    let shown = shown.join("\n");
    assert!(
        !shown.contains(secret) && !shown.contains("hunter2"),
        "{shown}"
    );
    assert!(shown.contains("internal.key = [redacted]"), "{shown}");
    assert!(
        shown.contains("postgres://shop:[redacted]@db.example/shop"),
        "{shown}"
    );
}

#[test]
fn passwords_are_not_shown_in_errors() {
    let mut layers = Layers::defaults();
    layers.flag("database.url", "mysql://shop:hunter2@db.example/shop");
    let errors = Settings::read(&layers, &Role::all()).expect_err("no such engine");
    assert!(!errors.to_string().contains("hunter2"), "{errors}");
}
