//! `rialto staff create`: where the first member of staff comes from.

use std::io::{self, BufRead, IsTerminal};

use base64::Engine as _;
use console::Term;
use kernel::Sources;
use rialto::Role;

use super::{Exit, Failure, Outcome, migrated, settings};
use crate::cli::{CreateStaff, Global, StaffCommand};
use crate::terminal::{good, odd, say};

pub(crate) async fn run(global: &Global, command: StaffCommand) -> Outcome {
    let StaffCommand::Create(create) = command;
    let (layers, settings) = settings(global)?;
    let db = migrated(&layers, &settings, Role::User).await?;
    let given = password(&create)?;
    let generated = given.is_none();
    let password = given.unwrap_or_else(generate);
    let CreateStaff {
        email, name, roles, ..
    } = &create;
    let id = user::create_staff(&db, email.as_str(), name, &password, roles).await?;
    db.close().await;
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    say(format_args!(
        "{} {email} is {id}, {}",
        good("created"),
        roles.join(", ")
    ))?;
    if generated {
        say(format_args!(
            "{} {password}",
            odd("password, shown this once:")
        ))?;
    }
    Ok(Exit::Done)
}

/// The password that was given; `None` to generate one.
fn password(create: &CreateStaff) -> Result<Option<String>, Failure> {
    if create.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        let password = line.trim_end_matches(['\r', '\n']).to_owned();
        if password.is_empty() {
            return Err(Failure::usage(
                "--password-stdin, but standard input has no first line",
            ));
        }
        return Ok(Some(password));
    }
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let terminal = Term::stderr();
    terminal.write_str("Password (empty to generate one): ")?;
    let password = terminal.read_secure_line()?;
    if password.is_empty() {
        return Ok(None);
    }
    terminal.write_str("Once more: ")?;
    if terminal.read_secure_line()? != password {
        return Err(Failure::usage("the two passwords differ"));
    }
    Ok(Some(password))
}

/// 120 random bits.
fn generate() -> String {
    let bytes = Sources::system().random::<15>();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
