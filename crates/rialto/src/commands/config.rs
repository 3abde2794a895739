//! `rialto config`.

use platform::config::{DEFAULTS, Shown};
use rialto::{Role, Settings};

use super::{Exit, Failure, Outcome, named};
use crate::cli::{ConfigCommand, Global};
use crate::terminal::{faint, good, say};

pub(crate) fn run(global: &Global, command: ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Check(roles) => check(global, &roles.roles),
        ConfigCommand::Show { defaults: true } => {
            say(DEFAULTS.trim_end())?;
            Ok(Exit::Done)
        }
        ConfigCommand::Show { defaults: false } => show(global),
    }
}

fn check(global: &Global, roles: &[Role]) -> Outcome {
    let roles = named(roles);
    match Settings::read(&global.layers(), &roles) {
        Ok(_) => {
            let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            say(format_args!(
                "{} the configuration is valid for {}",
                good("ok"),
                names.join(", ")
            ))?;
            Ok(Exit::Done)
        }
        Err(errors) => Err(Failure::start(&errors.0, &[])),
    }
}

/// Everything is shown even if something is wrong; that is told as well, and decides the code.
fn show(global: &Global) -> Outcome {
    let layers = global.layers();
    let (_, errors) = Settings::read_all(&layers, &Role::all());
    let shown = layers.show();
    let line = |shown: &Shown| format!("{} = {}", shown.key, shown.value);
    let width = shown.iter().map(|shown| line(shown).chars().count());
    let width = width.filter(|width| *width <= 60).max().unwrap_or(0);
    for shown in &shown {
        let origin = faint(format!("# {}", shown.origin));
        say(format_args!("{:width$}  {origin}", line(shown)))?;
    }
    match errors {
        None => Ok(Exit::Done),
        Some(errors) => Err(Failure::start(&errors.0, &[])),
    }
}
