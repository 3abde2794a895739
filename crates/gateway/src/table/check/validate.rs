//! What requests are checked by, apart from the document.

use crate::table::Route;
use crate::validate::Otherwise;

pub(super) fn problems(route: &Route, wrong: &mut impl FnMut(String)) {
    let Some(validate) = &route.validate else {
        return;
    };
    if route.redirect.is_some() {
        wrong(String::from("`validate` is for routes to upstreams"));
    }
    let strange = |base: &String| !base.starts_with('/') || base.contains(['{', '?', '#']);
    if validate.base.as_ref().is_some_and(strange) {
        wrong(String::from(
            "`validate.base` is what stands before the paths of the document, such as \"/v1\"; \"/\" \
             for nothing",
        ));
    }
    let refuses = |otherwise| otherwise == Otherwise::Refuse;
    if refuses(validate.unknown_query) && !validate.parameters {
        wrong(String::from(
            "`validate.unknown_query` needs `parameters = true`: others are not known",
        ));
    }
    if !validate.body && !validate.parameters && !refuses(validate.undocumented) {
        wrong(String::from("`validate` checks nothing: remove it"));
    }
    if !validate.body && !validate.unchecked.is_empty() {
        wrong(String::from("`validate.unchecked` is for `body = true`"));
    }
}
