//! Where a request comes from, proxies seen through.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, Request};
use usher_webhook::Network;

use crate::AppState;
use crate::lifecycle::Peer;

/// Who is at the other end, as far as that is known for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address.
    pub(crate) address: Option<IpAddr>,
    /// Whether the browser's connection is encrypted.
    pub(crate) is_https: bool,
}

/// The connection is encrypted, as a proxy says that is believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encrypted;

impl Client {
    /// The client of a request that passed the edge. Where people reach this server by https, its cookies are for https
    /// alone, whatever a request says.
    pub(crate) fn of(state: &AppState, extensions: &Extensions) -> Self {
        Self {
            address: extensions.get::<Peer>().map(|peer| peer.0.ip()),
            is_https: extensions.get::<Encrypted>().is_some() || state.public_url.starts_with("https://"),
        }
    }
}

/// Puts the client's own address in the place of a proxy's, if the proxy is one of these: of the addresses in
/// `X-Forwarded-For` the last one that is no such proxy. What stands before it anybody may have written.
pub(crate) fn see_through<B>(proxies: &[Network], request: &mut Request<B>) {
    let is_proxy = |address: IpAddr| {
        let address = address.to_canonical();
        proxies.iter().any(|network| network.contains(address))
    };
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
        return;
    };
    if !is_proxy(peer.ip()) {
        return;
    }
    let texts = |name| {
        let all = request.headers().get_all(name).iter();
        all.filter_map(|value: &http::HeaderValue| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect::<Vec<_>>()
    };
    let mut address = peer.ip();
    for hop in texts("x-forwarded-for").iter().rev() {
        let Some(hop) = address_of(hop) else { break };
        address = hop;
        if !is_proxy(hop) {
            break;
        }
    }
    let is_https = texts("x-forwarded-proto")
        .last()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let extensions = request.extensions_mut();
    extensions.insert(Peer(SocketAddr::new(address.to_canonical(), 0)));
    if is_https {
        extensions.insert(Encrypted);
    }
}

/// An address, with or without a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[(&str, &str)]) -> (String, bool) {
        let proxies: Vec<Network> = ["10.0.0.0/8", "fd00::/8"]
            .map(|text| text.parse().unwrap())
            .into();
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        see_through(&proxies, &mut request);
        let address = request.extensions().get::<Peer>().unwrap().0.ip();
        (
            address.to_string(),
            request.extensions().get::<Encrypted>().is_some(),
        )
    }

    #[test]
    fn only_proxies_of_the_configuration_are_believed() {
        let says = |value| [("x-forwarded-for", value), ("x-forwarded-proto", "https")];
        for (peer, forwarded, address, is_https) in [
            ("192.0.2.1:5", "203.0.113.9", "192.0.2.1", false),
            ("10.0.0.1:5", "203.0.113.9", "203.0.113.9", true),
            ("10.0.0.1:5", "1.1.1.1, 203.0.113.9", "203.0.113.9", true),
            (
                "10.0.0.1:5",
                "1.1.1.1, 203.0.113.9, 10.0.0.2",
                "203.0.113.9",
                true,
            ),
            ("10.0.0.1:5", "203.0.113.9:4711", "203.0.113.9", true),
            ("10.0.0.1:5", "[2001:db8::1]:4711", "2001:db8::1", true),
            ("[::ffff:10.0.0.1]:5", "2001:db8::1", "2001:db8::1", true),
            ("[fd00::1]:5", "::ffff:203.0.113.9", "203.0.113.9", true),
            ("10.0.0.1:5", "203.0.113.9, nonsense", "10.0.0.1", true),
            ("10.0.0.1:5", "10.0.0.3", "10.0.0.3", true),
        ] {
            let found = seen(peer, &says(forwarded));
            assert_eq!(found, (address.to_owned(), is_https), "{peer} {forwarded}");
        }
    }

    #[test]
    fn several_headers_are_one_list_and_the_last_scheme_counts() {
        let headers = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https, http"),
        ];
        assert_eq!(seen("10.0.0.1:5", &headers), ("203.0.113.9".to_owned(), false));
        assert_eq!(seen("10.0.0.1:5", &[]), ("10.0.0.1".to_owned(), false));
    }
}
