//! Where guesses come from.

use std::net::IpAddr;

/// The address of a client as guesses are counted by it: an IPv4 address, or of IPv6 the /64 that a single customer has
/// (RFC 6177 §2), since they may use another address of it for each guess. `None` where the address is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(Option<IpAddr>);

impl ClientNetwork {
    /// The network of this address. IPv4 addresses that are written as IPv6 (RFC 4291 §2.5.5.2) are taken as IPv4.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            v4 => v4,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_one_customer_has_are_one_network() {
        let of = |address: &str| ClientNetwork::of(Some(address.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), ClientNetwork::of(None));
    }
}
