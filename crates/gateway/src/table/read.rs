//! Reading a table, and telling all that is wrong with it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Files, Table, check};
use crate::validate::Validations;

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, read again when it changes.
    File(PathBuf),
    /// That of the demo shop, part of the program.
    Demo,
}

impl Source {
    /// What `gateway.routes` says: a file, or `demo:`.
    pub fn new(text: &str) -> Self {
        match text {
            "demo:" => Self::Demo,
            file => Self::File(file.into()),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError {
    /// The line that it is about.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Everything that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableErrors {
    /// Which file.
    pub file: PathBuf,
    /// In the order of their lines.
    pub errors: Vec<TableError>,
}

impl fmt::Display for TableErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, TableError { line, problem }) in self.errors.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TableErrors {}

/// What is wrong, and where in the text.
pub(super) type Finding = (Option<Range<usize>>, String);

/// Where errors in the table of the demo shop are.
const DEMO: &str = "data/demo-routes.toml";

impl Table {
    /// Reads and checks a table; `files` are those that it was made of.
    pub(crate) fn read(source: &Source, files: &mut Files) -> Result<Self, TableErrors> {
        let file = match source {
            Source::File(file) => file,
            Source::Demo => {
                let text = include_str!("../../../../data/demo-routes.toml");
                return Self::parse(text, Path::new(DEMO), files);
            }
        };
        match files.read(file) {
            Ok(text) => Self::parse(&text, file, files),
            Err(error) => Err(TableErrors {
                file: file.to_owned(),
                errors: vec![TableError {
                    line: None,
                    problem: format!("the table of routes cannot be read: {error}"),
                }],
            }),
        }
    }

    /// Whether it leads to other servers only; all else is wrong where there is no shop.
    pub(crate) fn does_without_shop(&self, source: &Source) -> Result<(), TableErrors> {
        let routes = self.routes.iter().map(toml::Spanned::get_ref);
        let errors = routes.filter(|route| route.shop).map(|route| TableError {
            line: None,
            problem: format!(
                "the route `{}` leads to the shop, and this gateway stands before none: name its \
                 roles in `peers`, or serve them here",
                route.name
            ),
        });
        let errors: Vec<TableError> = errors.collect();
        if errors.is_empty() {
            return Ok(());
        }
        let file = match source {
            Source::File(file) => file.clone(),
            Source::Demo => DEMO.into(),
        };
        Err(TableErrors { file, errors })
    }

    /// Reads and checks a text; `file` is for the errors, and the files that it names are beside it.
    pub(crate) fn parse(text: &str, file: &Path, files: &mut Files) -> Result<Self, TableErrors> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            gateway: Table,
        }
        let findings: Vec<Finding> = match toml::from_str::<File>(text) {
            Ok(File { mut gateway }) => {
                let folder = file.parent().unwrap_or(Path::new(""));
                gateway.find_files(folder);
                let mut findings = check::findings(&gateway);
                findings.extend(Validations::read(&mut gateway, folder, files));
                if findings.is_empty() {
                    return Ok(gateway);
                }
                findings
            }
            Err(error) => vec![(error.span(), error.message().to_owned())],
        };
        let line =
            |span: Range<usize>| text[..span.start.min(text.len())].matches('\n').count() + 1;
        let errors = findings.into_iter().map(|(span, problem)| TableError {
            line: span.map(line),
            problem,
        });
        let mut errors: Vec<TableError> = errors.collect();
        errors.sort_by_key(|error| error.line);
        Err(TableErrors {
            file: file.to_owned(),
            errors,
        })
    }

    /// Files that are named without a root are beside the table.
    fn find_files(&mut self, folder: &Path) {
        let find = |file: &mut PathBuf| *file = folder.join(&*file);
        for keys in self.keys.values_mut() {
            find(&mut keys.get_mut().file);
        }
        let issuers = self.issuers.values_mut();
        let secrets = issuers.map(|issuer| &mut issuer.get_mut().secret_file);
        let asked = self.introspections.values_mut();
        let asked = asked.map(|asked| &mut asked.get_mut().secret_file);
        let upstreams = self.upstreams.values_mut();
        let servers = upstreams.map(|upstream| &mut upstream.get_mut().file);
        let named = secrets.chain(asked).chain(servers).flatten();
        named.for_each(find);
    }
}
