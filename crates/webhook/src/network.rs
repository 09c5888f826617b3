//! Networks of addresses, and which of them are special.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network such as `10.0.0.0/8` or `fd00::/8`; a single address is one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no network; write an address and a number of bits, such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError(String);

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            bits,
        }
    }

    const fn v6(a: u16, b: u16, bits: u8) -> Self {
        Self {
            address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)),
            bits,
        }
    }

    /// Whether an address is in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_front(network.to_bits().into(), address.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_front(network.to_bits(), address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }
}

fn same_front(one: u128, other: u128, width: u8, bits: u8) -> bool {
    bits == 0 || (one ^ other) >> (width - bits) == 0
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError(text.chars().take(64).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= width)
                .ok_or_else(refuse)?,
            None => width,
        };
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// IPv4 networks that are not the public internet (IANA IPv4 Special-Purpose Address Registry), and one public address that
/// a cloud answers its own machines on.
const SPECIAL_V4: &[(Network, &str)] = &[
    (Network::v4(0, 0, 0, 0, 8), "this network"),
    (Network::v4(10, 0, 0, 0, 8), "a private network"),
    (
        Network::v4(100, 64, 0, 0, 10),
        "a network shared by a carrier's customers",
    ),
    (Network::v4(127, 0, 0, 0, 8), "this machine"),
    (Network::v4(168, 63, 129, 16, 32), "a cloud's own services"),
    (Network::v4(169, 254, 0, 0, 16), "the local link"),
    (Network::v4(172, 16, 0, 0, 12), "a private network"),
    (Network::v4(192, 0, 0, 0, 24), "a network for protocols"),
    (Network::v4(192, 0, 2, 0, 24), "a network for documents"),
    (Network::v4(192, 88, 99, 0, 24), "a relay"),
    (Network::v4(192, 168, 0, 0, 16), "a private network"),
    (Network::v4(198, 18, 0, 0, 15), "a network for measurements"),
    (Network::v4(198, 51, 100, 0, 24), "a network for documents"),
    (Network::v4(203, 0, 113, 0, 24), "a network for documents"),
    (Network::v4(224, 0, 0, 0, 4), "many machines at once"),
    (Network::v4(240, 0, 0, 0, 4), "a network that nobody has"),
];

/// Networks within the global unicast range of IPv6 that are not the public internet.
const SPECIAL_V6: &[(Network, &str)] = &[
    (Network::v6(0x2001, 0, 23), "a network for protocols"),
    (Network::v6(0x2001, 0x0db8, 32), "a network for documents"),
    (Network::v6(0x2002, 0, 16), "a tunnel to an IPv4 address"),
    (Network::v6(0x3fff, 0, 20), "a network for documents"),
];

/// The only range of IPv6 addresses that are given to machines on the internet (RFC 4291 §2.4).
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 3);
/// IPv4 addresses seen through a translator (RFC 6052).
const TRANSLATED: Network = Network::v6(0x0064, 0xff9b, 96);

/// What an address is, where it is not one of the public internet.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    let found = |networks: &'static [(Network, &'static str)], address| {
        let network = networks.iter().find(|(network, _)| network.contains(address));
        network.map(|(_, what)| *what)
    };
    match plain(address) {
        address @ IpAddr::V4(_) => found(SPECIAL_V4, address),
        address @ IpAddr::V6(_) if GLOBAL_V6.contains(address) => found(SPECIAL_V6, address),
        IpAddr::V6(address) if address.is_loopback() => Some("this machine"),
        IpAddr::V6(address) if address.is_unique_local() => Some("a private network"),
        IpAddr::V6(address) if address.is_unicast_link_local() => Some("the local link"),
        IpAddr::V6(address) if address.is_multicast() => Some("many machines at once"),
        IpAddr::V6(_) => Some("no network of the internet"),
    }
}

/// The IPv4 address inside an IPv6 one that stands for it; any other address as it is.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if TRANSLATED.contains(address) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<&str>) {
        assert_eq!(special(address.parse().unwrap()), expected, "{address}");
    }

    #[test]
    fn addresses_of_the_internet_are_not_special() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            check(address, None);
        }
    }

    #[test]
    fn everything_else_is() {
        for (address, what) in [
            ("0.0.0.0", "this network"),
            ("10.1.2.3", "a private network"),
            ("100.64.0.1", "a network shared by a carrier's customers"),
            ("100.100.100.200", "a network shared by a carrier's customers"),
            ("127.0.0.1", "this machine"),
            ("127.255.0.1", "this machine"),
            ("168.63.129.16", "a cloud's own services"),
            ("169.254.169.254", "the local link"),
            ("172.16.0.1", "a private network"),
            ("172.31.255.255", "a private network"),
            ("192.0.0.8", "a network for protocols"),
            ("192.0.2.1", "a network for documents"),
            ("192.88.99.1", "a relay"),
            ("192.168.1.1", "a private network"),
            ("198.19.0.1", "a network for measurements"),
            ("198.51.100.1", "a network for documents"),
            ("203.0.113.9", "a network for documents"),
            ("224.0.0.1", "many machines at once"),
            ("240.0.0.1", "a network that nobody has"),
            ("255.255.255.255", "a network that nobody has"),
            ("::", "no network of the internet"),
            ("::1", "this machine"),
            ("::127.0.0.1", "no network of the internet"),
            ("::ffff:127.0.0.1", "this machine"),
            ("::ffff:10.0.0.1", "a private network"),
            ("64:ff9b::10.0.0.1", "a private network"),
            ("64:ff9b:1::10.0.0.1", "no network of the internet"),
            ("100::1", "no network of the internet"),
            ("2001::1", "a network for protocols"),
            ("2001:db8::1", "a network for documents"),
            ("2002:7f00:1::", "a tunnel to an IPv4 address"),
            ("3fff::1", "a network for documents"),
            ("5f00::1", "no network of the internet"),
            ("fc00::1", "a private network"),
            ("fd00:ec2::254", "a private network"),
            ("fe80::1", "the local link"),
            ("fec0::1", "no network of the internet"),
            ("ff02::1", "many machines at once"),
        ] {
            check(address, Some(what));
        }
    }

    #[test]
    fn a_network_reads_back_what_it_printed_and_holds_its_own() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::/0", "::1", "127.0.0.1"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), text);
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text} {outside}");
        }
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "localhost",
            "::/129",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
