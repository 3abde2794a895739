//! The notification service: mails.
//!
//! **Owns** the mails that were written, as long as they are kept; their templates.
//!
//! **States**: none. A mail is written in the transaction that remembers its event, so it is
//! written once, and again only if a person replays the event.
//!
//! **Announces** nothing. **Listens** to registrations and passwords of the user service, and to
//! placed, shipped and cancelled orders.

mod config;
mod consume;
mod error;
mod http;
mod letter;
mod mailbox;
mod store;
mod template;

use std::sync::Arc;
use std::time::Duration;

use contracts::order::{OrderCancelled, OrderPlaced, OrderShipped};
use contracts::user::{
    PasswordChanged, PasswordResetRequested, UserRegistered, VerificationRequested,
};
use kernel::Event;
use platform::db::{Db, DbError, Migration};
use platform::tasks::TaskGroup;

pub use self::config::{Config, MailUrl};
pub use self::error::NotificationError;
pub use self::http::routes;
pub use self::letter::MailKind;
pub use self::mailbox::{Mail, list_mails, show_mail};
use self::template::Templates;
pub use self::template::{BUILT_IN as TEMPLATES, TemplateError};

/// The schema.
pub const MIGRATIONS: &[Migration] = platform::migrations!["0001_notifications"];

/// The types of events that this service listens to.
pub const SUBSCRIPTIONS: &[&str] = &[
    UserRegistered::TYPE,
    VerificationRequested::TYPE,
    PasswordResetRequested::TYPE,
    PasswordChanged::TYPE,
    OrderPlaced::TYPE,
    OrderShipped::TYPE,
    OrderCancelled::TYPE,
];

/// How often old mails are swept out.
const PRUNE: Duration = Duration::from_secs(60);

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Its database.
    pub db: Db,
    /// Its settings.
    pub config: Config,
}

/// The notification service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct NotificationService {
    db: Db,
    templates: Templates,
    config: Arc<Config>,
}

impl NotificationService {
    /// Starts the service; fails if a template does not work.
    pub async fn build(deps: Deps) -> Result<Self, NotificationError> {
        let Deps { db, config } = deps;
        let templates = Templates::load(&config);
        let templates = templates.map_err(|mut errors| errors.swap_remove(0))?;
        let config = Arc::new(config);
        Ok(Self {
            db,
            templates,
            config,
        })
    }

    /// Starts what it does in the background.
    pub fn start(&self, tasks: &TaskGroup) {
        let (service, shutdown) = (self.clone(), tasks.shutdown().clone());
        tasks.spawn("mailbox", async move {
            while shutdown.sleep(PRUNE).await {
                if let Err(error) = service.prune().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "old mails stay for now");
                }
            }
        });
    }

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        self.prune().await
    }

    async fn prune(&self) -> Result<(), DbError> {
        let before = self.db.sources().now().minus(self.config.keep);
        let work = move |tx| async move { store::prune(&tx, before).await };
        self.db.write(work).await.map(drop)
    }
}

/// Tries out the templates of `config`; returns every one that does not work.
pub fn check_templates(config: &Config) -> Vec<TemplateError> {
    Templates::load(config).err().unwrap_or_default()
}
