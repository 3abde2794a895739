//! Requests of a route that must be what a document of OpenAPI 3.0 or 3.1 says.
//!
//! A document is compiled when the table is loaded: operations, their parameters, and the schemas
//! that requests are checked by. What cannot be enforced is an error then, with its place in the
//! document. A request that does not fit is refused before anything of it is changed; one that fits
//! goes on byte for byte. A body is read only where an operation has a schema for it.

mod check;
mod compile;
mod document;
mod documents;
mod format;
mod media;
mod number;
mod parameters;
mod pattern;
mod schema;
mod service;
mod settings;
mod value;
mod yaml;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use self::document::Document;
use self::documents::Documents;
pub(crate) use self::service::ValidateFilter;
pub(crate) use self::settings::{Otherwise, ValidateSettings};
use crate::table::{Files, Table};

/// The most mistakes in a document that are told.
const TOLD: usize = 20;

/// What is wrong, and where in the text.
type Finding = (Option<Range<usize>>, String);

/// What the requests of a route are checked by.
#[derive(Debug)]
pub(crate) struct Validation {
    settings: ValidateSettings,
    document: Document,
}

/// The compiled documents of a table. Routes with the same settings share one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Validations(Vec<Arc<Validation>>);

impl Validations {
    /// Reads the documents that the routes of a table name, which are in `folder`; returns all that
    /// is wrong with them.
    pub(crate) fn read(table: &mut Table, folder: &Path, files: &mut Files) -> Vec<Finding> {
        let mut findings = Vec::new();
        let routes = table.routes.iter().map(toml::Spanned::get_ref);
        for settings in routes.filter_map(|route| route.validate.as_ref()) {
            if table.validations.of(settings).is_some() {
                continue;
            }
            match Validation::read(settings, folder, files) {
                Ok(validation) => table.validations.0.push(Arc::new(validation)),
                Err(problems) => {
                    let span = settings.openapi.span();
                    let found = problems
                        .into_iter()
                        .map(|problem| (Some(span.clone()), problem));
                    findings.extend(found);
                }
            }
        }
        findings
    }

    /// What these settings ask for.
    pub(crate) fn of(&self, settings: &ValidateSettings) -> Option<&Arc<Validation>> {
        self.0.iter().find(|known| known.settings == *settings)
    }
}

impl Validation {
    fn read(
        settings: &ValidateSettings,
        folder: &Path,
        files: &mut Files,
    ) -> Result<Self, Vec<String>> {
        let name = settings.openapi.get_ref();
        let text = files.read(&folder.join(name));
        let text =
            text.map_err(|error| vec![format!("{} cannot be read: {error}", name.display())])?;
        let beside = name.parent().unwrap_or(Path::new(""));
        let documents = Documents::read(name, &text, |file| {
            files.read(&folder.join(beside).join(file))
        });
        let documents =
            documents.map_err(|problem| vec![format!("{}#: {problem}", name.display())])?;
        let document = Document::compile(&documents, settings).map_err(|wrong| {
            let told = wrong.iter().take(TOLD);
            let mut told: Vec<String> = told.map(|wrong| wrong.told(name)).collect();
            if wrong.len() > TOLD {
                told.push(format!("{}: {} more", name.display(), wrong.len() - TOLD));
            }
            told
        })?;
        Ok(Self {
            settings: settings.clone(),
            document,
        })
    }
}
