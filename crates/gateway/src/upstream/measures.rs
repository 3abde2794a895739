//! The metrics of one upstream, looked up once.

use platform::metrics::{Held, Metrics, Named, ServersLabels, Tally, UpstreamLabels};
use prometheus_client::metrics::gauge::Gauge;

use super::Outcome;

#[derive(Debug)]
pub(super) struct Measures {
    answered: Tally,
    failed: Tally,
    late: Tally,
    pub(super) repeated: Tally,
    pub(super) hedged: Tally,
    pub(super) hedge_won: Tally,
    pub(super) pipelined: Tally,
    pub(super) resent: Tally,
    pub(super) refused: Tally,
    pub(super) overloaded: Tally,
    pub(super) ejected: Tally,
    pub(super) usable: Gauge,
    /// Of servers whose room is limited.
    pub(super) room: Option<Gauge>,
    _name: Held,
}

impl Measures {
    pub(super) fn new(upstream: &str, limited: bool, metrics: &Metrics) -> Self {
        let name = metrics.hold(Named::Upstream(upstream.to_owned()));
        let count = |outcome| {
            let labels = UpstreamLabels {
                upstream: upstream.to_owned(),
                outcome,
            };
            metrics.upstream.get_or_create(&labels).clone()
        };
        let labels = ServersLabels {
            upstream: upstream.to_owned(),
        };
        Self {
            _name: name,
            answered: count("answered"),
            failed: count("failed"),
            late: count("late"),
            repeated: count("repeated"),
            hedged: count("hedged"),
            hedge_won: count("hedge_won"),
            pipelined: count("pipelined"),
            resent: count("resent"),
            refused: count("refused"),
            overloaded: count("overloaded"),
            ejected: count("ejected"),
            usable: metrics.upstream_usable.get_or_create(&labels).clone(),
            room: limited.then(|| metrics.upstream_room.get_or_create(&labels).clone()),
        }
    }

    /// A try has ended.
    pub(super) fn tried(&self, outcome: Outcome, late: bool) {
        match outcome {
            Outcome::Answered => self.answered.inc(),
            Outcome::Failed if late => self.late.inc(),
            Outcome::Failed => self.failed.inc(),
            Outcome::Unknown => {}
        }
    }
}
