//! What keeps a process from starting, told like what is wrong with the configuration: which key,
//! what is wrong, where the value came from, what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use gateway::TableErrors;
use platform::config::{ConfigError, Layers};
use platform::db::{DatabaseUrl, DbError, MigrateError, reach};
use platform::metrics::Metrics;
use wire::tls::{LoadError, Use};

use crate::{Role, Settings};

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A database cannot be had.
    #[error("the database {url} of {role} cannot be had: {cause}")]
    Database {
        /// Whose.
        role: Role,
        /// The key of the configuration that says where it is.
        key: String,
        /// Where, without the password.
        url: String,
        /// The whole chain of causes.
        cause: String,
    },
    /// A schema cannot be brought up to date.
    #[error("the schema of {role} cannot be brought up to date: {source}")]
    Migrate {
        /// Whose.
        role: Role,
        /// Why.
        #[source]
        source: MigrateError,
    },
    /// A service cannot start.
    #[error("{role} cannot start: {source}")]
    Service {
        /// Which.
        role: Role,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table of routes is wrong.
    #[error("the table of routes is wrong:\n{0}")]
    Table(TableErrors),
    /// An address cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
    Bind {
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A certificate of the public listener cannot be used.
    #[error("{0}")]
    Certificate(#[source] LoadError),
}

impl StartError {
    /// The database of `role` failed with `error`.
    pub fn database(settings: &Settings, role: Role, error: &DbError) -> Self {
        Self::Database {
            role,
            key: settings.database_key(role),
            url: settings.databases[&role].url.to_string(),
            cause: chain(error),
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Database { key, .. } => key.clone(),
            Self::Bind { key, .. } => (*key).to_owned(),
            Self::Table(_) => String::from("gateway.routes"),
            Self::Certificate(error) => String::from(match error.used {
                Use::Certificate => "gateway.tls.certificates",
                Use::Authorities => "gateway.tls.client_ca",
                Use::Revoked => "gateway.tls.client_crl",
            }),
            Self::Migrate { .. } | Self::Service { .. } => String::new(),
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::Database { cause, url, .. } => database_remedy(cause, url),
            Self::Migrate { source, .. } => match source {
                MigrateError::Newer { .. } => "run the program that wrote it, or restore a backup",
                MigrateError::Db(_) => "look at the cause; `rialto migrate` tries again",
            }
            .to_owned(),
            Self::Service { .. } => String::from("look at the cause"),
            Self::Table(_) => {
                String::from("correct the file; `rialto gateway check` reads it again")
            }
            Self::Certificate(error) => error.remedy().to_owned(),
            Self::Bind { key, source, .. } => match source.kind() {
                std::io::ErrorKind::AddrInUse => format!(
                    "stop the process that listens there, or choose another address with \
                     --set {key}=HOST:PORT"
                ),
                _ => format!("choose an address of this machine with --set {key}=HOST:PORT"),
            },
        }
    }
}

fn database_remedy(cause: &str, url: &str) -> String {
    let says = |text: &str| cause.contains(text);
    let remedy = if url.starts_with("sqlite:") {
        "name a folder that this user may write to: sqlite:FOLDER"
    } else if says("password authentication failed") || says("no password") {
        "correct user and password: postgres://USER:PASSWORD@HOST:PORT/NAME"
    } else if says("role \"") && says("does not exist") {
        "correct the user, or create it: createuser NAME"
    } else if says("database \"") && says("does not exist") {
        "correct the name, or create it: createdb NAME"
    } else {
        "start the server, or correct host and port"
    };
    remedy.to_owned()
}

/// Everything that keeps a process from starting.
#[derive(Debug)]
pub struct StartErrors(pub Vec<StartError>);

impl StartErrors {
    /// What to tell: one entry for each cause, with the roles that it concerns.
    pub fn told(&self, layers: &Layers) -> Vec<ConfigError> {
        let mut told: Vec<ConfigError> = Vec::new();
        for (roles, error) in self.grouped() {
            let key = error.key();
            let problem = match error {
                StartError::Database { url, cause, .. } => {
                    let roles = roles.join(", ");
                    format!("the database {url} of {roles} cannot be had: {cause}")
                }
                error => error.to_string(),
            };
            told.push(ConfigError {
                origin: layers.origin(&key),
                key,
                problem,
                remedy: error.remedy(),
            });
        }
        told
    }

    /// One server that is away concerns many roles and is one cause.
    fn grouped(&self) -> Vec<(Vec<&'static str>, &StartError)> {
        let mut groups: Vec<(Vec<&'static str>, &StartError)> = Vec::new();
        let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for error in &self.0 {
            let StartError::Database {
                role, url, cause, ..
            } = error
            else {
                groups.push((Vec::new(), error));
                continue;
            };
            let next = groups.len();
            let group = *seen.entry((url, cause)).or_insert(next);
            if group == next {
                groups.push((Vec::new(), error));
            }
            groups[group].0.push(role.as_str());
        }
        groups
    }
}

impl fmt::Display for StartErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for StartErrors {}

impl From<wire::tls::LoadErrors> for StartErrors {
    fn from(errors: wire::tls::LoadErrors) -> Self {
        Self(errors.0.into_iter().map(StartError::Certificate).collect())
    }
}

impl From<StartError> for StartErrors {
    fn from(error: StartError) -> Self {
        Self(vec![error])
    }
}

/// Tries what a process with `roles` needs outside of itself, without changing anything: addresses
/// and databases. Keys in `wrong` are passed over: their values cannot be used.
pub async fn look_around(
    settings: &Settings,
    roles: &BTreeSet<Role>,
    wrong: &BTreeSet<String>,
) -> StartErrors {
    let mut errors = Vec::new();
    if roles.contains(&Role::Gateway)
        && let Err(unusable) = settings
            .gateway
            .fronts(settings.http.header_timeout, &Metrics::new())
    {
        errors.extend(StartErrors::from(unusable).0);
    }
    for (key, address) in settings.listen_addresses(roles) {
        if wrong.contains(key) {
            continue;
        }
        if let Err(source) = std::net::TcpListener::bind(address) {
            errors.push(StartError::Bind {
                key,
                address,
                source,
            });
        }
    }
    for role in roles.iter().copied().filter(|role| role.has_database()) {
        let url: &DatabaseUrl = &settings.databases[&role].url;
        if wrong.contains(&settings.database_key(role)) {
            continue;
        }
        if let Err(error) = reach(role.as_str(), url).await {
            errors.push(StartError::database(settings, role, &error));
        }
    }
    StartErrors(errors)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
