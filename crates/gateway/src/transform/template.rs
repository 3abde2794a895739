//! Values with expressions in them: `{{ request.headers.accept }}`. They are compiled when the
//! table is loaded; what they name is looked at then, and only what they name is made for them.

mod facts;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

pub(crate) use self::facts::{Asked, Facts};
pub(crate) use self::names::Scope;
use self::names::{check_blocks, is_expression, is_template, known, without_expressions};
use super::json::quoted;

/// Steps of the engine for one value, loops included.
const FUEL: u64 = 50_000;
/// Nested calls of the engine.
const RECURSION: usize = 32;
/// The longest value of a header, of the query or of a member.
const LONGEST: usize = 64 * 1024;
/// What the templates of one transformation name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) request: bool,
    pub(crate) identity: bool,
    pub(crate) response: bool,
    pub(crate) body: bool,
}

/// A value of a header, of the query or of a member of a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Fixed(String),
    /// By its name in the engine.
    Made(String),
}

/// A JSON value whose texts may be templates.
#[derive(Debug, Clone)]
pub(crate) enum Json {
    /// As it is written.
    Fixed(String),
    /// One expression: its value keeps its type.
    Value(String),
    /// A text with expressions in it.
    Text(Text),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// The templates of one transformation.
#[derive(Debug)]
pub(crate) struct Engine {
    environment: Environment<'static>,
    uses: Uses,
    /// Those that name the body.
    of_body: BTreeSet<String>,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        for name in ["range", "dict", "namespace", "debug"] {
            environment.remove_global(name);
        }
        // What they return is not escaped any more.
        for name in ["safe", "escape", "e"] {
            environment.remove_filter(name);
        }
        environment.set_auto_escape_callback(|name| {
            if name.starts_with("json") {
                AutoEscape::Json
            } else {
                AutoEscape::None
            }
        });
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        Self {
            environment,
            uses: Uses::default(),
            of_body: BTreeSet::new(),
        }
    }

    /// Whether a text names the body.
    pub(crate) fn needs_body(&self, text: &Text) -> bool {
        matches!(text, Text::Made(name) if self.names_body(name))
    }

    /// Whether a template names the body.
    pub(crate) fn names_body(&self, name: &str) -> bool {
        self.of_body.contains(name)
    }

    /// What all templates so far name.
    pub(crate) fn uses(&self) -> Uses {
        self.uses
    }

    /// Compiles a value of a header or of the query.
    pub(crate) fn text(&mut self, source: &str, scope: Scope<'_>) -> Result<Text, String> {
        if !is_template(source) {
            return Ok(Text::Fixed(source.to_owned()));
        }
        self.compile("text", source, scope).map(Text::Made)
    }

    /// Compiles a value of a JSON document.
    pub(crate) fn json(
        &mut self,
        value: &serde_json::Value,
        scope: Scope<'_>,
    ) -> Result<Json, String> {
        use serde_json::Value as Given;
        match value {
            Given::String(text) if is_expression(text) => {
                self.compile("json", text, scope).map(Json::Value)
            }
            Given::String(text) if is_template(text) => self.text(text, scope).map(Json::Text),
            Given::Array(items) => {
                let items = items.iter().map(|item| self.json(item, scope));
                items.collect::<Result<_, _>>().map(Json::Array)
            }
            Given::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.json(value, scope)?)));
                members.collect::<Result<_, String>>().map(Json::Object)
            }
            plain => Ok(Json::Fixed(plain.to_string())),
        }
    }

    /// Compiles a whole JSON document.
    pub(crate) fn document(&mut self, source: &str, scope: Scope<'_>) -> Result<String, String> {
        let name = self.compile("json", source, scope)?;
        if let Some(sample) = without_expressions(source)
            && serde_json::from_str::<serde::de::IgnoredAny>(&sample).is_err()
        {
            return Err(String::from(
                "the template gives no JSON: expressions bring their own quotes, \
                 as in '{\"name\": {{ body.name }}}'",
            ));
        }
        Ok(name)
    }

    fn compile(&mut self, kind: &str, source: &str, scope: Scope<'_>) -> Result<String, String> {
        check_blocks(source)?;
        let name = format!("{kind}-{}", self.environment.templates().count());
        let explain = |error: &Error| {
            error
                .detail()
                .map_or_else(|| error.to_string(), str::to_owned)
        };
        self.environment
            .add_template_owned(name.clone(), source.to_owned())
            .map_err(|error| format!("the template cannot be read: {}", explain(&error)))?;
        let template = self.environment.get_template(&name);
        let template = template.map_err(|error| explain(&error))?;
        let named: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
        for named in &named {
            known(named, scope)?;
            match named.split('.').next() {
                Some("request") => self.uses.request = true,
                Some("identity") => self.uses.identity = true,
                Some("response") => self.uses.response = true,
                _ => {
                    self.uses.body = true;
                    self.of_body.insert(name.clone());
                }
            }
        }
        self.try_out(&name)?;
        Ok(name)
    }

    /// Filters, tests and functions are found out only by calling them: here, about nothing.
    fn try_out(&mut self, name: &str) -> Result<(), String> {
        self.environment
            .set_undefined_behavior(UndefinedBehavior::Chainable);
        let tried = self.fill(name, Value::from(BTreeMap::<String, Value>::new()), LONGEST);
        self.environment
            .set_undefined_behavior(UndefinedBehavior::Strict);
        match tried {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnknownFilter
                        | ErrorKind::UnknownTest
                        | ErrorKind::UnknownFunction
                        | ErrorKind::UnknownMethod
                        | ErrorKind::TooManyArguments
                        | ErrorKind::SyntaxError
                ) =>
            {
                let detail = error.detail().unwrap_or_default();
                Err(format!("{}: {detail}", error.kind()))
            }
            _ => Ok(()),
        }
    }

    /// What a template becomes; never longer than `longest`.
    fn fill(&self, name: &str, context: Value, longest: usize) -> Result<String, Error> {
        let mut out = Limited {
            out: Vec::new(),
            longest,
        };
        let template = self.environment.get_template(name)?;
        template.render_captured_to(context, &mut out)?;
        String::from_utf8(out.out).map_err(|_| Error::from(ErrorKind::WriteFailure))
    }

    /// The value of a text.
    pub(crate) fn fill_text(&self, text: &Text, context: &Value) -> Result<String, Error> {
        match text {
            Text::Fixed(text) => Ok(text.clone()),
            Text::Made(name) => self.fill(name, context.clone(), LONGEST),
        }
    }

    /// A whole document; the caller looks at whether it is JSON.
    pub(crate) fn fill_document(
        &self,
        name: &str,
        context: &Value,
        longest: usize,
    ) -> Result<String, Error> {
        self.fill(name, context.clone(), longest)
    }

    /// A value as JSON.
    pub(crate) fn fill_json(&self, json: &Json, context: &Value) -> Result<String, Error> {
        match json {
            Json::Fixed(text) => Ok(text.clone()),
            Json::Value(name) => self.fill(name, context.clone(), LONGEST),
            Json::Text(text) => Ok(quoted(&self.fill_text(text, context)?)),
            Json::Array(items) => {
                let items = items.iter().map(|item| self.fill_json(item, context));
                Ok(format!(
                    "[{}]",
                    items.collect::<Result<Vec<_>, _>>()?.join(",")
                ))
            }
            Json::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    let value = self.fill_json(value, context)?;
                    Ok(format!("{}:{value}", quoted(name)))
                });
                let members = members.collect::<Result<Vec<_>, Error>>()?;
                Ok(format!("{{{}}}", members.join(",")))
            }
        }
    }
}

/// Fails rather than grow beyond its limit.
struct Limited {
    out: Vec<u8>,
    longest: usize,
}

impl io::Write for Limited {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.out.len() + more.len() > self.longest {
            return Err(io::Error::other("the value is longer than the limit"));
        }
        self.out.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
