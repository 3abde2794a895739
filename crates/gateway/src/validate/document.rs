//! A document, as far as requests are checked by it: which operations there are, with what.

use std::collections::BTreeSet;

use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::compile::{Compiler, Version, Wrong, is_annotation, step};
use super::documents::Documents;
use super::media::RequestBody;
use super::parameters::{self, Parameter};
use super::schema::Schemas;
use super::settings::ValidateSettings;
use crate::router::{Conditions, Found, Router, Template};

/// The methods that a path may have.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What an operation may say.
const OF_OPERATIONS: [&str; 9] = [
    "callbacks",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "servers",
    "summary",
    "tags",
];

/// A compiled document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) schemas: Schemas,
    /// What stands before its paths.
    base: String,
    router: Router,
    operations: Vec<Operation>,
}

/// What a request may be for.
#[derive(Debug)]
pub(super) struct Operation {
    /// `POST /items/{id}`.
    pub(super) name: String,
    pub(super) template: Template,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
}

/// What a request is for.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// An operation, and the path without what stands before those of the document.
    Operation(&'a Operation, &'a str),
    /// The path is there, with these methods.
    OtherMethods(Vec<Method>),
    Nothing,
}

impl Document {
    /// Compiles a document; everything that is wrong is told with its place there.
    pub(super) fn compile(
        documents: &Documents,
        settings: &ValidateSettings,
    ) -> Result<Self, Vec<Wrong>> {
        let document = documents.main();
        let version = version(document).map_err(|problem| {
            let (place, problem) = (String::new(), String::from(problem));
            vec![Wrong { place, problem }]
        })?;
        let mut compiler = Compiler::new(documents, version);
        let base = match &settings.base {
            Some(base) => base.clone(),
            None => server(document, &mut compiler),
        };
        let mut found = Operations::default();
        let paths = document.get("paths").and_then(Value::as_object);
        if paths.is_none() {
            compiler.wrong("", "has no `paths`");
        }
        for path in paths.into_iter().flat_map(Map::keys) {
            if !path.starts_with("x-") {
                found.path(path, settings, &mut compiler);
            }
        }
        let router = Router::new(found.conditions).map_err(|conflicts| {
            for (index, bad) in conflicts {
                compiler.wrong(&found.pointers[index], bad.to_string());
            }
        });
        let (schemas, mut operations) = (compiler.finish()?, found.operations);
        let parameters = operations.iter_mut().flat_map(|of| &mut of.parameters);
        let wrong = parameters.filter_map(|parameter| parameter.shape_by(&schemas).err());
        let wrong: Vec<Wrong> = wrong.collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            router: router.unwrap_or_default(),
            operations,
            schemas,
        })
    }

    /// What a request is for. `path` is in its normal form.
    pub(super) fn find<'a>(&'a self, method: &Method, path: &'a str) -> Asked<'a> {
        let within = path.strip_prefix(self.base.as_str());
        let Some(path) = within.filter(|path| path.starts_with('/')) else {
            return Asked::Nothing;
        };
        match self.router.find(method, "", path, &HeaderMap::new()) {
            Found::Route(index) => Asked::Operation(&self.operations[index], path),
            Found::OtherMethods(methods) => Asked::OtherMethods(methods),
            Found::Nothing => Asked::Nothing,
        }
    }
}

fn version(document: &Value) -> Result<Version, &'static str> {
    let told = document.get("openapi").and_then(Value::as_str);
    let told = told.unwrap_or_default();
    if document.get("jsonSchemaDialect").is_some() {
        return Err("`jsonSchemaDialect` is not supported: its schemas are those of OpenAPI 3.1");
    }
    match told {
        _ if told.starts_with("3.0.") => Ok(Version::Old),
        _ if told.starts_with("3.1.") => Ok(Version::New),
        _ => Err("`openapi` is 3.0.x or 3.1.x"),
    }
}

/// The path of the first server.
fn server(document: &Value, compiler: &mut Compiler<'_>) -> String {
    let Some(server) = document.pointer("/servers/0") else {
        return String::new();
    };
    let mut url = server["url"].as_str().unwrap_or_default().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        let default = variable["default"].as_str().unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => &url,
    };
    if !(path.is_empty() || path.starts_with('/')) || path.contains(['{', '?', '#']) {
        let problem = "has no path that requests could be recognised by: say what stands before the \
                       paths of the document, in `base`";
        compiler.wrong("/servers/0/url", problem);
    }
    path.to_owned()
}

/// The operations, as they are found.
#[derive(Default)]
struct Operations {
    /// Paths without the names of their captures: such are the same.
    shapes: BTreeSet<String>,
    conditions: Vec<Conditions>,
    operations: Vec<Operation>,
    pointers: Vec<String>,
}

impl Operations {
    fn path(&mut self, path: &str, settings: &ValidateSettings, compiler: &mut Compiler<'_>) {
        let asked = format!("/paths/{}", step(path));
        let Some((at, item)) = compiler.object(&asked) else {
            return;
        };
        for name in item.keys() {
            let known = METHODS.contains(&name.as_str());
            let about = matches!(name.as_str(), "parameters" | "summary" | "servers");
            if !known && !about && !is_annotation(name) {
                compiler.wrong(&at, format!("`{name}` is not known here"));
            }
        }
        elsewhere(item, &at, settings, compiler);
        let parts = path
            .split('{')
            .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
        if !self.shapes.insert(parts.collect::<Vec<_>>().join("{}")) {
            compiler.wrong(
                &asked,
                "differs from another path only in the names of its parameters",
            );
        }
        for method in METHODS.into_iter().filter(|name| item.contains_key(*name)) {
            let here = format!("{at}/{method}");
            let Some(Value::Object(operation)) = item.get(method) else {
                compiler.wrong(&here, "expected an object");
                continue;
            };
            for name in operation.keys() {
                if !OF_OPERATIONS.contains(&name.as_str()) && !is_annotation(name) {
                    compiler.wrong(&here, format!("`{name}` is not known here"));
                }
            }
            elsewhere(operation, &here, settings, compiler);
            let methods = methods(method, item);
            self.operation((path, methods), (&at, &here, operation), settings, compiler);
        }
    }

    fn operation(
        &mut self,
        (path, methods): (&str, Vec<Method>),
        (item, at, members): (&str, &str, &Map<String, Value>),
        settings: &ValidateSettings,
        compiler: &mut Compiler<'_>,
    ) {
        let template = match Template::new(path) {
            Ok(template) if path.starts_with('/') && !path.contains("{*") => template,
            _ => {
                return compiler
                    .wrong(item, format!("`{path}` is no path such as `/items/{{id}}`"));
            }
        };
        let parameters = if settings.parameters {
            parameters::read(&[item, at], compiler)
        } else {
            Vec::new()
        };
        if settings.parameters {
            let named = parameters.iter().filter_map(Parameter::capture);
            let named: BTreeSet<&str> = named.collect();
            let captures: BTreeSet<&str> = template.names().iter().map(String::as_str).collect();
            for name in captures.symmetric_difference(&named) {
                compiler.wrong(
                    at,
                    format!("`{name}` is not both in the path and a parameter `in` the path"),
                );
            }
        }
        let body = (settings.body && members.contains_key("requestBody"))
            .then(|| RequestBody::read(&format!("{at}/requestBody"), settings, compiler))
            .flatten();
        self.conditions.push(Conditions {
            path: path.to_owned(),
            methods: methods.clone(),
            ..Conditions::default()
        });
        self.operations.push(Operation {
            name: format!("{} {path}", methods[0]),
            template,
            parameters,
            body,
        });
        self.pointers.push(at.to_owned());
    }
}

/// The method of an operation; what answers `GET` answers `HEAD`.
fn methods(name: &str, item: &Map<String, Value>) -> Vec<Method> {
    let method = name.to_ascii_uppercase().parse().unwrap_or(Method::GET);
    if method == Method::GET && !item.contains_key("head") {
        vec![method, Method::HEAD]
    } else {
        vec![method]
    }
}

/// A path or an operation of its own servers is somewhere else than the document says.
fn elsewhere(
    members: &Map<String, Value>,
    at: &str,
    settings: &ValidateSettings,
    compiler: &mut Compiler<'_>,
) {
    if members.contains_key("servers") && settings.base.is_none() {
        let problem = "has `servers` of its own: say what stands before the paths, in `base`";
        compiler.wrong(at, problem);
    }
}
