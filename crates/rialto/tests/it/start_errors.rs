//! What keeps a server from starting is told all at once: key, source, remedy.

use std::net::TcpListener;

use crate::program::{Run, run};

fn serve(arguments: &[&str]) -> Run {
    serve_at("127.0.0.1:0", arguments)
}

fn serve_at(address: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let free = "admin.listen=127.0.0.1:0";
    let mut all = vec!["serve", "--listen", address, "--set", free];
    all.extend(arguments);
    run(folder.path(), &all)
}

/// Each line is in the text, in this order.
#[track_caller]
fn told(text: &str, lines: &[&str]) {
    let mut rest = text;
    for line in lines {
        let Some((_, after)) = rest.split_once(line) else {
            panic!("`{line}` is missing, or in another place, in:\n{text}");
        };
        rest = after;
    }
}

/// Key, source and remedy of each error of the test below.
const EVERYTHING: &[[&str; 3]] = &[
    [
        "http.deadline: `soon`",
        "shop.toml line 2",
        "remedy: expected a duration",
    ],
    [
        "database.url: `oracle://shop:[redacted]@db/x`",
        "shop.toml line 5",
        "use sqlite:FOLDER",
    ],
    [
        "bus.url: `kafka://x`",
        "the flag --set bus.url",
        "remedy: this version has database:",
    ],
    [
        "cache.url: `memcached://x`",
        "the flag --set cache.url",
        "remedy: unknown kind of cache; this version has memory: and redis://HOST",
    ],
    [
        "mail.url: `carrier-pigeon:`",
        "--set mail.url",
        "remedy: this version has mailbox:",
    ],
    [
        "peers.user: cart, order needs user",
        "built-in default",
        "set peers.user = ",
    ],
    ["peers.product", "built-in default", "or add --role product"],
    [
        "peers.notification",
        "built-in default",
        "or add --role notification",
    ],
    [
        "internal.key: is empty",
        "built-in default",
        "RIALTO__INTERNAL__KEY",
    ],
    [
        "gateway.listn: unknown key",
        "the flag --set gateway.listn",
        "`gateway.listen`?",
    ],
    [
        "admin.listen: 127.0.0.1:",
        "the flag --set admin.listen",
        "choose another address",
    ],
];

#[test]
fn everything_is_told_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = format!("admin.listen={}", taken.local_addr().expect("bound"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.toml");
    let text = "[http]\ndeadline = \"soon\"\n\n[database]\nurl = \"oracle://shop:hunter2@db/x\"\n";
    std::fs::write(&file, text).expect("written");
    let arguments = [
        "serve",
        "--role",
        "order",
        "--role",
        "cart",
        "--config",
        "shop.toml",
        "--set",
        &taken,
        "--set",
        "gateway.listn=1",
        "--set",
        "mail.url=carrier-pigeon:",
        "--set",
        "bus.url=kafka://x",
        "--set",
        "cache.url=memcached://x",
    ];
    let failed = run(folder.path(), &arguments).exits(2).err;
    told(&failed, &["error: 11 things keep Rialto from starting:"]);
    for lines in EVERYTHING {
        told(&failed, lines);
    }
    assert!(!failed.contains("hunter2"), "{failed}");
}

#[test]
fn a_taken_address_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let failed = serve_at(&address, &[]).exits(3).err;
    let lines = [
        "gateway.listen: 127.0.0.1:",
        "from:   the flag --listen",
        "or choose another address with --set gateway.listen=HOST:PORT",
    ];
    told(&failed, &lines);
}

#[test]
fn databases_that_are_away_are_told_once_for_all_roles() {
    let away = "database.url=postgres://shop:hunter2@127.0.0.1:1/shop";
    let failed = serve(&["--set", away]).exits(3).err;
    let lines = [
        "error: 1 thing keeps Rialto from starting:",
        "database.url: the database postgres://shop@127.0.0.1:1/shop of user, product, cart, order, feed, notification",
        "from:   the flag --set database.url",
        "remedy: start the server, or correct host and port",
    ];
    told(&failed, &lines);
    assert!(!failed.contains("hunter2"), "{failed}");
}

#[test]
fn a_wrong_password_is_told_without_showing_it() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by their runner"
    )]
    let server = std::env::var("TEST_DATABASE_URL").unwrap_or_default();
    let Some((_, place)) = server.rsplit_once('@') else {
        return;
    };
    // A server that asks for no password refuses the user, who does not exist.
    let url = format!("database.roles.cart=postgres://rialto_nobody:hunter2@{place}");
    let failed = serve(&["--set", &url]).exits(3).err;
    told(
        &failed,
        &[
            "database.roles.cart: the database postgres://rialto_nobody@",
            "of cart cannot",
        ],
    );
    told(
        &failed,
        &[
            "from:   the flag --set database.roles.cart",
            "remedy: correct",
        ],
    );
    assert!(!failed.contains("hunter2"), "{failed}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let failed = serve(&["--set", "database.url=sqlite:/proc/nowhere"])
        .exits(3)
        .err;
    told(
        &failed,
        &[
            "database.url: the database sqlite:/proc/nowhere of user",
            "remedy: name a folder",
        ],
    );
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let failed = serve(&["--config", "nowhere.toml"]).exits(2).err;
    told(
        &failed,
        &[
            "the file cannot be read",
            "nowhere.toml",
            "remedy: name a readable TOML file",
        ],
    );
}

#[test]
fn what_stands_before_the_first_request_must_fit_together() {
    let failed = serve(&[
        "--set",
        "gateway.proxy_protocol=required",
        "--set",
        "gateway.redirect_listen=127.0.0.1:0",
        "--set",
        "gateway.tls.client_auth=required",
        "--set",
        "gateway.trusted=[\"10.1.2.3/8\"]",
        "--set",
        "gateway.forwarded=via",
    ]);
    let failed = failed.exits(2).err;
    for lines in [
        [
            "gateway.trusted: `10.1.2.3/8`",
            "remedy: the address has bits behind the prefix",
        ],
        [
            "gateway.forwarded: `via`",
            "remedy: expected x-forwarded or forwarded",
        ],
        ["gateway.proxy_protocol: is required", "gateway.trusted = "],
        [
            "gateway.redirect_listen: leads to HTTPS",
            "set gateway.tls.certificates",
        ],
        ["gateway.tls.client_ca: is empty", "name a PEM file"],
    ] {
        told(&failed, &lines);
    }
}

#[test]
fn a_revocation_list_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let (certificate, key) = (
        write("a.pem", made.cert.pem()),
        write("a.key", made.signing_key.serialize_pem()),
    );
    let pair = format!(
        "gateway.tls.certificates=[{{ certificate = \"{certificate}\", key = \"{key}\" }}]"
    );
    let failed = serve(&[
        "--set",
        &pair,
        "--set",
        "gateway.tls.client_auth=optional",
        "--set",
        &format!("gateway.tls.client_ca={certificate}"),
        "--set",
        &format!("gateway.tls.client_crl={certificate}"),
    ]);
    let lines = [
        "gateway.tls.client_crl: ",
        "a.pem: holds no revocation list",
        "the flag --set gateway.tls.client_crl",
        "X509 CRL",
    ];
    told(&failed.exits(3).err, &lines);
}

#[test]
fn a_certificate_that_cannot_be_used_is_told() {
    let pair = "gateway.tls.certificates=[{ certificate = \"nowhere.pem\", key = \"k.pem\" }]";
    let failed = serve(&["--set", pair]).exits(3).err;
    let lines = [
        "gateway.tls.certificates: nowhere.pem: cannot be read",
        "the flag --set gateway.tls.certificates",
        "remedy: correct the path",
    ];
    told(&failed, &lines);
    let wrong = "gateway.tls.certificates=[{ cert = \"a\" }]";
    let failed = serve(&["--set", wrong]).exits(2).err;
    told(
        &failed,
        &[
            "gateway.tls.certificates",
            "remedy: expected { certificate = ",
        ],
    );
}
