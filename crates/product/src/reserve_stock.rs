//! `product.reserve_stock`: sets goods aside for an order or a cart, all or nothing.

use std::time::Duration;

use contracts::product::{Reservation, ReserveStock};
use kernel::{Problem, Validate, Violations};

use crate::ProductService;
use crate::reservation_queue::Command;
use crate::stock::MOST_AT_ONCE;

/// Lines of one reservation: far more than a cart may have.
const MOST_LINES: usize = 1_000;
/// How far ahead a reservation may lapse.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The rules of a request; its type belongs to the contract.
struct Checked<'a>(&'a ReserveStock);

impl Validate for Checked<'_> {
    fn validate(&self, violations: &mut Violations) {
        let lines = &self.0.lines;
        violations.require(lines.len() <= MOST_LINES, "lines", "at most 1000 lines");
        violations.within("lines", |violations| {
            for (index, line) in lines.iter().enumerate() {
                let fits = (1..=MOST_AT_ONCE).contains(&line.quantity);
                violations.within(index, |violations| {
                    violations.require(fits, "quantity", "expected 1 to 10^9");
                });
            }
        });
    }
}

impl ProductService {
    /// Sets goods aside; see [`ProductApi`](contracts::product::ProductApi).
    pub(crate) async fn reserve_stock(
        &self,
        mut request: ReserveStock,
    ) -> Result<Reservation, Problem> {
        let errors = Violations::of(&Checked(&request));
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        request.expires_at = request
            .expires_at
            .min(self.db.sources().now().plus(LONGEST));
        let (holder, expires_at) = (request.holder, request.expires_at);
        let reserved = self.reservations.submit(Command::Reserve(request)).await?;
        Ok(reserved.unwrap_or(Reservation { holder, expires_at }))
    }
}
