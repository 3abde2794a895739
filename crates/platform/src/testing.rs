//! Databases for tests: a temporary folder with SQLite files, or, where `TEST_DATABASE_URL` names
//! a PostgreSQL server, a fresh database on it. And Redis servers.

mod redis;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kernel::Sources;

use crate::db::{DatabaseUrl, Db, DbSettings, Migration};
use crate::metrics::DbMetrics;

pub use self::redis::TestRedis;

/// A database of its own for one test. The folder goes when the last clone does; databases on a
/// server stay until the server, which tests start for themselves, goes.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    url: String,
    _folder: Option<Arc<tempfile::TempDir>>,
}

impl TestDatabase {
    /// An empty database.
    pub async fn create() -> Self {
        match server() {
            None => Self::folder(),
            Some(server) => Self {
                url: create(&server, None).await,
                _folder: None,
            },
        }
    }

    /// A copy of the template `name`, which `prepare` fills once per server: much faster than
    /// migrating each time. On SQLite an empty folder: migrating that is fast already.
    pub async fn from_template<F: Future<Output = ()>>(
        name: &str,
        prepare: impl FnOnce(String) -> F,
    ) -> Self {
        let Some(server) = server() else {
            return Self::folder();
        };
        let client = connect(&server).await;
        client
            .batch_execute("SELECT pg_advisory_lock(4711)")
            .await
            .expect("lock");
        let known = client
            .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
            .await
            .expect("list databases");
        if known.is_none() {
            let draft = format!("{name}_draft");
            let url = with_database(&server, &draft);
            client
                .batch_execute(&format!("DROP DATABASE IF EXISTS \"{draft}\""))
                .await
                .expect("drop");
            client
                .batch_execute(&format!("CREATE DATABASE \"{draft}\""))
                .await
                .expect("create");
            prepare(url).await;
            let publish = format!("ALTER DATABASE \"{draft}\" RENAME TO \"{name}\"");
            client
                .batch_execute(&publish)
                .await
                .expect("nobody is connected to the template");
        }
        client
            .batch_execute("SELECT pg_advisory_unlock(4711)")
            .await
            .expect("unlock");
        Self {
            url: create(&server, Some(name)).await,
            _folder: None,
        }
    }

    /// A folder of SQLite files, whatever the environment says.
    pub fn folder() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().display());
        Self {
            url,
            _folder: Some(Arc::new(folder)),
        }
    }

    /// The address, as the configuration takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder, on SQLite.
    pub fn path(&self) -> Option<PathBuf> {
        self.url.strip_prefix("sqlite:").map(PathBuf::from)
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.path().is_none()
    }

    /// Small pools, as tests need.
    pub fn settings(&self) -> DbSettings {
        let url: DatabaseUrl = self.url.parse().expect("a database URL");
        DbSettings {
            url,
            write_connections: 4,
            read_connections: 2,
            queue: 1_000,
            wait: Duration::from_secs(10),
        }
    }

    /// Opens the database of `role` and migrates it.
    pub async fn open(&self, role: &'static str, migrations: &'static [Migration]) -> Db {
        let settings = self.settings();
        let db = Db::open(role, &settings, Sources::system(), DbMetrics::default()).await;
        let db = db.expect("the test database opens");
        db.migrate(migrations)
            .await
            .expect("the test database migrates");
        db
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by their runner"
)]
fn server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

async fn create(server: &str, template: Option<&str>) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{count}", std::process::id());
    let client = connect(server).await;
    let _ = client
        .batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\""))
        .await;
    let from = template
        .map(|from| format!(" TEMPLATE \"{from}\""))
        .unwrap_or_default();
    let made = client
        .batch_execute(&format!("CREATE DATABASE \"{name}\"{from}"))
        .await;
    made.expect("the server of TEST_DATABASE_URL makes databases");
    with_database(server, &name)
}

fn with_database(server: &str, name: &str) -> String {
    let (head, query) = server
        .split_once('?')
        .map_or((server, ""), |(head, query)| (head, query));
    let base = head.rsplit_once('/').map_or(head, |(base, _)| base);
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    format!("{base}/{name}{query}")
}

async fn connect(server: &str) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(server, tokio_postgres::NoTls).await;
    let (client, driver) = connected.expect("TEST_DATABASE_URL names a PostgreSQL server");
    #[expect(clippy::disallowed_methods, reason = "ends with the client")]
    tokio::spawn(driver);
    client
}
