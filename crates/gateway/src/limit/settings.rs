//! Rules as the configuration tells them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use platform::config::units;
use platform::metrics::Metrics;
use serde::Deserialize;

use super::Rules;

/// One rule: `[[limit]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) struct LimitSettings {
    /// Names it in headers, metrics and counters: rules of the same name count together.
    pub name: String,
    /// Whose requests count together.
    pub per: Per,
    /// How many on the average, such as `100/1m`.
    pub rate: Rate,
    /// How many at once; by default as many as the rate has in its time.
    #[serde(default)]
    pub burst: Option<u32>,
    /// How many requests one counts for.
    #[serde(default)]
    pub cost: Cost,
    /// Only counts what it would refuse.
    #[serde(default)]
    pub shadow: bool,
    /// What holds while the counters of all instances are away.
    #[serde(default)]
    pub when_away: WhenAway,
}

impl LimitSettings {
    /// Tells what is wrong with the rule, if it cannot be kept.
    pub(crate) fn check(&self) -> Result<(), String> {
        Rules::new([self], &Metrics::new()).map(drop)
    }
}

/// `COUNT/TIME`, such as `100/1m`, `10/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Rate {
    /// So many.
    pub count: u32,
    /// In this time.
    pub window: Duration,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = text.split_once('/').and_then(|(count, window)| {
            let window = window.trim();
            let counted = window.starts_with(|c: char| c.is_ascii_digit());
            let window = if counted {
                units::duration(window)
            } else {
                units::duration(&format!("1{window}"))
            };
            Some(Self {
                count: count.trim().parse().ok()?,
                window: window?,
            })
        });
        rate.ok_or_else(|| format!("`{text}` is no rate; expected one such as 100/1m or 10/s"))
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Whose requests count together: all that agree in each part. A request that lacks a part, as
/// nobody has no customer, is none of the rule's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "OneOrMany<String>")]
pub(crate) struct Per(pub Vec<Part>);

/// What requests can have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// `address`: the client's; of IPv6 the network of 64 bits, which one client has as a whole.
    Address,
    /// `customer`: who has logged in.
    Customer,
    /// `api_key`: the name of the key or the subject of the token, see
    /// [`Identity`](crate::identity::Identity).
    ApiKey,
    /// `route`: the route, so that each has counters of its own.
    Route,
    /// `header:NAME`: the value of a header field. Clients choose it, or leave it out.
    Header(http::HeaderName),
    /// `claim:NAME`: a claim of a verified token, see [`Identity`](crate::identity::Identity).
    Claim(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Customer => f.write_str("customer"),
            Self::ApiKey => f.write_str("api_key"),
            Self::Route => f.write_str("route"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Claim(name) => write!(f, "claim:{name}"),
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "address" => Ok(Self::Address),
            None if text == "customer" => Ok(Self::Customer),
            None if text == "api_key" => Ok(Self::ApiKey),
            None if text == "route" => Ok(Self::Route),
            Some(("header", name)) => name
                .parse()
                .map(Self::Header)
                .map_err(|_| format!("`{name}` is no name of a header field")),
            Some(("claim", name)) if !name.is_empty() => Ok(Self::Claim(name.to_owned())),
            _ => Err(format!(
                "`{text}` is nothing that requests have in common; expected address, customer, \
                 api_key, route, header:NAME or claim:NAME"
            )),
        }
    }
}

impl TryFrom<OneOrMany<String>> for Per {
    type Error = String;

    fn try_from(texts: OneOrMany<String>) -> Result<Self, Self::Error> {
        let texts = match texts {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        };
        if texts.is_empty() {
            return Err(String::from(
                "`per` names nothing; for all requests, `route`",
            ));
        }
        let parts: Result<Vec<Part>, String> = texts.iter().map(|text| text.parse()).collect();
        parts.map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// `cost = 5`, or by method: `cost = { POST = 10, default = 1 }`. What costs 0 is free.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "CostText")]
pub(crate) struct Cost {
    /// Of methods that are not named.
    pub default: u32,
    /// Of those that are.
    pub by_method: BTreeMap<String, u32>,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            default: 1,
            by_method: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CostText {
    Fixed(u32),
    ByMethod(BTreeMap<String, u32>),
}

impl From<CostText> for Cost {
    fn from(text: CostText) -> Self {
        match text {
            CostText::Fixed(default) => Self {
                default,
                by_method: BTreeMap::new(),
            },
            CostText::ByMethod(mut by_method) => Self {
                default: by_method.remove("default").unwrap_or(1),
                by_method,
            },
        }
    }
}

impl Cost {
    /// Of a request with `method`.
    pub(crate) fn of(&self, method: &http::Method) -> u32 {
        let named = self.by_method.get(method.as_str());
        named.copied().unwrap_or(self.default)
    }

    pub(crate) fn highest(&self) -> u32 {
        let named = self.by_method.values().copied();
        named.fold(self.default, u32::max)
    }
}

/// What holds while the counters of all instances are away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenAway {
    /// Each instance counts for itself.
    #[default]
    Local,
    /// The rule lets everything through.
    Open,
    /// The rule refuses everything, with 503.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LimitSettings, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_read() {
        let rule = read("name = 'all'\nper = 'address'\nrate = '10/s'").expect("a rule");
        assert_eq!(rule.per, Per(vec![Part::Address]));
        assert_eq!(rule.rate.window, Duration::from_secs(1));
        assert_eq!((rule.burst, rule.shadow), (None, false));
        assert_eq!(rule.when_away, WhenAway::Local);

        let text = "name = 'writes'\nper = ['header:x-tenant', 'claim:plan', 'route']\n\
                    rate = '100/5m'\nburst = 20\ncost = { POST = 10, default = 2 }\n\
                    shadow = true\nwhen_away = 'closed'";
        let rule = read(text).expect("a rule");
        assert_eq!(rule.per.0.len(), 3);
        assert_eq!(rule.cost.of(&http::Method::POST), 10);
        assert_eq!(rule.cost.of(&http::Method::GET), 2);
        assert_eq!(rule.when_away, WhenAway::Closed);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, told) in [
            (
                "name = 'a'\nper = 'adress'\nrate = '1/s'",
                "expected address, customer",
            ),
            ("name = 'a'\nper = []\nrate = '1/s'", "names nothing"),
            (
                "name = 'a'\nper = 'route'\nrate = 'often'",
                "such as 100/1m",
            ),
            (
                "name = 'a'\nper = 'route'\nrate = '1/s'\nbrust = 1",
                "unknown field",
            ),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(told), "{error}");
        }
    }
}
