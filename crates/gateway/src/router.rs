//! Which route a request takes: the most specific host, then the most specific path, then the
//! first route whose method and headers fit, those with more conditions first.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, Method};

/// The conditions of one route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Conditions {
    /// Exact (`api.example.com`) or with one wildcard label (`*.example.com`); none for any.
    pub(crate) hosts: Vec<String>,
    /// A template: `/v1/products/{id}`, `/files/{*path}`.
    pub(crate) path: String,
    /// None for any.
    pub(crate) methods: Vec<Method>,
    /// Fields that must be there; with `Some`, of exactly this value.
    pub(crate) headers: Vec<(HeaderName, Option<String>)>,
}

impl Conditions {
    fn hold(&self, method: &Method, headers: &HeaderMap) -> bool {
        let of_method = self.methods.is_empty() || self.methods.contains(method);
        of_method
            && self.headers.iter().all(|(name, wanted)| {
                let mut values = headers.get_all(name).iter();
                match wanted {
                    None => values.next().is_some(),
                    Some(wanted) => values.any(|value| value.as_bytes() == wanted.as_bytes()),
                }
            })
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This route, by its place in the table.
    Route(usize),
    /// Routes have the path, but with these methods only.
    OtherMethods(Vec<Method>),
    /// No route has the path.
    Nothing,
}

/// A path that cannot stand beside another one, or is no template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadTemplate {
    /// It conflicts with another one.
    #[error("the path `{0}` cannot be told apart from `{1}`")]
    Conflict(String, String),
    /// It is none.
    #[error("the path `{0}` is no template: {1}; write `/files/{{id}}` or `/files/{{*rest}}`")]
    Malformed(String, String),
}

/// Routes by host and path.
#[derive(Debug, Default)]
pub(crate) struct Router {
    conditions: Vec<Conditions>,
    exact: HashMap<String, Paths>,
    /// The part behind `*.`, the longest first.
    wildcards: Vec<(String, Paths)>,
    any: Paths,
}

/// The routes of one host, by path; each list in the order in which they are tried.
#[derive(Debug, Default)]
struct Paths {
    tree: matchit::Router<usize>,
    known: HashMap<String, usize>,
    candidates: Vec<Vec<usize>>,
}

impl Router {
    /// A router for these routes; whatever is wrong is told with the place of its route.
    pub(crate) fn new(conditions: Vec<Conditions>) -> Result<Self, Vec<(usize, BadTemplate)>> {
        let mut router = Self::default();
        let mut wrong = Vec::new();
        for (index, of_route) in conditions.iter().enumerate() {
            let any = [String::from("*")];
            let hosts = if of_route.hosts.is_empty() {
                &any[..]
            } else {
                &of_route.hosts
            };
            for host in hosts {
                if let Err(bad) = router.paths(host).add(&of_route.path, index) {
                    wrong.push((index, bad));
                    break;
                }
            }
        }
        router
            .wildcards
            .sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        let weight = |index: &usize| {
            let of_route = &conditions[*index];
            let conditions = of_route.headers.len() * 2 + usize::from(!of_route.methods.is_empty());
            std::cmp::Reverse(conditions)
        };
        let wildcards = router.wildcards.iter_mut().map(|(_, paths)| paths);
        for paths in router
            .exact
            .values_mut()
            .chain(wildcards)
            .chain([&mut router.any])
        {
            paths.reach_ends();
            // Stable: the order of the file decides among equals.
            paths
                .candidates
                .iter_mut()
                .for_each(|list| list.sort_by_key(weight));
        }
        router.conditions = conditions;
        if wrong.is_empty() {
            Ok(router)
        } else {
            Err(wrong)
        }
    }

    fn paths(&mut self, host: &str) -> &mut Paths {
        if host == "*" {
            return &mut self.any;
        }
        let Some(suffix) = host.strip_prefix("*.") else {
            return self.exact.entry(host.to_ascii_lowercase()).or_default();
        };
        let suffix = format!(".{}", suffix.to_ascii_lowercase());
        let place = self
            .wildcards
            .iter()
            .position(|(known, _)| *known == suffix);
        let place = place.unwrap_or_else(|| {
            self.wildcards.push((suffix, Paths::default()));
            self.wildcards.len() - 1
        });
        &mut self.wildcards[place].1
    }

    /// Whether there are routes for some hosts only.
    pub(crate) fn has_hosts(&self) -> bool {
        !self.exact.is_empty() || !self.wildcards.is_empty()
    }

    /// The route of a request. `path` is in its normal form, `host` without the port, and of no matter
    /// where there are [no routes for it](Self::has_hosts).
    pub(crate) fn find(
        &self,
        method: &Method,
        host: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Found {
        let lower;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            lower.as_str()
        } else {
            host
        };
        let of_host = self.exact.get(host);
        let suffixes = self
            .wildcards
            .iter()
            .filter(|(suffix, _)| host.ends_with(suffix.as_str()));
        let levels = of_host
            .into_iter()
            .chain(suffixes.map(|(_, paths)| paths))
            .chain([&self.any]);
        let mut others: Vec<Method> = Vec::new();
        for paths in levels {
            let Ok(found) = paths.tree.at(path) else {
                continue;
            };
            let candidates = &paths.candidates[*found.value];
            let holds = |method: &Method| {
                let mut candidates = candidates.iter();
                candidates.find(|index| self.conditions[**index].hold(method, headers))
            };
            // Who answers GET answers HEAD (RFC 9110, section 9.3.2), unless somebody else does.
            let found = match holds(method) {
                None if *method == Method::HEAD => holds(&Method::GET),
                found => found,
            };
            if let Some(index) = found {
                return Found::Route(*index);
            }
            for index in candidates {
                let methods = &self.conditions[*index].methods;
                let unseen = methods.iter().filter(|&known| known != method);
                others.extend(unseen.cloned());
            }
        }
        if others.is_empty() {
            return Found::Nothing;
        }
        if *method != Method::HEAD && others.contains(&Method::GET) {
            others.push(Method::HEAD);
        }
        others.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        others.dedup();
        Found::OtherMethods(others)
    }
}

impl Paths {
    /// What takes all that follows takes nothing as well, unless another path is that.
    fn reach_ends(&mut self) {
        let known = self.known.iter();
        let ends = known.filter_map(|(shape, place)| Some((end_of(shape)?.to_owned(), *place)));
        let ends: Vec<(String, usize)> = ends.collect();
        for (end, place) in ends {
            if !self.known.contains_key(&end) && self.tree.insert(end.as_str(), place).is_ok() {
                self.known.insert(end, place);
            }
        }
    }

    fn add(&mut self, template: &str, index: usize) -> Result<(), BadTemplate> {
        // What the captures are called makes no difference to where they are.
        let (shape, _) = unnamed(template);
        if let Some(place) = self.known.get(&shape) {
            self.candidates[*place].push(index);
            return Ok(());
        }
        let place = self.candidates.len();
        self.tree
            .insert(shape.as_str(), place)
            .map_err(|error| match error {
                matchit::InsertError::Conflict { with } => {
                    BadTemplate::Conflict(template.to_owned(), with)
                }
                error => BadTemplate::Malformed(template.to_owned(), error.to_string()),
            })?;
        self.known.insert(shape, place);
        self.candidates.push(vec![index]);
        Ok(())
    }
}

/// The path that is left of a shape if nothing takes the place of its `{*rest}`.
fn end_of(shape: &str) -> Option<&str> {
    let (end, _) = shape.rsplit_once("{*")?;
    end.ends_with('/').then_some(end)
}

/// A template with its captures numbered, and their names in order.
fn unnamed(template: &str) -> (String, Vec<String>) {
    let mut shape = String::with_capacity(template.len());
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        let star = if name.starts_with('*') { "*" } else { "" };
        shape.push_str(&format!("{before}{{{star}c{}}}", names.len()));
        names.push(name.trim_start_matches('*').to_owned());
        rest = behind;
    }
    shape.push_str(rest);
    (shape, names)
}

/// A template by which the parts of a path are taken.
#[derive(Debug)]
pub(crate) struct Template {
    tree: matchit::Router<()>,
    names: Vec<String>,
}

impl Template {
    /// Reads `/files/{id}/{*rest}`.
    pub(crate) fn new(template: &str) -> Result<Self, BadTemplate> {
        let (shape, names) = unnamed(template);
        let mut tree = matchit::Router::new();
        match tree.insert(shape.as_str(), ()) {
            Ok(()) => {
                if let Some(end) = end_of(&shape) {
                    // Nothing else is in the tree that it could be in conflict with.
                    let _ = tree.insert(end, ());
                }
                Ok(Self { tree, names })
            }
            Err(error) => Err(BadTemplate::Malformed(
                template.to_owned(),
                error.to_string(),
            )),
        }
    }

    /// The names of its captures.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What its captures hold in a path that it matches, in their order.
    pub(crate) fn captures<'a>(&self, path: &'a str) -> Vec<&'a str> {
        let found = self.tree.at(path);
        let Ok(found) = found else {
            return Vec::new();
        };
        let mut values: Vec<&str> = found.params.iter().map(|(_, value)| value).collect();
        // What takes all that follows has taken nothing.
        values.resize(self.names.len(), "");
        values
    }
}

#[cfg(test)]
mod tests;
