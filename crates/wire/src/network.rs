//! Ranges of addresses in CIDR notation (RFC 4632, RFC 4291), and who is within them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses. IPv4 addresses that IPv6 carries (`::ffff:192.0.2.1`) are IPv4 addresses:
/// a listener on `[::]` sees them so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANetwork {
    /// No address.
    #[error("expected an address or a network, such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32")]
    Address,
    /// A prefix that is longer than an address.
    #[error("the prefix is a number up to {0}, as in 10.0.0.0/8 or 2001:db8::/32")]
    Prefix(u8),
    /// An address within the network instead of its first one: one of the two is a mistake.
    #[error("the address has bits behind the prefix; the network is {0}")]
    HostBits(Network),
}

impl Network {
    /// The range of `prefix` bits around `address`; `None` if the prefix is longer than it.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let bits = bits(address);
        (prefix <= bits).then(|| Self {
            address: masked(address, prefix),
            prefix,
        })
    }

    /// Whether `address` is within.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork::Address)?;
        let bits = bits(address);
        let prefix = match prefix {
            None => bits,
            Some(prefix) => number(prefix)
                .filter(|prefix| *prefix <= bits)
                .ok_or(NotANetwork::Prefix(bits))?,
        };
        let network = Self {
            address: masked(address, prefix),
            prefix,
        };
        if network.address == address {
            Ok(network.canonical())
        } else {
            Err(NotANetwork::HostBits(network))
        }
    }
}

impl Network {
    /// A network of IPv4 that was written in IPv6, as a network of IPv4.
    fn canonical(self) -> Self {
        match (self.address.to_canonical(), self.prefix.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(prefix)) if self.address.is_ipv6() => {
                Self { address, prefix }
            }
            _ => self,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Some networks. Few: each is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Whether `address` is within one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_has_its_own_addresses_and_no_others() {
        let ours = network("10.1.0.0/16");
        assert!(ours.contains(address("10.1.0.0")) && ours.contains(address("10.1.255.255")));
        assert!(!ours.contains(address("10.2.0.0")) && !ours.contains(address("::1")));
        assert!(
            ours.contains(address("::ffff:10.1.2.3")),
            "IPv4 in IPv6 is IPv4"
        );
        assert!(network("0.0.0.0/0").contains(address("203.0.113.9")));
        assert!(!network("::/0").contains(address("203.0.113.9")));
        assert!(network("192.0.2.7").contains(address("192.0.2.7")));
        assert!(!network("192.0.2.7").contains(address("192.0.2.8")));
        assert_eq!(network("::ffff:10.1.0.0/112"), ours);
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_it_should_be() {
        let wrong = |text: &str| text.parse::<Network>().expect_err("no network").to_string();
        assert!(wrong("ten/8").contains("expected an address"));
        assert!(wrong("10.0.0.0/33").contains("a number up to 32"));
        assert!(wrong("10.0.0.0/+8").contains("a number up to 32"));
        assert!(wrong("::/129").contains("a number up to 128"));
        assert_eq!(
            wrong("10.1.2.3/8"),
            "the address has bits behind the prefix; the network is 10.0.0.0/8"
        );
    }

    proptest! {
        #[test]
        fn a_network_contains_what_shares_its_prefix(
            base: u128, other: u128, v4: bool, prefix in 0_u8..=128,
        ) {
            let whole = if v4 { 32 } else { 128 };
            let prefix = prefix.min(whole);
            let ip = |bits: u128| -> IpAddr {
                if v4 { IpAddr::V4(((bits >> 96) as u32).into()) } else { IpAddr::V6(bits.into()) }
            };
            prop_assume!(v4 || (ip(base).to_canonical().is_ipv6() && ip(other).to_canonical().is_ipv6()));
            let shared = (0..prefix).all(|bit| (base >> (127 - bit)) & 1 == (other >> (127 - bit)) & 1);
            let network = Network::new(ip(base), prefix).expect("fits");
            prop_assert!(network.contains(ip(base)));
            prop_assert_eq!(network.contains(ip(other)), shared);
            let again: Network = network.to_string().parse().expect("what is written is read");
            prop_assert_eq!(again, network.canonical());
        }
    }
}
