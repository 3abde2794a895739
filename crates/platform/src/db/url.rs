//! Which engine, and where.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::config::{Host, SslMode};

/// The address of a database: `sqlite:FOLDER` or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
/// Debug and display hide the password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A folder with one file per role.
    Sqlite(PathBuf),
    /// A database with one schema per role. TLS is demanded unless the host is this machine or
    /// the URL says `sslmode=disable`.
    Postgres(Box<tokio_postgres::Config>),
}

/// The text is not the address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// No engine has this scheme.
    #[error("unknown scheme `{0}:`; use sqlite:FOLDER or postgres://USER:PASSWORD@HOST/NAME")]
    Scheme(String),
    /// The folder is missing.
    #[error("sqlite: needs a folder, such as sqlite:rialto-data")]
    NoFolder,
    /// PostgreSQL's part cannot be read.
    #[error("malformed postgres URL: {0}")]
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once(':') {
            Some(("sqlite", "")) => Err(InvalidUrl::NoFolder),
            Some(("sqlite", folder)) => Ok(Self::Sqlite(folder.trim_start_matches("//").into())),
            Some(("postgres" | "postgresql", _)) => postgres(url),
            Some((scheme, _)) => Err(InvalidUrl::Scheme(scheme.to_owned())),
            None => Err(InvalidUrl::Scheme(String::new())),
        }
    }
}

fn postgres(url: &str) -> Result<DatabaseUrl, InvalidUrl> {
    let mut config: tokio_postgres::Config =
        url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            InvalidUrl::Postgres(cause.unwrap_or_else(|| error.to_string()))
        })?;
    if config.get_hosts().is_empty() {
        return Err(InvalidUrl::Postgres(String::from("the host is missing")));
    }
    if !url.contains("sslmode=") {
        let here = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name == "::1" || name.starts_with("127."),
            Host::Unix(_) => true,
        });
        config.ssl_mode(if here {
            SslMode::Disable
        } else {
            SslMode::Require
        });
    }
    Ok(DatabaseUrl::Postgres(Box::new(config)))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(folder) => write!(f, "sqlite:{}", folder.display()),
            Self::Postgres(config) => {
                f.write_str("postgres://")?;
                if let Some(user) = config.get_user() {
                    write!(f, "{user}@")?;
                }
                for (index, host) in config.get_hosts().iter().enumerate() {
                    let port = config.get_ports().get(index).copied().unwrap_or(5432);
                    match host {
                        Host::Tcp(name) => write!(f, "{name}:{port}")?,
                        Host::Unix(path) => write!(f, "{}:{port}", path.display())?,
                    }
                }
                write!(f, "/{}", config.get_dbname().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssl_mode(url: &str) -> SslMode {
        match url.parse() {
            Ok(DatabaseUrl::Postgres(config)) => config.get_ssl_mode(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tls_is_the_default_off_this_machine() {
        assert_eq!(
            ssl_mode("postgres://shop@db.example/shop"),
            SslMode::Require
        );
        assert_eq!(ssl_mode("postgres://shop@127.0.0.1/shop"), SslMode::Disable);
        assert_eq!(
            ssl_mode("postgres://shop@db/shop?sslmode=disable"),
            SslMode::Disable
        );
    }

    #[test]
    fn shows_no_password() {
        let url: DatabaseUrl = "postgres://shop:hunter2@127.0.0.1:6432/shop"
            .parse()
            .expect("url");
        assert_eq!(format!("{url:?}"), "postgres://shop@127.0.0.1:6432/shop");
    }

    #[test]
    fn refuses_other_schemes() {
        assert!(matches!(
            "mysql://x".parse::<DatabaseUrl>(),
            Err(InvalidUrl::Scheme(_))
        ));
        assert!(matches!(
            "sqlite:".parse::<DatabaseUrl>(),
            Err(InvalidUrl::NoFolder)
        ));
        assert!(matches!(
            "postgres://x:y".parse::<DatabaseUrl>(),
            Err(InvalidUrl::Postgres(_))
        ));
    }
}
