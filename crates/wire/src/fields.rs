//! Fields of heads.

use http::{HeaderMap, HeaderName};

/// Removes all fields with such names: mostly there are none, and nothing is allocated.
pub fn remove_if(headers: &mut HeaderMap, such: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| such(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
