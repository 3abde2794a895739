//! What the gateway promises to other processes of the shop.

use std::time::Duration;

use serde::{Deserialize, Serialize};

kernel::service_contract! {
    /// What other processes may ask of the gateway.
    pub trait GatewayApi, client GatewayClient, server GatewayServer, service "gateway" {
        /// An instance of some roles is there, or leaves. To be repeated well before the lease ends.
        announce(Announcement) -> ();
    }
}

/// An instance of some roles tells that it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Which roles, by their names.
    pub roles: Vec<String>,
    /// Where its internal listener is: `10.0.0.1:8091`.
    pub authority: String,
    /// For how many milliseconds this holds; 0 if it leaves and shall get no more calls.
    pub lease_ms: u64,
}

impl Announcement {
    /// For how long this holds; nothing if it leaves.
    pub fn lease(&self) -> Option<Duration> {
        (self.lease_ms > 0).then(|| Duration::from_millis(self.lease_ms))
    }
}
