//! A document, and the files that its references lead to.
//!
//! A **place** is a JSON pointer, and before it, unless it is in the document itself, the file and `#`:
//! `/components/schemas/Item`, `schemas/item.yaml#/properties/price`. Files are named as they are found
//! from the document.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{value, yaml};

/// The most files beside the document.
const FILES: usize = 1_000;
/// Bytes of all of them.
const LARGEST: usize = 64 << 20;

/// What a document says, with its files.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// The document itself.
    main: Value,
    /// What it is called beside its files.
    name: String,
    /// Those that somebody refers to; or why one cannot be read, which matters only where a request is
    /// checked by it.
    files: BTreeMap<String, Result<Value, String>>,
}

impl Documents {
    /// Reads the text of the document `name`, and by `open` the files that it refers to.
    pub(super) fn read(
        name: &Path,
        text: &str,
        mut open: impl FnMut(&str) -> io::Result<String>,
    ) -> Result<Self, String> {
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let mut documents = Self {
            main: parse(&name, text)?,
            name: name.into_owned(),
            files: BTreeMap::new(),
        };
        let mut wanted = documents.referred("");
        let mut bytes = 0;
        while let Some(file) = wanted.pop() {
            if documents.files.contains_key(&file) {
                continue;
            }
            if documents.files.len() >= FILES {
                return Err(format!("refers to more than {FILES} files"));
            }
            let text = open(&file).map_err(|error| format!("cannot be read: {error}"));
            bytes += text.as_ref().map_or(0, String::len);
            if bytes > LARGEST {
                return Err(format!("refers to files of more than {LARGEST} bytes"));
            }
            let read = text.and_then(|text| parse(&file, &text));
            documents.files.insert(file.clone(), read);
            wanted.extend(documents.referred(&file));
        }
        Ok(documents)
    }

    /// The document itself.
    pub(super) fn main(&self) -> &Value {
        &self.main
    }

    /// What is at a place.
    pub(super) fn at(&self, place: &str) -> Option<&Value> {
        let (file, pointer) = split(place);
        self.whole(file).ok()?.pointer(pointer)
    }

    /// The place that a `$ref` at another place leads to; or what is wrong with it.
    pub(super) fn target(&self, from: &str, reference: &str) -> Result<String, String> {
        let (file, pointer) = self.meant(split(from).0, reference)?;
        if let Err(problem) = self.whole(&file) {
            return Err(format!("`$ref`: {file} {problem}"));
        }
        let place = if file.is_empty() {
            pointer
        } else {
            format!("{file}#{pointer}")
        };
        match self.at(&place) {
            Some(_) => Ok(place),
            None => Err(format!("`$ref`: there is no `{}`", told(&place))),
        }
    }

    /// What a file says; the document, if it has no name.
    fn whole(&self, file: &str) -> Result<&Value, &str> {
        if file.is_empty() {
            return Ok(&self.main);
        }
        match self.files.get(file) {
            Some(Ok(read)) => Ok(read),
            Some(Err(problem)) => Err(problem),
            None => Err("was not read"),
        }
    }

    /// The files that a file refers to.
    fn referred(&self, file: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Ok(whole) = self.whole(file) {
            references(whole, &mut |reference| {
                let meant = self.meant(file, reference);
                found.extend(meant.map(|(file, _)| file).ok());
            });
        }
        found.retain(|file| !file.is_empty());
        found
    }

    /// The file, and the pointer in it, that `reference` means in the file `from`.
    fn meant(&self, from: &str, reference: &str) -> Result<(String, String), String> {
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let decoded = |part| percent_decode_str(part).decode_utf8();
        let (Ok(file), Ok(pointer)) = (decoded(file), decoded(pointer)) else {
            return Err(String::from("`$ref` is no text"));
        };
        if !(pointer.is_empty() || pointer.starts_with('/')) {
            let problem = "`$ref` leads to a place by its path, such as \
                           \"#/components/schemas/Item\", not to an anchor";
            return Err(problem.into());
        }
        if file.contains([':', '#']) || file.starts_with('/') {
            let problem = "`$ref` leads to a file by its path from here, such as \
                           \"schemas/item.yaml\", not to another host or the root";
            return Err(problem.into());
        }
        let file = match &*file {
            "" => from.to_owned(),
            file => beside(from, file),
        };
        let file = if file == self.name {
            String::new()
        } else {
            file
        };
        Ok((file, pointer.into_owned()))
    }
}

/// A document without files.
impl From<Value> for Documents {
    fn from(main: Value) -> Self {
        Self {
            main,
            ..Self::default()
        }
    }
}

/// A place as messages have it: with `#` before its pointer.
pub(super) fn told(place: &str) -> String {
    match split(place) {
        ("", pointer) => format!("#{pointer}"),
        _ => place.to_owned(),
    }
}

/// The file of a place, and the pointer in it.
fn split(place: &str) -> (&str, &str) {
    // Pointers begin with a slash, and files do not.
    let own = place.is_empty() || place.starts_with('/');
    place
        .split_once('#')
        .filter(|_| !own)
        .unwrap_or(("", place))
}

/// A path that is meant from the folder of a file, without steps back that are not needed.
fn beside(file: &str, path: &str) -> String {
    let folder = file.rsplit_once('/').map(|(folder, _)| folder);
    let mut steps: Vec<&str> = Vec::new();
    for step in folder
        .into_iter()
        .flat_map(|folder| folder.split('/'))
        .chain(path.split('/'))
    {
        match (step, steps.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => drop(steps.pop()),
            _ => steps.push(step),
        }
    }
    steps.join("/")
}

fn parse(name: &str, text: &str) -> Result<Value, String> {
    if name.ends_with(".yaml") || name.ends_with(".yml") {
        yaml::read(text).map_err(|error| format!("is no YAML: {error}"))
    } else {
        let read = value::read(text.as_bytes());
        read.map_err(|error| format!("is no JSON: {error}"))
    }
}

/// Tells `visit` of every `$ref`.
fn references(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, visit)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(reference) if name == "$ref" => visit(reference),
                    other => references(other, visit),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use serde_json::json;

    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Documents, String> {
        let (name, text) = files[0];
        Documents::read(Path::new(name), text, |wanted| {
            let found = files[1..].iter().find(|(name, _)| *name == wanted);
            let found = found.map(|(_, text)| String::from(*text));
            found.ok_or_else(|| ErrorKind::NotFound.into())
        })
    }

    #[test]
    fn references_lead_from_file_to_file() {
        let documents = read(&[
            (
                "api/main.json",
                r#"{"a": {"$ref": "parts/one.yaml#/x"}, "c": {"$ref": "no.json"}}"#,
            ),
            (
                "parts/one.yaml",
                "x: {$ref: '../two%20.json'}\nself: {$ref: '#'}\n",
            ),
            (
                "two .json",
                r##"{"b#": {"$ref": "./main.json#/a"}, "y": {"$ref": "parts/one.yaml"}}"##,
            ),
        ]);
        let documents = documents.expect("can be read");
        for (from, reference, to) in [
            ("/a", "parts/one.yaml#/x", "parts/one.yaml#/x"),
            ("/a", "#/c", "/c"),
            ("parts/one.yaml#/x", "../two%20.json", "two .json#"),
            ("parts/one.yaml#/self", "#", "parts/one.yaml#"),
            ("two .json#/b#", "./main.json#/a", "/a"),
            ("two .json#/b#", "#/b%23", "two .json#/b#"),
            ("two .json#/y", "parts/../parts/one.yaml", "parts/one.yaml#"),
        ] {
            assert_eq!(
                documents.target(from, reference),
                Ok(to.into()),
                "{reference}"
            );
            assert!(documents.at(to).is_some(), "{to}");
        }
        for (reference, problem) in [
            ("#/d", "there is no `#/d`"),
            ("parts/one.yaml#/y", "there is no `parts/one.yaml#/y`"),
            ("no.json", "no.json cannot be read: entity not found"),
            ("#item", "not to an anchor"),
            ("https://example.com/a.json", "not to another host"),
            ("//example.com/a.json", "not to another host"),
            ("/a.json", "the root"),
        ] {
            let told = documents.target("/a", reference).expect_err(reference);
            assert!(told.contains(problem), "{reference}: {told}");
        }
    }

    #[test]
    fn files_are_bounded() {
        let many: serde_json::Map<String, Value> = (0..=FILES)
            .map(|number| {
                (
                    number.to_string(),
                    json!({"$ref": format!("{number}.json")}),
                )
            })
            .collect();
        let told = read(&[("main.json", &Value::from(many).to_string())]);
        assert_eq!(
            told.expect_err("too many"),
            "refers to more than 1000 files"
        );
        let main = r#"{"a": {"$ref": "b.json"}}"#;
        let large = format!("\"{}\"", "x".repeat(LARGEST));
        let told = read(&[("main.json", main), ("b.json", &large)]);
        assert!(told.expect_err("too large").contains("67108864 bytes"));
        assert!(
            read(&[("main.yml", "a: [")])
                .expect_err("broken")
                .contains("YAML")
        );
    }
}
