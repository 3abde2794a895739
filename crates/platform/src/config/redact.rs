//! Passwords inside values that are not secret as a whole.

/// `text` with the password of each URL in it hidden: `postgres://shop:[redacted]@host/shop`.
/// Hides too much rather than too little: a password may hold what should have been escaped.
pub(super) fn passwords(text: &str) -> String {
    let mut urls = text.split("://");
    let mut shown = urls.next().unwrap_or_default().to_owned();
    for url in urls {
        shown.push_str("://");
        let end = url
            .find(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            .unwrap_or(url.len());
        let (url, tail) = url.split_at(end);
        let user_info = url.rsplit_once('@');
        match user_info.and_then(|(user_info, host)| Some((user_info.split_once(':')?.0, host))) {
            Some((user, host)) => shown.push_str(&format!("{user}:[redacted]@{host}")),
            None => shown.push_str(url),
        }
        shown.push_str(tail);
    }
    without_parameter(&shown)
}

/// PostgreSQL also takes `?password=`.
fn without_parameter(text: &str) -> String {
    let Some((before, after)) = text.split_once("password=") else {
        return text.to_owned();
    };
    let end = after.find(['&', '"', '\'']).unwrap_or(after.len());
    format!("{before}password=[redacted]{}", &after[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_passwords_and_nothing_else() {
        for (text, shown) in [
            (
                "\"postgres://shop:hunter2@db:5432/shop\"",
                "\"postgres://shop:[redacted]@db:5432/shop\"",
            ),
            ("postgres://shop@db/shop", "postgres://shop@db/shop"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            (
                "postgres://shop:a/b@db/shop",
                "postgres://shop:[redacted]@db/shop",
            ),
            (
                "postgres://db/shop?user=x&password=hunter2&sslmode=disable",
                "postgres://db/shop?user=x&password=[redacted]&sslmode=disable",
            ),
            ("sqlite:rialto-data", "sqlite:rialto-data"),
            (
                "[\"http://a:1\", \"http://u:p@b:2\"]",
                "[\"http://a:1\", \"http://u:[redacted]@b:2\"]",
            ),
            ("5s", "5s"),
        ] {
            assert_eq!(passwords(text), shown);
        }
    }
}
