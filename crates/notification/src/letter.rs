//! What mails say: one letter for each event, holding exactly what its templates see.

use contracts::cart::PricedCart;
use contracts::order::{OrderCancelled, OrderId, OrderPlaced, OrderShipped, PaymentState};
use contracts::user::{
    PasswordChanged, PasswordResetRequested, UserRegistered, VerificationRequested,
};
use kernel::{Address, Email, Timestamp};
use serde::Serialize;

use crate::Config;

mod examples;
pub(crate) use self::examples::examples;

kernel::text_enum! {
    /// What a mail is about; its templates are named after it.
    pub enum MailKind {
        /// Asks to confirm an address.
        Verification = "verification",
        /// Greets a new customer.
        Welcome = "welcome",
        /// Lets a customer set a new password.
        PasswordReset = "password_reset",
        /// Tells that the password is another one now.
        PasswordChanged = "password_changed",
        /// Confirms an order.
        OrderPlaced = "order_placed",
        /// Tells that an order is on its way.
        OrderShipped = "order_shipped",
        /// Tells that an order was cancelled.
        OrderCancelled = "order_cancelled",
    }
}

/// A mail before its templates are filled in. The fields are the variables of the templates.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Letter {
    Verification {
        name: Option<String>,
        link: String,
    },
    Welcome {
        name: Option<String>,
        link: String,
    },
    PasswordReset {
        name: Option<String>,
        link: String,
    },
    PasswordChanged {
        name: Option<String>,
        changed_at: String,
        link: String,
    },
    OrderPlaced(Box<PlacedLetter>),
    OrderShipped {
        order_id: OrderId,
        shipped_at: String,
        carrier: Option<String>,
        tracking_number: Option<String>,
        link: String,
    },
    OrderCancelled {
        order_id: OrderId,
        cancelled_at: String,
        lines: Vec<Line>,
        refunded: Option<String>,
        reason: Option<String>,
        link: String,
    },
}

#[derive(Serialize)]
pub(crate) struct PlacedLetter {
    order_id: OrderId,
    name: Option<String>,
    placed_at: String,
    payment_note: Option<&'static str>,
    lines: Vec<Line>,
    sums: Vec<Sum>,
    total: String,
    address: Option<Vec<String>>,
    link: String,
}

#[derive(Serialize)]
pub(crate) struct Line {
    quantity: i64,
    title: String,
    variant: String,
    total: String,
}

#[derive(Serialize)]
pub(crate) struct Sum {
    label: String,
    amount: String,
}

impl Letter {
    pub(crate) fn kind(&self) -> MailKind {
        match self {
            Self::Verification { .. } => MailKind::Verification,
            Self::Welcome { .. } => MailKind::Welcome,
            Self::PasswordReset { .. } => MailKind::PasswordReset,
            Self::PasswordChanged { .. } => MailKind::PasswordChanged,
            Self::OrderPlaced(_) => MailKind::OrderPlaced,
            Self::OrderShipped { .. } => MailKind::OrderShipped,
            Self::OrderCancelled { .. } => MailKind::OrderCancelled,
        }
    }
}

pub(crate) fn verification(config: &Config, event: UserRegistered) -> (Email, Letter) {
    let link = token_link(config, "verify-email", &event.verification_token);
    let name = greeting(&event.name);
    (event.email, Letter::Verification { name, link })
}

pub(crate) fn verification_again(config: &Config, event: VerificationRequested) -> (Email, Letter) {
    let link = token_link(config, "verify-email", &event.verification_token);
    let name = greeting(&event.name);
    (event.email, Letter::Verification { name, link })
}

pub(crate) fn welcome(config: &Config, event: UserRegistered) -> (Email, Letter) {
    let (name, link) = (greeting(&event.name), config.shop_url.to_string());
    (event.email, Letter::Welcome { name, link })
}

pub(crate) fn password_reset(config: &Config, event: PasswordResetRequested) -> (Email, Letter) {
    let link = token_link(config, "reset-password", &event.reset_token);
    let name = greeting(&event.name);
    (event.email, Letter::PasswordReset { name, link })
}

pub(crate) fn password_changed(config: &Config, event: PasswordChanged) -> (Email, Letter) {
    let letter = Letter::PasswordChanged {
        name: greeting(&event.name),
        changed_at: for_people(event.changed_at),
        link: format!("{}/forgot-password", config.shop_url),
    };
    (event.email, letter)
}

pub(crate) fn order_placed(config: &Config, event: OrderPlaced) -> (Email, Letter) {
    let address = event.shipping_address;
    let letter = PlacedLetter {
        order_id: event.order_id,
        name: address.as_ref().and_then(|address| greeting(&address.name)),
        placed_at: for_people(event.placed_at),
        payment_note: payment_note(event.payment),
        lines: lines(&event.priced),
        sums: sums(&event.priced),
        total: event.priced.totals.total.to_string(),
        address: address.map(address_lines),
        link: order_link(config, event.order_id),
    };
    (event.email, Letter::OrderPlaced(Box::new(letter)))
}

pub(crate) fn order_shipped(config: &Config, event: OrderShipped) -> (Email, Letter) {
    let letter = Letter::OrderShipped {
        order_id: event.order_id,
        shipped_at: for_people(event.shipped_at),
        carrier: event.carrier,
        tracking_number: event.tracking_number,
        link: order_link(config, event.order_id),
    };
    (event.email, letter)
}

pub(crate) fn order_cancelled(config: &Config, event: OrderCancelled) -> (Email, Letter) {
    let lines = event.lines.into_iter().map(|line| Line {
        quantity: line.quantity,
        title: line.title,
        variant: String::new(),
        total: line.total.to_string(),
    });
    let letter = Letter::OrderCancelled {
        order_id: event.order_id,
        cancelled_at: for_people(event.cancelled_at),
        lines: lines.collect(),
        refunded: event.refunded.map(|amount| amount.to_string()),
        reason: event.reason,
        link: order_link(config, event.order_id),
    };
    (event.email, letter)
}

fn lines(priced: &PricedCart) -> Vec<Line> {
    let lines = priced.lines.iter().map(|line| Line {
        quantity: line.quantity,
        title: line.title.clone(),
        variant: line.variant_title.clone(),
        total: line.subtotal.to_string(),
    });
    lines.collect()
}

/// What stands between the lines and the total.
fn sums(priced: &PricedCart) -> Vec<Sum> {
    let sum = |label: String, amount: String| Sum { label, amount };
    let totals = &priced.totals;
    let mut sums = vec![sum("Subtotal".into(), totals.subtotal.to_string())];
    for discount in &priced.discounts {
        let label = format!("Discount {}", discount.code);
        sums.push(sum(label, format!("-{}", discount.amount)));
    }
    if let Some(shipping) = &priced.shipping {
        let label = format!("Shipping, {}", shipping.name);
        sums.push(sum(label, shipping.price.to_string()));
    }
    if totals.tax.minor != 0 {
        let kind = if totals.tax_included {
            "Included tax"
        } else {
            "Tax"
        };
        let label = format!("{kind}, {}", totals.tax_rate);
        sums.push(sum(label, totals.tax.to_string()));
    }
    sums
}

fn payment_note(payment: PaymentState) -> Option<&'static str> {
    match payment {
        PaymentState::Manual => Some("We will tell you how to pay."),
        PaymentState::Pending => Some("We will send it as soon as your payment has arrived."),
        _ => None,
    }
}

fn address_lines(address: Address) -> Vec<String> {
    let town = [address.postal_code, Some(address.city)];
    let town: Vec<String> = town.into_iter().flatten().collect();
    let lines = [
        Some(address.name),
        Some(address.line1),
        address.line2,
        Some(town.join(" ")),
        address.region,
        Some(address.country.to_string()),
    ];
    lines.into_iter().flatten().collect()
}

/// How to address somebody. Anybody can register with somebody else's address, and must not make
/// the shop send them a text or a link of their own: what looks like more than a name is left out.
fn greeting(name: &str) -> Option<String> {
    let name = name.trim();
    let domain = |word: &str| {
        let inner = word.trim_matches(|c: char| !c.is_alphanumeric());
        inner.split_once('.').is_some_and(|(left, right)| {
            left.chars().count() > 1 && right.chars().next().is_some_and(char::is_alphanumeric)
        })
    };
    let plain = (1..=80).contains(&name.chars().count())
        && !name.contains([':', '/', '@', '\\'])
        && !name.chars().any(char::is_control)
        && !name.split_whitespace().any(domain);
    plain.then(|| name.to_owned())
}

fn token_link(config: &Config, page: &str, token: &str) -> String {
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    format!("{}/{page}?token={token}", config.shop_url)
}

fn order_link(config: &Config, id: OrderId) -> String {
    format!("{}/orders/{id}", config.shop_url)
}

/// `1 January 2026, 12:00 UTC`.
fn for_people(time: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(time.micros()) {
        Ok(time) => time.strftime("%-d %B %Y, %H:%M UTC").to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_people_and_nothing_else() {
        for name in [
            "Ada Lovelace",
            "J. R. R. Tolkien",
            "Dr.Who",
            "O'Neil-Müller",
            "李小龍",
        ] {
            let known = name != "Dr.Who";
            assert_eq!(greeting(name).is_some(), known, "{name}");
        }
        for name in [
            "",
            " ",
            "You won! https://spam.example",
            "visit spam.example now",
            "a@b",
            "Bcc: everybody",
            "x\r\ny",
            &"x".repeat(81),
        ] {
            assert_eq!(greeting(name), None, "{name}");
        }
    }

    #[test]
    fn writes_times_for_people() {
        let time = Timestamp::from_micros(1_767_268_800_000_000);
        assert_eq!(for_people(time), "1 January 2026, 12:00 UTC");
    }
}
