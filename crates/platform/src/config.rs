//! Configuration in layers: the embedded defaults, a file, the environment, flags; the later
//! wins. Every value remembers where it came from, and all that is wrong is told at once.
//!
//! ```
//! use platform::config::{Layers, Section};
//!
//! let mut layers = Layers::defaults();
//! layers.environment([("RIALTO__GATEWAY__LISTEN".into(), "127.0.0.1:9000".into())]);
//! layers.flag("order.payment_timeout", "5m");
//! let mut section = layers.section("gateway");
//! let listen: std::net::SocketAddr = section.parse("listen");
//! assert_eq!(listen.port(), 9000);
//! ```

mod redact;
mod section;
pub mod units;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

pub use self::section::{Item, Section};
pub use self::units::{bytes, duration};

/// The embedded defaults: every key, with its meaning.
pub const DEFAULTS: &str = include_str!("../../../config/rialto.default.toml");

/// A secret in a variable that somebody's settings name; `None` if it is not set, or no UTF-8.
pub fn variable(name: &str) -> Option<kernel::Secret<String>> {
    let value = std::env::var_os(name)?.into_string().ok()?;
    Some(kernel::Secret::new(value))
}

/// Variables of the environment that start with this are read.
pub const ENVIRONMENT_PREFIX: &str = "RIALTO__";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The embedded defaults.
    Default,
    /// A line of a file.
    File(PathBuf, usize),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the built-in default"),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Flag(name) => write!(f, "the flag {name}"),
        }
    }
}

/// One value that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Which key; empty if the layer itself cannot be read.
    pub key: String,
    /// Where its value came from.
    pub origin: Origin,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(
            f,
            "{}\n    from:   {}\n    remedy: {}",
            self.problem, self.origin, self.remedy
        )
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let things = if count == 1 { "error" } else { "errors" };
        write!(f, "{count} configuration {things}:")?;
        self.0
            .iter()
            .try_for_each(|error| write!(f, "\n\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

#[derive(Debug, Clone)]
struct Entry {
    value: toml::Value,
    origin: Origin,
}

/// A value as `config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The dotted key.
    pub key: String,
    /// The value in TOML, or `[redacted]`.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// The layers, laid over each other. Reading through [`section`](Self::section) collects errors;
/// [`finish`](Self::finish) tells them all.
#[derive(Debug)]
pub struct Layers {
    entries: BTreeMap<String, Entry>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    errors: Vec<ConfigError>,
    known: BTreeSet<String>,
    secret: BTreeSet<String>,
}

impl Layers {
    /// Only the embedded defaults.
    pub fn defaults() -> Self {
        let mut layers = Self {
            entries: BTreeMap::new(),
            state: RefCell::default(),
        };
        layers.toml(DEFAULTS, |_| Origin::Default);
        layers
    }

    /// Lays a TOML file over what is there.
    pub fn file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.toml(&text, |line| Origin::File(path.to_owned(), line)),
            Err(error) => self.broken(
                Origin::File(path.to_owned(), 0),
                format!("the file cannot be read: {error}"),
                "name a readable TOML file, or leave --config out",
            ),
        }
    }

    /// Lays TOML text over what is there.
    pub fn toml(&mut self, text: &str, origin: impl Fn(usize) -> Origin) {
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(1, |span| line(span.start));
            let remedy = "write TOML as in `rialto config show --defaults`";
            self.broken(origin(at), error.message().to_owned(), remedy);
        }
        self.flatten("", table.into_inner(), &|at| origin(line(at)));
    }

    /// Lays variables such as `RIALTO__ORDER__PAYMENT_TIMEOUT` over what is there; others are
    /// passed over.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in variables {
            if let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = rest.to_lowercase().replace("__", ".");
                self.set(key, &value, Origin::Environment(name));
            }
        }
    }

    /// Lays the variables of this process over what is there: the only place that reads them.
    pub fn process_environment(&mut self) {
        let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.to_str()?.to_owned();
            name.starts_with(ENVIRONMENT_PREFIX)
                .then_some((name, value))
        };
        let variables: Vec<_> = std::env::vars_os().filter_map(ours).collect();
        for (name, value) in variables {
            match value.into_string() {
                Ok(value) => self.environment([(name, value)]),
                Err(_) => self.broken(
                    Origin::Environment(name),
                    String::from("the value is not UTF-8"),
                    "set it to text in UTF-8",
                ),
            }
        }
    }

    /// Lays one value over what is there, given by `--set`.
    pub fn flag(&mut self, key: &str, value: &str) {
        self.flag_named(key, value, &format!("--set {key}"));
    }

    /// Lays one value over what is there, given by a flag of its own.
    pub fn flag_named(&mut self, key: &str, value: &str, flag: &str) {
        self.set(key.to_owned(), value, Origin::Flag(flag.to_owned()));
    }

    /// Reads the keys below `name`.
    pub fn section(&self, name: &str) -> Section<'_> {
        Section {
            layers: self,
            path: name.to_owned(),
        }
    }

    /// Fails with everything that was wrong, unknown keys among it. Call it after every part has
    /// read its section.
    pub fn finish(&self) -> Result<(), ConfigErrors> {
        let mut errors = self.state.borrow().errors.clone();
        errors.extend(self.unknown());
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors(errors))
        }
    }

    /// Reports something that only the whole configuration shows, such as a peer that is missing.
    pub fn report(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        let origin = self
            .entries
            .get(key)
            .map_or(Origin::Default, |entry| entry.origin.clone());
        let error = ConfigError {
            key: key.to_owned(),
            origin,
            problem: problem.into(),
            remedy: remedy.into(),
        };
        self.state.borrow_mut().errors.push(error);
    }

    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.entries
            .get(key)
            .map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Every value that is in force, secrets hidden. Complete after every part has read its
    /// section.
    pub fn show(&self) -> Vec<Shown> {
        let state = self.state.borrow();
        let shown = |(key, entry): (&String, &Entry)| {
            let hidden = state.secret.contains(key) && entry.value.as_str() != Some("");
            let value = if hidden {
                String::from("[redacted]")
            } else {
                redact::passwords(&entry.value.to_string())
            };
            Shown {
                key: key.clone(),
                value,
                origin: entry.origin.clone(),
            }
        };
        self.entries.iter().map(shown).collect()
    }

    fn unknown(&self) -> Vec<ConfigError> {
        let state = self.state.borrow();
        let known = |key: &str| {
            state.known.contains(key)
                || state
                    .known
                    .iter()
                    .any(|k| k.strip_suffix(".*").is_some_and(|k| within(key, k)))
        };
        let unknown = self.entries.iter().filter(|(key, _)| !known(key));
        unknown
            .map(|(key, entry)| {
                let nearest = state
                    .known
                    .iter()
                    .min_by_key(|candidate| strsim::levenshtein(candidate, key));
                let near = nearest.filter(|near| strsim::levenshtein(near, key) <= key.len() / 3);
                let remedy = near.map_or_else(
                    || String::from("remove it; `rialto config show` lists every key"),
                    |near| format!("did you mean `{near}`?"),
                );
                ConfigError {
                    key: key.clone(),
                    origin: entry.origin.clone(),
                    problem: String::from("unknown key"),
                    remedy,
                }
            })
            .collect()
    }

    fn set(&mut self, key: String, text: &str, origin: Origin) {
        // Numbers, booleans and lists as in TOML, everything else as it stands.
        let document = format!("v = {text}");
        let parsed = document.parse::<toml::Table>().ok();
        let value = parsed
            .and_then(|mut table| table.remove("v"))
            .filter(|value| !value.is_datetime())
            .unwrap_or_else(|| toml::Value::String(text.to_owned()));
        self.put(key, value, origin);
    }

    /// A key that is set as a whole replaces what was set below it, and the other way round. Keys
    /// are lower-case: the environment cannot tell `rates.DE` from `rates.de`.
    fn put(&mut self, key: String, value: toml::Value, origin: Origin) {
        let key = key.to_lowercase();
        self.entries
            .retain(|other, _| !within(other, &key) && !within(&key, other));
        self.entries.insert(key, Entry { value, origin });
    }

    fn flatten(&mut self, path: &str, table: DeTable<'_>, origin: &dyn Fn(usize) -> Origin) {
        for (name, value) in table {
            let at = name.span().start;
            let name = name.into_inner();
            let key = if path.is_empty() {
                name.into_owned()
            } else {
                format!("{path}.{name}")
            };
            match value.into_inner() {
                DeValue::Table(table) => self.flatten(&key, table, origin),
                leaf => {
                    if let Some(value) = plain(leaf) {
                        self.put(key, value, origin(at));
                    }
                }
            }
        }
    }

    fn broken(&self, origin: Origin, problem: String, remedy: &str) {
        let error = ConfigError {
            key: String::new(),
            origin,
            problem,
            remedy: remedy.to_owned(),
        };
        self.state.borrow_mut().errors.push(error);
    }
}

/// Whether `key` lies below `parent`.
fn within(key: &str, parent: &str) -> bool {
    key.strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with('.'))
}

fn plain(value: DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.into_owned()),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            toml::Value::Integer(i64::from_str_radix(&digits, number.radix()).ok()?)
        }
        DeValue::Float(number) => toml::Value::String(number.as_str().to_owned()),
        DeValue::Boolean(value) => toml::Value::Boolean(value),
        DeValue::Datetime(time) => toml::Value::String(time.to_string()),
        DeValue::Array(items) => toml::Value::Array(
            items
                .into_iter()
                .filter_map(|item| plain(item.into_inner()))
                .collect(),
        ),
        DeValue::Table(table) => toml::Value::Table(
            table
                .into_iter()
                .filter_map(|(key, item)| {
                    Some((key.into_inner().into_owned(), plain(item.into_inner())?))
                })
                .collect(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn layers(file: &str) -> Layers {
        let mut layers = Layers {
            entries: BTreeMap::new(),
            state: RefCell::default(),
        };
        layers.toml(
            "[a]\nlisten = '127.0.0.1:1'\nwait = '5s'\nkey = ''\n",
            |_| Origin::Default,
        );
        layers.toml(file, |line| Origin::File("shop.toml".into(), line));
        layers
    }

    fn read(layers: &Layers) -> (SocketAddr, Duration) {
        let mut section = layers.section("a");
        let _ = section.secret("key");
        (section.parse("listen"), section.duration("wait"))
    }

    #[test]
    fn the_later_layer_wins_and_is_remembered() {
        let mut layers = layers("[a]\nwait = '7s'");
        layers.environment([("RIALTO__A__LISTEN".into(), "127.0.0.1:2".into())]);
        let (listen, wait) = read(&layers);
        assert_eq!((listen.port(), wait.as_secs()), (2, 7));
        assert_eq!(layers.origin("a.wait"), Origin::File("shop.toml".into(), 2));
        assert_eq!(layers.finish(), Ok(()));
    }

    #[test]
    fn keys_mean_the_same_in_any_case() {
        let mut layers = layers("[a.rates]\nDE = 1\nfr = 2");
        layers.environment([("RIALTO__A__RATES__DE".into(), "3".into())]);
        layers.flag("a.rates.FR", "4");
        let rates = layers.section("a").map::<u32>("rates");
        let rates: Vec<(&str, u32)> = rates.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(rates, [("de", 3), ("fr", 4)]);
    }

    #[test]
    fn all_errors_are_told_at_once_with_their_source_and_remedy() {
        let mut layers = layers("[a]\nwiat = '7s'\nlisten = 'here'");
        layers.flag("a.wait", "soon");
        read(&layers);
        let errors = layers.finish().expect_err("three errors").0;
        let found: Vec<(&str, String)> = errors
            .iter()
            .map(|error| (error.key.as_str(), error.origin.to_string()))
            .collect();
        assert_eq!(
            found,
            [
                ("a.listen", String::from("shop.toml line 3")),
                ("a.wait", String::from("the flag --set a.wait")),
                ("a.wiat", String::from("shop.toml line 2")),
            ]
        );
        assert_eq!(errors[2].remedy, "did you mean `a.wait`?");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut layers = layers("");
        layers.flag("a.key", "hunter2");
        read(&layers);
        let shown = layers.show();
        let key = shown
            .iter()
            .find(|shown| shown.key == "a.key")
            .expect("the key");
        assert_eq!(key.value, "[redacted]");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let layers = layers("[a]\nwait = = 3");
        read(&layers);
        let errors = layers.finish().expect_err("broken").0;
        assert_eq!(errors[0].origin, Origin::File("shop.toml".into(), 2));
    }
}
