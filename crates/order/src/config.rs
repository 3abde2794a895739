//! Settings of the service.

use std::time::Duration;

use kernel::Secret;
use platform::config::Section;

/// The sections `order` and `payment` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a try to place an order belongs to the request that began it. Longer than
    /// `http.deadline`, after which that request is dead.
    pub lease: Duration,
    /// How long stock is reserved for an order that is being placed.
    pub reservation_ttl: Duration,
    /// How long a payment may take that the provider answers later.
    pub payment_timeout: Duration,
    /// How long a provider may take to answer a call.
    pub provider_timeout: Duration,
    /// How often orders are looked for that nobody finishes.
    pub sweep: Duration,
    /// When money is captured.
    pub capture: Capture,
    /// The providers that customers may choose from.
    pub providers: Vec<String>,
    /// Signs the webhooks of the test provider; none are accepted without.
    pub test_webhook_secret: Option<Secret<String>>,
}

kernel::text_enum! {
    /// When money is captured that was authorised.
    pub enum Capture {
        /// Together with the authorisation.
        Placement = "placement",
        /// When the order is shipped.
        Shipment = "shipment",
    }
}

const KNOWN: [&str; 2] = ["test", "manual"];

impl Config {
    /// Reads the sections.
    pub fn read(order: &mut Section<'_>, payment: &mut Section<'_>) -> Self {
        let capture: String = order.parse("capture");
        let capture = capture
            .parse()
            .unwrap_or_else(|wrong: kernel::stored::UnknownVariant| {
                order.report(
                    "capture",
                    format!("`{capture}` does not fit"),
                    wrong.to_string(),
                );
                Capture::Shipment
            });
        let providers: Vec<String> = payment.list("providers");
        for unknown in providers
            .iter()
            .filter(|name| !KNOWN.contains(&name.as_str()))
        {
            let remedy = format!("this version has {}", KNOWN.join(" and "));
            payment.report(
                "providers",
                format!("`{unknown}` is not a provider"),
                remedy,
            );
        }
        Self {
            lease: order.duration("lease"),
            reservation_ttl: order.duration("reservation_ttl"),
            payment_timeout: order.duration("payment_timeout"),
            provider_timeout: payment.duration("timeout"),
            sweep: order.duration("sweep"),
            capture,
            providers,
            test_webhook_secret: payment.secret("test_webhook_secret"),
        }
    }
}
