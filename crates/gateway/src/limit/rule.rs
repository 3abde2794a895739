//! A rule that can be kept, and the rules that a request meets.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Request};
use platform::http::ClientAddress;
use platform::metrics::{Held, LimitLabels, Metrics, Named, Tally};
use ring::digest::{SHA256, digest};
use wire::workers::PerWorker;

use super::gcra::Quota;
use super::key::key;
use super::settings::{Cost, LimitSettings, Part, WhenAway};

/// A request meets so many rules at most.
const RULES: usize = 16;
const NAME: usize = 64;

/// The rules of a route or of several, checked. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rules(Arc<Inner>);

struct Inner {
    rules: Vec<Rule>,
    /// `RateLimit-Policy` where every rule that is told applies; each answer counts that it has it.
    policies: PerWorker<Option<HeaderValue>>,
}

/// One of them.
pub(crate) struct Rule {
    pub(crate) name: String,
    /// The same in every process, and for no other name.
    pub(crate) id: u64,
    per: Vec<Part>,
    cost: Cost,
    pub(crate) quota: Quota,
    pub(crate) shadow: bool,
    pub(crate) when_away: WhenAway,
    /// As an item of `RateLimit-Policy`.
    pub(crate) policy: String,
    /// How an item of `RateLimit` begins.
    pub(crate) item: String,
    pub(crate) counted: Counted,
    _name: Held,
}

/// How often a rule came to which decision.
pub(crate) struct Counted {
    pub(crate) allowed: Tally,
    pub(crate) limited: Tally,
    pub(crate) shadowed: Tally,
    pub(crate) errors: Tally,
}

/// What a request asks of one rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// Which rule, among those of the route.
    pub(crate) rule: usize,
    pub(crate) id: u64,
    pub(crate) key: u128,
    pub(crate) quota: Quota,
    /// Microseconds of its quota.
    pub(crate) charge: i64,
    pub(crate) shadow: bool,
    /// The answer: what was used up before.
    pub(crate) used: i64,
}

impl Ask {
    pub(crate) fn fits(&self) -> bool {
        self.quota.fits(self.used, self.charge)
    }

    /// Whether this alone refuses the request.
    pub(crate) fn refuses(&self) -> bool {
        !self.shadow && !self.fits()
    }
}

impl Rules {
    /// Checks `settings`; tells the first thing that is wrong with which rule.
    pub(crate) fn new<'a>(
        settings: impl IntoIterator<Item = &'a LimitSettings>,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let rules: Result<Vec<Rule>, String> = settings
            .into_iter()
            .map(|settings| {
                let wrong = |wrong| format!("limit `{}`: {wrong}", settings.name);
                Rule::new(settings, metrics).map_err(wrong)
            })
            .collect();
        let rules = rules?;
        let mut names = BTreeSet::new();
        if let Some(twice) = rules.iter().find(|rule| !names.insert(&rule.name)) {
            return Err(format!("limit `{}`: named twice", twice.name));
        }
        if rules.len() > RULES {
            return Err(format!("a request can meet {RULES} limits at most"));
        }
        let told: Vec<&str> = rules
            .iter()
            .filter(|rule| !rule.shadow)
            .map(|rule| rule.policy.as_str())
            .collect();
        let told = told.join(", ");
        let policies = PerWorker::by_processors(|| HeaderValue::try_from(told.as_str()).ok());
        Ok(Self(Arc::new(Inner { rules, policies })))
    }

    /// Whether there is nothing to decide.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.rules.is_empty()
    }

    pub(crate) fn get(&self, ask: &Ask) -> &Rule {
        &self.0.rules[ask.rule]
    }

    /// What `request`, which `client` has sent, asks of the rules that apply to it.
    pub(crate) fn asks<B>(
        &self,
        request: &Request<B>,
        client: Option<ClientAddress>,
        route: &str,
    ) -> Vec<Ask> {
        let rules = self.0.rules.iter().enumerate();
        let asks = rules.filter_map(|(index, rule)| {
            Some(Ask {
                rule: index,
                id: rule.id,
                key: key(&rule.per, request, client, route)?,
                quota: rule.quota,
                charge: rule.quota.charge(rule.cost.of(request.method())),
                shadow: rule.shadow,
                used: 0,
            })
        });
        asks.collect()
    }

    /// `RateLimit-Policy` for the rules of `asks`.
    pub(crate) fn policy(&self, asks: &[Ask]) -> Option<HeaderValue> {
        if asks.len() == self.0.rules.len() {
            return self.0.policies.own().clone();
        }
        let told = asks.iter().map(|ask| self.get(ask));
        let told: Vec<&str> = told
            .filter(|rule| !rule.shadow)
            .map(|rule| rule.policy.as_str())
            .collect();
        HeaderValue::try_from(told.join(", ")).ok()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.rules.iter().map(|rule| &rule.name);
        f.debug_list().entries(names).finish()
    }
}

impl Rule {
    fn new(settings: &LimitSettings, metrics: &Metrics) -> Result<Self, String> {
        let name = settings.name.clone();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > NAME || !name.bytes().all(plain) {
            return Err(format!(
                "a name has up to {NAME} letters, digits, `-`, `_` and `.`"
            ));
        }
        let burst = settings.burst.unwrap_or(settings.rate.count);
        let quota = Quota::new(settings.rate, burst)?;
        if settings.cost.highest() > burst {
            let cost = settings.cost.highest();
            return Err(format!(
                "a request that costs {cost} never fits into a burst of {burst}; raise `burst`"
            ));
        }
        let (units, window) = quota.policy(settings.rate, burst);
        let held = metrics.hold(Named::Rule(name.clone()));
        let counted = |outcome| {
            let rule = name.clone();
            let labels = LimitLabels { rule, outcome };
            metrics.limits.get_or_create(&labels).clone()
        };
        let hash = digest(&SHA256, name.as_bytes());
        let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
        Ok(Self {
            id: u64::from_be_bytes(first),
            per: settings.per.0.clone(),
            cost: settings.cost.clone(),
            quota,
            shadow: settings.shadow,
            when_away: settings.when_away,
            item: format!("\"{name}\";r="),
            policy: format!("\"{name}\";q={units};w={window}"),
            counted: Counted {
                allowed: counted("allowed"),
                limited: counted("limited"),
                shadowed: counted("shadowed"),
                errors: counted("error"),
            },
            name,
            _name: held,
        })
    }
}
