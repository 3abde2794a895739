//! `rialto migrate`.

use rialto::Role;

use super::{Exit, Outcome, database, named, settings};
use crate::cli::{Global, Migrate};
use crate::terminal::{good, odd, say};

pub(crate) async fn run(global: &Global, migrate: Migrate) -> Outcome {
    let (layers, settings) = settings(global)?;
    let roles = named(&migrate.roles);
    let mut left = 0;
    for role in roles.into_iter().filter(|role| role.has_database()) {
        let db = database(&layers, &settings, role).await?;
        let names = if migrate.check {
            db.pending(rialto::migrations(role)).await?
        } else {
            db.migrate(rialto::migrations(role)).await?
        };
        db.close().await;
        tell(role, &names, migrate.check)?;
        left += if migrate.check { names.len() } else { 0 };
    }
    Ok(if left == 0 { Exit::Done } else { Exit::Look })
}

fn tell(role: Role, names: &[String], check: bool) -> std::io::Result<()> {
    let (role, names) = (role.as_str(), names.join(", "));
    match (names.is_empty(), check) {
        (true, _) => say(format_args!("{role:13} {}", good("up to date"))),
        (false, true) => say(format_args!("{role:13} {} {names}", odd("pending:"))),
        (false, false) => say(format_args!("{role:13} {} {names}", good("applied:"))),
    }
}
