//! Passwords and tokens are in no log and, but for those that are to be mailed, in no table.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::user::{PasswordResetRequested, UserRegistered};
use platform::sql;
use rialto::Role;
use serde_json::json;
use testkit::TestShop;
use tracing_subscriber::EnvFilter;

use crate::people::{Session, email, refresh, try_log_in};

const FIRST: &str = "first-secret-of-zoe";
const WRONG: &str = "wrong-secret-of-zoe";
const SECOND: &str = "second-secret-of-zoe";
const THIRD: &str = "third-secret-of-zoe";

/// Everything that this process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panics here")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to every thread: transactions do not run in that of the test.
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let started = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(
                "debug,user=trace,platform=trace,gateway=trace,rialto=trace",
            ))
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .try_init();
        started.expect("no other test of this binary listens");
        log
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().expect("nobody panics here");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Zoe does everything that has to do with secrets; returns those that were used.
async fn story(shop: &TestShop) -> Vec<String> {
    let body = json!({"email": email("zoe"), "password": FIRST, "name": "Zoe"});
    shop.client()
        .post("/v1/customers", body)
        .key("registration-of-zoe")
        .await
        .expect(201);
    try_log_in(shop, "zoe", WRONG)
        .await
        .problem(401, "user.wrong_credentials");
    let first = Session::of(try_log_in(shop, "zoe", FIRST).await);
    let zoe = shop.client().with_token(&first.access);
    let body = json!({"old_password": FIRST, "password": SECOND});
    zoe.put("/v1/customers/me/password", body).await.expect(204);
    let second = Session::of(refresh(shop, &first.refresh).await);
    shop.clock.advance(Duration::from_secs(60));
    refresh(shop, &first.refresh)
        .await
        .problem(401, "user.session_ended");
    let body = json!({"email": email("zoe")});
    shop.client()
        .post("/v1/auth/request-password-reset", body)
        .await
        .expect(202);
    shop.settle().await;
    let mailed = shop
        .announced::<PasswordResetRequested>()
        .await
        .remove(0)
        .reset_token;
    let body = json!({"token": mailed, "password": THIRD});
    shop.client()
        .post("/v1/auth/reset-password", body)
        .await
        .expect(204);
    let third = Session::of(try_log_in(shop, "zoe", THIRD).await);
    let verification = shop
        .announced::<UserRegistered>()
        .await
        .remove(0)
        .verification_token;
    let passwords = [FIRST, WRONG, SECOND, THIRD].map(ToOwned::to_owned);
    let sessions = [first, second, third].into_iter();
    let tokens = sessions.flat_map(|session| [session.access, session.refresh]);
    passwords
        .into_iter()
        .chain(tokens)
        .chain([mailed, verification])
        .collect()
}

/// What the tables of the user service hold, except the outbox and the inbox.
async fn tables(shop: &TestShop) -> Vec<String> {
    let tx = shop.db(Role::User).read().await.expect("a reader");
    let dumps = [
        sql!(
            sqlite: "SELECT json_array(hex(id), email, name, password_hash) FROM customers",
            postgres: "SELECT row_to_json(t)::text FROM customers t"
        ),
        sql!(
            sqlite: "SELECT json_array(hex(owner_id), hex(id), hex(token_hash),
                                       hex(previous_hash), hex(salt)) FROM sessions",
            postgres: "SELECT row_to_json(t)::text FROM sessions t"
        ),
        sql!(
            sqlite: "SELECT json_array(hex(customer_id), purpose, hex(token_hash)) FROM mail_tokens",
            postgres: "SELECT row_to_json(t)::text FROM mail_tokens t"
        ),
        sql!(
            sqlite: "SELECT json_array(scope, hex(fingerprint), body) FROM idempotency",
            postgres: "SELECT row_to_json(t)::text FROM idempotency t"
        ),
    ];
    let mut rows = Vec::new();
    for dump in dumps {
        let found = tx.all::<(String,)>(dump, &[]).await.expect("a dump");
        assert!(
            !found.is_empty(),
            "the story fills every table: {}",
            dump.sqlite
        );
        rows.extend(found.into_iter().map(|row| row.0.to_lowercase()));
    }
    rows
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn secrets_are_neither_logged_nor_kept() {
    let log = Log::start();
    let shop = TestShop::start().await;
    let secrets = story(&shop).await;
    let (log, rows) = (log.text(), tables(&shop).await);
    assert!(
        log.contains("a refresh token was used twice"),
        "the log is listened to"
    );
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
        let raw = URL_SAFE_NO_PAD
            .decode(&secret)
            .map_or(secret.clone(), |bytes| hex(&bytes));
        let shown = rows.iter().find(|row| row.contains(&secret.to_lowercase()));
        assert_eq!(shown, None, "{secret} is in a table");
        let shown = rows.iter().find(|row| row.contains(&raw));
        assert_eq!(shown, None, "the bytes of {secret} are in a table");
    }
    assert!(!log.contains(&email("zoe")), "addresses are personal");
    let hash = rows
        .iter()
        .find(|row| row.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(hash.is_some(), "passwords are hashed with argon2id");
}
