//! The command line: what can be asked, and the help that explains it.

mod transfer;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use contracts::notification::MailId;
use gateway::export::Host;
use kernel::{Email, EventId, StaffRole};
use platform::config::Layers;
use rialto::Role;

pub(crate) use self::transfer::{ExportCommand, ImportCommand, ImportProducts};

const AFTER: &str = "\
Examples:
  rialto serve --demo                        a whole shop with goods in it, to try
  rialto serve                               a whole shop on SQLite
  rialto serve --config shop.toml --role order --role cart
                                             two roles of a larger set-up
  rialto config check --config shop.toml     what is wrong with a configuration

Exit codes:
  0  done
  1  failed
  2  the command line or the configuration is wrong
  3  something outside is not as configured: an address is taken, a database is away
  4  done, but look at it: migrations are pending, rows were rejected, a check failed";

/// A headless commerce backend: one program, from a single file to many machines.
#[derive(Debug, Parser)]
#[command(name = "rialto", version, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The configuration file; ./rialto.toml is read if it exists
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RIALTO_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// Sets one key of the configuration, such as gateway.listen=127.0.0.1:9000; more than once
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
}

impl Global {
    /// The configuration of this process, not yet read: defaults, file, environment, flags.
    pub(crate) fn layers(&self) -> Layers {
        let mut layers = Layers::defaults();
        let usual = PathBuf::from("rialto.toml");
        match &self.config {
            Some(file) => layers.file(file),
            None if usual.exists() => layers.file(&usual),
            None => {}
        }
        layers.process_environment();
        for (key, value) in &self.set {
            layers.flag(key, value);
        }
        layers
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Serve),
    Migrate(Migrate),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Bring data in from files
    #[command(subcommand)]
    Import(ImportCommand),
    /// Write data into files
    #[command(subcommand)]
    Export(ExportCommand),
    /// The routes of the gateway to other servers (gateway.routes)
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Print the OpenAPI document
    #[command(after_help = "Examples:\n  rialto openapi > openapi.json")]
    Openapi,
    /// Members of staff
    #[command(subcommand)]
    Staff(StaffCommand),
    /// The mails that the shop has written (mail.url = "mailbox:")
    #[command(subcommand)]
    Mail(MailCommand),
    /// Events that wait or have failed
    #[command(subcommand)]
    Events(EventsCommand),
    Doctor(Doctor),
    /// Print completions for a shell
    #[command(
        after_help = "Examples:\n  rialto completions bash > ~/.local/share/bash-completion/completions/rialto\n  rialto completions zsh > ~/.zfunc/_rialto"
    )]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Run the shop, or some of its roles.
///
/// Without --role everything runs in this process and needs nothing else. Databases are migrated
/// at the start. SIGTERM and Ctrl-C let running requests finish; a second one ends at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rialto serve --demo
  rialto serve --listen 0.0.0.0:8080
  rialto serve --role gateway --config config/split/gateway.toml")]
pub(crate) struct Serve {
    /// Runs this role only; more than once for several
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = role())]
    pub(crate) roles: Vec<Role>,
    /// Fills an empty catalogue with goods to try
    #[arg(long)]
    pub(crate) demo: bool,
    /// The public address; the same as --set gateway.listen=ADDR
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
}

/// Bring the database schemas up to date.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rialto migrate
  rialto migrate --check    exit code 4 if there is something to do")]
pub(crate) struct Migrate {
    /// Only tells what is pending
    #[arg(long)]
    pub(crate) check: bool,
    /// Only this role; more than once for several
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = role())]
    pub(crate) roles: Vec<Role>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration
    #[command(
        after_help = "Examples:\n  rialto config check --config shop.toml\n  rialto config check --config config/split/order.toml --role order"
    )]
    Check(Roles),
    /// Print every key with its value and where it came from; secrets are hidden
    #[command(
        after_help = "Examples:\n  rialto config show --set http.deadline=5s\n  rialto config show --defaults > rialto.toml"
    )]
    Show {
        /// Prints the built-in defaults with their comments instead
        #[arg(long)]
        defaults: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Tell everything that is wrong with a table of routes
    #[command(
        after_help = "Examples:\n  rialto gateway check routes.toml\n  rialto gateway check --config shop.toml"
    )]
    Check {
        /// The table; the one of the configuration if left out
        file: Option<String>,
    },
    /// Tell what would become of a request, without sending it
    #[command(
        after_help = "Examples:\n  rialto gateway explain GET /v1/products\n  rialto gateway explain GET https://api.example.com/catalogue/17?lang=de -H 'x-beta: yes' --routes routes.toml"
    )]
    Explain(ExplainRequest),
    /// Write the routes of a table as an OpenAPI document; what it cannot say goes to standard error
    #[command(
        after_help = "Examples:\n  rialto gateway export routes.toml > openapi.json\n  rialto gateway export routes.toml --for kong > kong.json\n  rialto gateway export routes.toml --host api.example.com > openapi.json"
    )]
    Export {
        /// The table; the one of the configuration if left out
        file: Option<String>,
        /// Adds the extensions of who is to import it
        #[arg(
            long = "for",
            value_enum,
            value_name = "VENDOR",
            default_value = "plain"
        )]
        vendor: ExportFor,
        /// Only what answers for this host, with its port if that is not 443; more than once for several
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<Host>,
    },
}

/// Who is to import a document.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ExportFor {
    /// Anybody
    Plain,
    /// Kong, by `deck file openapi2kong`
    Kong,
    /// Apigee
    Apigee,
    /// Amazon API Gateway
    Aws,
    /// Azure API Management
    Azure,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainRequest {
    /// The method
    pub(crate) method: http::Method,
    /// A path, or a URL with the host that is asked for
    pub(crate) target: http::Uri,
    /// A header, `NAME: VALUE`; more than once for several
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub(crate) headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The table; the one of the configuration if left out
    #[arg(long, value_name = "FILE")]
    pub(crate) routes: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

fn header(text: &str) -> Result<(http::HeaderName, http::HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| "this is no name of a header")?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| "this is no value of a header")?;
    Ok((name, value))
}

#[derive(Debug, Args)]
pub(crate) struct Roles {
    /// For a process that runs this role only; more than once for several
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = role())]
    pub(crate) roles: Vec<Role>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    Create(CreateStaff),
}

/// Create a member of staff.
///
/// The password is asked for on a terminal; if nothing is entered there, or there is no terminal,
/// one is generated and shown once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rialto staff create --email ada@shop.example --name 'Ada Lovelace' --role admin
  rialto staff create --email bob@shop.example --name Bob --role support --password-stdin < secret")]
pub(crate) struct CreateStaff {
    /// What they log in with
    #[arg(long)]
    pub(crate) email: Email,
    /// How others see them
    #[arg(long)]
    pub(crate) name: String,
    /// What they may do; more than once for several
    #[arg(long = "role", value_name = "ROLE", required = true, value_delimiter = ',', value_parser = staff_role())]
    pub(crate) roles: Vec<StaffRole>,
    /// Reads the password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MailCommand {
    /// List mails, the youngest first
    #[command(
        after_help = "Examples:\n  rialto mail list\n  rialto mail list --to ada@example.com --json"
    )]
    List {
        /// Only those to this address
        #[arg(long, value_name = "EMAIL")]
        to: Option<Email>,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one mail
    #[command(
        after_help = "Examples:\n  rialto mail show                  the youngest\n  rialto mail show mail_01k3v7m0s2ev3bq1w1m2r8x5zc --html > mail.html"
    )]
    Show {
        /// Which; the youngest if left out
        id: Option<MailId>,
        /// The HTML body alone
        #[arg(long, conflicts_with = "json")]
        html: bool,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Write the built-in templates into a folder, to be changed
    #[command(
        after_help = "Examples:\n  rialto mail templates templates\n  rialto serve --set notification.templates=templates"
    )]
    Templates {
        /// The folder; files that are there already stay as they are
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// List what waits in the outboxes and what has failed
    #[command(
        after_help = "Examples:\n  rialto events list\n  rialto events list --role order --json"
    )]
    List {
        /// Only this role; more than once for several
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = role())]
        roles: Vec<Role>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let failed and parked events be tried again at once
    #[command(
        after_help = "Examples:\n  rialto events replay evt_01k3v7m0s2ev3bq1w1m2r8x5zc\n  rialto events replay --all --role notification"
    )]
    Replay {
        /// Which
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<EventId>,
        /// Every one that has failed
        #[arg(long)]
        all: bool,
        /// Only this role; more than once for several
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = role())]
        roles: Vec<Role>,
    },
}

/// Check configuration, databases, addresses, clock and disk.
///
/// Nothing is changed. Each finding says what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rialto doctor
  rialto doctor --config config/split/order.toml --role order --json")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) roles: Roles,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, such as gateway.listen=127.0.0.1:9000")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.iter().map(|role| role.as_str()))
        .map(|text| text.parse().expect("only roles are possible"))
}

fn staff_role() -> impl TypedValueParser<Value = StaffRole> {
    PossibleValuesParser::new(StaffRole::ALL.iter().map(|role| role.as_str()))
        .map(|text| text.parse().expect("only roles are possible"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    /// Every command that does something, with its examples.
    fn examples(command: &clap::Command, path: &str, found: &mut Vec<(String, Vec<String>)>) {
        let path = format!("{path}{} ", command.get_name());
        let mut below = command.get_subcommands().peekable();
        if below.peek().is_none() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let lines = help.lines().filter(|line| line.starts_with("  rialto "));
            found.push((path.clone(), lines.map(command_of).collect()));
        }
        for below in below {
            examples(below, &path, found);
        }
    }

    /// Without what explains the example, and without what is the shell's.
    fn command_of(line: &str) -> String {
        let line = line.trim_start();
        let ends = ["   ", " > ", " < "];
        let end = ends.iter().filter_map(|end| line.find(end)).min();
        line[..end.unwrap_or(line.len())].to_owned()
    }

    /// As a shell splits them.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().expect("one at least").push(c),
            }
        }
        words
    }

    #[test]
    fn every_command_has_examples_and_they_parse() {
        let mut found = Vec::new();
        examples(&Cli::command(), "", &mut found);
        assert!(found.len() > 10, "{found:?}");
        for (path, examples) in found {
            assert!(!examples.is_empty(), "`{path}` has no example");
            for example in examples {
                let parsed = Cli::try_parse_from(words(&example));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }
}
