//! Templates of mails: built in, each replaceable by a file of the same name in the folder
//! `notification.templates`. All of them are tried out at the start, so that a broken one is found
//! before a customer waits for its mail.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use crate::Config;
use crate::letter::{self, Letter};

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of every template.
        pub const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../templates/", $name)))),+];
    };
}

built_in! {
    "layout.html", "layout.txt", "button.html",
    "verification.subject", "verification.html", "verification.txt",
    "welcome.subject", "welcome.html", "welcome.txt",
    "password_reset.subject", "password_reset.html", "password_reset.txt",
    "password_changed.subject", "password_changed.html", "password_changed.txt",
    "order_placed.subject", "order_placed.html", "order_placed.txt",
    "order_shipped.subject", "order_shipped.html", "order_shipped.txt",
    "order_cancelled.subject", "order_cancelled.html", "order_cancelled.txt",
}

/// Characters of a subject; the rest is cut off.
const SUBJECT: usize = 200;

/// A template that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The file, or the name of a built-in template.
    pub file: PathBuf,
    /// The line that is wrong, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template {}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for TemplateError {}

/// A letter as mail clients show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Every template, ready to be filled in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Templates(Arc<Inner>);

struct Inner {
    environment: Environment<'static>,
    folder: Option<PathBuf>,
    replaced: Vec<String>,
}

impl Templates {
    /// Loads the built-in templates and those of the shop, and fills each in with examples; every
    /// one that does not work is told.
    pub(crate) fn load(config: &Config) -> Result<Self, Vec<TemplateError>> {
        let mut inner = Inner {
            environment: environment(config),
            folder: config.templates.clone(),
            replaced: Vec::new(),
        };
        for (name, text) in BUILT_IN {
            let added = inner.environment.add_template(name, text);
            added.map_err(|error| vec![inner.blame(name, &error)])?;
        }
        let mut errors = match &config.templates {
            Some(folder) => inner.replace(folder),
            None => Vec::new(),
        };
        if errors.is_empty() {
            let templates = Self(Arc::new(inner));
            errors.extend(templates.try_out());
            if errors.is_empty() {
                return Ok(templates);
            }
        }
        Err(errors)
    }

    /// Fills in the templates of `letter`.
    pub(crate) fn render(&self, letter: &Letter) -> Result<Rendered, TemplateError> {
        let context = Value::from(Serde(letter));
        Ok(Rendered {
            subject: one_line(&self.fill(letter, "subject", &context)?),
            text: self.fill(letter, "txt", &context)?,
            html: self.fill(letter, "html", &context)?,
        })
    }

    fn fill(
        &self,
        letter: &Letter,
        format: &str,
        context: &Value,
    ) -> Result<String, TemplateError> {
        let name = format!("{}.{format}", letter.kind());
        let template = self.0.environment.get_template(&name);
        let filled = template.and_then(|template| template.render(context.clone()));
        filled.map_err(|error| self.0.blame(&name, &error))
    }

    fn try_out(&self) -> Vec<TemplateError> {
        let mut errors: Vec<TemplateError> = Vec::new();
        for letter in letter::examples() {
            if let Err(error) = self.render(&letter)
                && !errors.contains(&error)
            {
                errors.push(error);
            }
        }
        errors
    }
}

impl Inner {
    fn replace(&mut self, folder: &Path) -> Vec<TemplateError> {
        let broken = |file: &Path, problem: String| TemplateError {
            file: file.to_owned(),
            line: None,
            problem,
        };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                return vec![broken(
                    folder,
                    format!("the folder cannot be read: {error}"),
                )];
            }
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut errors = Vec::new();
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or_default().to_owned();
            if name.starts_with('.') {
                continue;
            }
            if !BUILT_IN.iter().any(|(known, _)| *known == name) {
                let problem = String::from("no mail uses a template of this name");
                errors.push(broken(&file, problem));
                continue;
            }
            match std::fs::read_to_string(&file) {
                Ok(text) => {
                    self.replaced.push(name.clone());
                    if let Err(error) = self.environment.add_template_owned(name.clone(), text) {
                        errors.push(self.blame(&name, &error));
                    }
                }
                Err(error) => errors.push(broken(&file, error.to_string())),
            }
        }
        errors
    }

    /// The innermost error is the one with the template and line that are to blame.
    fn blame(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        let mut innermost = error;
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            if let Some(inner) = inner.downcast_ref::<minijinja::Error>() {
                innermost = inner;
            }
            cause = inner.source();
        }
        let name = innermost.name().unwrap_or(name);
        let file = match &self.folder {
            Some(folder) if self.replaced.iter().any(|replaced| replaced == name) => {
                folder.join(name)
            }
            _ => PathBuf::from(name),
        };
        let kind = innermost.kind();
        let problem = match innermost.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        };
        TemplateError {
            file,
            line: innermost.line(),
            problem,
        }
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Templates").field(&self.0.replaced).finish()
    }
}

fn environment(config: &Config) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "html")) => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    let shop = context! { name => &config.shop_name, url => &config.shop_url.0 };
    environment.add_global("shop", shop);
    environment
}

/// A subject is a header: it has one line, and nothing in it can begin another header or turn the
/// writing direction of what follows.
fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_control() || c.is_whitespace() {
                ' '
            } else {
                c
            }
        })
        .filter(|c| !turns(*c))
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(SUBJECT).collect()
}
