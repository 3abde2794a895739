//! Templates of the shop's own.

use std::path::Path;

use platform::config::Layers;
use rialto::{Role, Settings};
use tempfile::TempDir;
use testkit::TestShop;

use crate::announce::{announce, registered};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// What a start with these templates would complain about.
fn complaints(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let mut layers = Layers::defaults();
    layers.flag("notification.templates", &folder);
    let errors = Settings::read(&layers, &Role::all()).expect_err("the templates are broken");
    let shown = errors.0.iter().map(|error| {
        assert_eq!(error.key, "notification.templates");
        error.problem.replace(&folder, "FOLDER")
    });
    shown.collect()
}

#[tokio::test]
async fn a_file_replaces_the_template_of_its_name() {
    let html = "{% extends 'layout.html' %}{% block content %}Ahoy, {{ name }}{% endblock %}";
    let folder = folder(&[
        (
            "welcome.subject",
            "Ahoy, {{ name }}!\r\nBcc: everybody@example.com\n",
        ),
        ("welcome.txt", "Ahoy, {{ name }} & co"),
        ("welcome.html", html),
    ]);
    let shop = TestShop::builder()
        .set("notification.templates", folder.path().display())
        .set("notification.shop_name", "The <Gull & sons>")
        .start()
        .await;
    announce(&shop, Role::User, registered(&shop, "Ada <Lovelace>")).await;
    let mails = shop.mails_to("ada@example.com").await;
    let subject = "Ahoy, Ada <Lovelace>! Bcc: everybody@example.com";
    let welcome = mails.iter().find(|mail| mail.subject == subject);
    let welcome = welcome.expect("a subject of one line, whatever the template says");
    assert_eq!(welcome.text, "Ahoy, Ada <Lovelace> & co");
    assert!(welcome.html.contains("Ahoy, Ada &lt;Lovelace&gt;"));
    assert!(welcome.html.contains("The &lt;Gull &amp; sons&gt;"));
}

#[test]
fn a_broken_template_is_named_with_its_line() {
    let folder = folder(&[("welcome.txt", "Hello\n\n{% if name %}never closed")]);
    let complaints = complaints(folder.path());
    let expected = "template FOLDER/welcome.txt line 3: syntax error: ";
    assert!(complaints[0].starts_with(expected), "{complaints:?}");
    assert_eq!(complaints.len(), 1, "{complaints:?}");
}

#[test]
fn a_variable_that_no_mail_has_is_found_at_the_start() {
    let text = "{% if carrier %}\n{{ carier }}\n{% endif %}";
    let folder = folder(&[("order_shipped.html", text)]);
    let complaints = complaints(folder.path());
    let expected = "template FOLDER/order_shipped.html line 2: undefined value";
    assert!(complaints[0].starts_with(expected), "{complaints:?}");
    assert_eq!(complaints.len(), 1, "{complaints:?}");
}

#[test]
fn a_file_that_replaces_nothing_is_a_mistake() {
    let folder = folder(&[("wellcome.txt", "Hello"), (".gitignore", "*")]);
    let expected = "template FOLDER/wellcome.txt: no mail uses a template of this name";
    assert_eq!(complaints(folder.path()), [expected]);
}

#[test]
fn a_missing_folder_is_an_error() {
    let complaints = complaints(Path::new("/nowhere/at/all"));
    assert!(complaints[0].contains("the folder cannot be read"));
}

#[test]
fn only_a_process_that_writes_mails_needs_its_templates() {
    let mut layers = Layers::defaults();
    layers.flag("notification.templates", "/nowhere/at/all");
    layers.flag("internal.key", "a key that is only used by this test");
    layers.flag("peers.notification", "http://127.0.0.1:1");
    layers.flag("peers.user", "http://127.0.0.1:1");
    let roles = [Role::Product].into();
    Settings::read(&layers, &roles).expect("the product service writes no mails");
}
