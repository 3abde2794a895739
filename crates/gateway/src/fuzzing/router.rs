//! Paths have one normal form, and a request takes the route that a plain search finds.

use std::cmp::Reverse;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Uri};

use super::{fields, sections};
use crate::forward::with_path;
use crate::path::normalise;
use crate::router::{Conditions, Found, Router};

/// A request, then the routes:
///
/// ```text
/// GET api.example.com /a/b
/// x-beta: yes
/// ---
/// *.example.com GET,POST /a/{id} x-beta=yes
/// * * /{*rest}
/// ```
pub fn router(data: &[u8]) {
    let Some([request, routes]) = sections::<2>(data) else {
        return;
    };
    let mut lines = request.lines();
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
    let mut next = || first.next().unwrap_or_default();
    let (method, host, path) = (next(), next(), next());
    let Some(path) = normal(path) else { return };
    let method: Method = method.parse().unwrap_or(Method::GET);
    let headers = fields(lines);
    let routes: Vec<Conditions> = routes.lines().take(64).filter_map(route).collect();
    let Ok(router) = Router::new(routes.clone()) else {
        return;
    };
    let found = router.find(&method, host, &path, &headers);
    if let Some(expected) = search(&routes, &method, host, &path, &headers) {
        assert_eq!(found, expected);
    }
}

/// The normal form of a path, which has none but itself, and stands in a request as it is.
fn normal(path: &str) -> Option<String> {
    let normal = normalise(path).ok()?.into_owned();
    assert_eq!(normalise(&normal).as_deref(), Ok(&*normal));
    assert!(normal.starts_with('/'));
    assert!(
        !normal
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
    );
    let strange = |byte: u8| byte.is_ascii_control() || byte == b'\\';
    assert!(!normal.bytes().any(strange));
    if path.contains(['?', '#']) {
        // Not as a path that stands in a request: they would end it.
        return None;
    }
    let target = PathAndQuery::try_from(path).ok()?;
    if target.path() == path {
        let sent = with_path(&Uri::from(target), &normal).expect("stays a path");
        assert_eq!(sent.path(), normal);
    }
    Some(normal)
}

fn route(line: &str) -> Option<Conditions> {
    let mut words = line.split(' ');
    let hosts = words.next()?.split(',').filter(|host| *host != "*");
    let methods = words.next()?.split(',').filter(|method| *method != "*");
    let path = words.next()?.to_owned();
    let headers = words.filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        Some((name.parse().ok()?, (value != "*").then(|| value.to_owned())))
    });
    Some(Conditions {
        hosts: hosts.map(str::to_owned).collect(),
        path,
        methods: methods.filter_map(|method| method.parse().ok()).collect(),
        headers: headers.collect(),
    })
}

/// A segment of a template; those before are more specific.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Fixed(&'a str),
    One,
    Rest,
}

/// The segments of a template that has nothing but whole captures.
fn template(path: &str) -> Option<Vec<Segment<'_>>> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let last = segments.len() - 1;
    let mut template = Vec::with_capacity(segments.len());
    for (at, segment) in segments.into_iter().enumerate() {
        template.push(match segment.strip_prefix('{') {
            None if segment.contains(['{', '}']) => return None,
            None => Segment::Fixed(segment),
            Some(capture) => {
                let capture = capture.strip_suffix('}')?;
                let name = capture.strip_prefix('*').unwrap_or(capture);
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    return None;
                }
                match (capture.starts_with('*'), at == last) {
                    (false, _) => Segment::One,
                    (true, true) => Segment::Rest,
                    (true, false) => return None,
                }
            }
        });
    }
    Some(template)
}

fn fits(template: &[Segment<'_>], path: &str) -> bool {
    let mut rest = Some(&path[1..]);
    for segment in template {
        let Some(left) = rest else { return false };
        let (here, behind) = match left.split_once('/') {
            Some((here, behind)) => (here, Some(behind)),
            None => (left, None),
        };
        rest = match segment {
            Segment::Rest => return true,
            Segment::One if here.is_empty() => return false,
            Segment::Fixed(text) if *text != here => return false,
            Segment::One | Segment::Fixed(_) => behind,
        };
    }
    rest.is_none()
}

/// How specific a host of a route is, if it fits: exact, then the longest wildcard, then any.
fn level(pattern: &str, host: &str) -> Option<usize> {
    match pattern.strip_prefix('*') {
        _ if pattern == "*" => Some(0),
        Some(suffix) if suffix.starts_with('.') => {
            let fits = host.ends_with(&suffix.to_ascii_lowercase());
            fits.then_some(suffix.len())
        }
        _ => (pattern.to_ascii_lowercase() == host).then_some(usize::MAX),
    }
}

fn holds(route: &Conditions, method: &Method, headers: &HeaderMap) -> bool {
    let has = |(name, wanted): &(HeaderName, Option<String>)| {
        let mut values = headers.get_all(name).iter();
        values.any(|value| {
            let wanted = wanted.as_ref().map(String::as_bytes);
            wanted.is_none_or(|wanted| value.as_bytes() == wanted)
        })
    };
    let of_method = route.methods.is_empty() || route.methods.contains(method);
    of_method && route.headers.iter().all(has)
}

/// What the documentation promises, by looking at all routes; `None` where a template is not plain.
fn search(
    routes: &[Conditions],
    method: &Method,
    host: &str,
    path: &str,
    headers: &HeaderMap,
) -> Option<Found> {
    let host = host.to_ascii_lowercase();
    let templates = routes.iter().map(|route| template(&route.path));
    let templates: Vec<_> = templates.collect::<Option<_>>()?;
    let any = [String::from("*")];
    let hosts = |at: usize| match &routes[at].hosts {
        none if none.is_empty() => &any[..],
        hosts => hosts,
    };
    let fitting: Vec<usize> = (0..routes.len())
        .filter(|at| fits(&templates[*at], path))
        .collect();
    let of_hosts = fitting.iter().flat_map(|at| hosts(*at));
    let mut levels: Vec<usize> = of_hosts.filter_map(|known| level(known, &host)).collect();
    levels.sort_unstable_by_key(|level| Reverse(*level));
    levels.dedup();
    let mut others: Vec<Method> = Vec::new();
    for wanted in levels {
        let of_level = |at: &&usize| {
            hosts(**at)
                .iter()
                .any(|known| level(known, &host) == Some(wanted))
        };
        let here: Vec<usize> = fitting.iter().filter(of_level).copied().collect();
        let best = here.iter().map(|at| &templates[*at]).min();
        let mut here: Vec<usize> = here
            .iter()
            .filter(|at| Some(&templates[**at]) == best)
            .copied()
            .collect();
        here.sort_by_key(|at| {
            let route = &routes[*at];
            Reverse(route.headers.len() * 2 + usize::from(!route.methods.is_empty()))
        });
        // Who answers GET answers HEAD, unless somebody else does.
        let instead = (*method == Method::HEAD).then_some(&Method::GET);
        for method in [Some(method), instead].into_iter().flatten() {
            if let Some(at) = here.iter().find(|at| holds(&routes[**at], method, headers)) {
                return Some(Found::Route(*at));
            }
        }
        let of_others = here.iter().flat_map(|at| &routes[*at].methods);
        others.extend(of_others.filter(|known| *known != method).cloned());
    }
    if others.is_empty() {
        return Some(Found::Nothing);
    }
    if *method != Method::HEAD && others.contains(&Method::GET) {
        others.push(Method::HEAD);
    }
    others.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    others.dedup();
    Some(Found::OtherMethods(others))
}
