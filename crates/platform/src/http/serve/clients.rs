//! How many connections each client has.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use wire::network::Networks;

use crate::http::ClientAddress;

/// Connections by the network of their client. Each entry has one at least, so that there are no
/// more entries than the listener has connections.
#[derive(Debug)]
pub(super) struct Clients {
    /// 0 for no limit.
    limit: usize,
    /// Those who bring the connections of others.
    uncounted: Networks,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Clients {
    pub(super) fn new(limit: usize, uncounted: Networks) -> Arc<Self> {
        Arc::new(Self {
            limit,
            uncounted,
            open: Mutex::default(),
        })
    }

    /// Counts one more connection of `peer`; `None` if it has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, peer: SocketAddr) -> Option<Counted> {
        if self.limit == 0 || self.uncounted.contain(peer.ip()) {
            return Some(Counted(None));
        }
        let client = ClientAddress(peer.ip()).network();
        let mut open = self.open.lock();
        let count = open.entry(client).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Counted(Some((self.clone(), client))))
    }
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub(super) struct Counted(Option<(Arc<Clients>, IpAddr)>);

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((clients, client)) = &self.0 else {
            return;
        };
        let mut open = clients.open.lock();
        if let Some(count) = open.get_mut(client) {
            *count -= 1;
            if *count == 0 {
                open.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> SocketAddr {
        (address.parse::<IpAddr>().expect("an address"), 1).into()
    }

    #[test]
    fn each_client_has_so_many_and_nothing_is_remembered() {
        let clients = Clients::new(2, Networks::default());
        let ada = [
            clients.enter(peer("2001:db8::1")).expect("the first"),
            clients.enter(peer("2001:db8::2")).expect("the second"),
        ];
        assert!(clients.enter(peer("2001:db8::3")).is_none());
        let bob = clients.enter(peer("192.0.2.1")).expect("somebody else");
        let [first, second] = ada;
        drop(first);
        let third = clients.enter(peer("2001:db8::3")).expect("room again");
        drop((bob, second, third));
        assert!(clients.open.lock().is_empty());
    }

    #[test]
    fn zero_is_no_limit() {
        let clients = Clients::new(0, Networks::default());
        let many: Vec<_> = (0..100).map(|_| clients.enter(peer("192.0.2.1"))).collect();
        assert!(many.iter().all(Option::is_some));
        assert!(clients.open.lock().is_empty());
    }

    #[test]
    fn who_brings_the_connections_of_others_is_not_counted() {
        let balancers = ["10.0.0.0/8"].map(|network| network.parse().expect("a network"));
        let clients = Clients::new(1, balancers.into_iter().collect());
        let many: Vec<_> = (0..100).map(|_| clients.enter(peer("10.1.2.3"))).collect();
        assert!(many.iter().all(Option::is_some));
        let _ada = clients.enter(peer("192.0.2.1")).expect("the first");
        assert!(clients.enter(peer("192.0.2.1")).is_none());
    }
}
