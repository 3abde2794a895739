//! When a second server is asked as well.

use std::time::Duration;

use http::Method;

use crate::table::{After, Route};
use crate::upstream::is_idempotent;

pub(super) fn problems(route: &Route, wrong: &mut impl FnMut(String)) {
    let Some(hedge) = &route.hedge else { return };
    if route.redirect.is_some() || route.shop {
        wrong(String::from("`hedge` is for routes to upstreams"));
    }
    let methods = || {
        route
            .methods
            .iter()
            .filter_map(|method| method.parse().ok())
    };
    let harmful = |method: Method| !is_idempotent(&method);
    if !route.methods.is_empty() && methods().all(harmful) {
        wrong(format!(
            "`hedge` asks twice, which may do twice what {} asks for: it is for GET, HEAD, OPTIONS, \
             TRACE, PUT and DELETE",
            route.methods.join(" or ")
        ));
    }
    if hedge.after == After::Fixed(Duration::ZERO) {
        wrong(String::from(
            "`hedge.after` of 0 would ask everything twice: say how long an answer usually takes at most",
        ));
    }
    if let (After::Fixed(after), Some(deadline)) = (hedge.after, route.deadline)
        && after >= deadline
    {
        wrong(String::from(
            "`hedge.after` is not before the `deadline` of the route: nobody would be asked",
        ));
    }
}
