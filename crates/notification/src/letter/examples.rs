//! Letters that do not go to anybody: templates are tried out on them. Each kind appears with
//! everything that may be missing there, and without.

use super::{Letter, Line, MailKind, PlacedLetter, Sum};

/// For each kind, a letter with everything and one with the least.
pub(crate) fn examples() -> Vec<Letter> {
    let both = MailKind::ALL
        .iter()
        .flat_map(|kind| [(*kind, true), (*kind, false)]);
    both.map(|(kind, full)| example(kind, full)).collect()
}

fn example(kind: MailKind, full: bool) -> Letter {
    let name = full.then(|| String::from("Ada Lovelace"));
    let text = |text: &str| full.then(|| text.to_owned());
    let at = || String::from("1 January 2026, 12:00 UTC");
    let order_id = kernel::Id::from_uuid(uuid::Uuid::nil());
    let link = String::from("https://shop.example/page?token=abc");
    match kind {
        MailKind::Verification => Letter::Verification { name, link },
        MailKind::Welcome => Letter::Welcome { name, link },
        MailKind::PasswordReset => Letter::PasswordReset { name, link },
        MailKind::PasswordChanged => Letter::PasswordChanged {
            name,
            changed_at: at(),
            link,
        },
        MailKind::OrderPlaced => Letter::OrderPlaced(Box::new(PlacedLetter {
            order_id,
            name,
            placed_at: at(),
            payment_note: full.then_some("We will tell you how to pay."),
            lines: lines(full),
            sums: sums(full),
            total: String::from("19.99 EUR"),
            address: full.then(|| vec![String::from("Ada Lovelace"), String::from("Venice")]),
            link,
        })),
        MailKind::OrderShipped => Letter::OrderShipped {
            order_id,
            shipped_at: at(),
            carrier: text("Gondola"),
            tracking_number: text("42"),
            link,
        },
        MailKind::OrderCancelled => Letter::OrderCancelled {
            order_id,
            cancelled_at: at(),
            lines: lines(full),
            refunded: text("19.99 EUR"),
            reason: text("ordered twice"),
            link,
        },
    }
}

fn lines(full: bool) -> Vec<Line> {
    let line = |variant: &str| Line {
        quantity: 2,
        title: String::from("Mug"),
        variant: variant.to_owned(),
        total: String::from("19.99 EUR"),
    };
    if full {
        vec![line("Blue"), line("")]
    } else {
        Vec::new()
    }
}

fn sums(full: bool) -> Vec<Sum> {
    let sum = |label: &str| Sum {
        label: label.to_owned(),
        amount: String::from("1.00 EUR"),
    };
    if full {
        vec![sum("Subtotal"), sum("Shipping, Standard")]
    } else {
        Vec::new()
    }
}
