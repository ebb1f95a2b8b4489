//! From where a request comes.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use mapae_domain::session::SessionClient;
use poem::http::header;
use poem::{FromRequest, Request, RequestBody};

/// Networks that are trusted to say for whom they ask: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    address: Ipv6Addr,
    prefix: u8,
}

/// A text is no network. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidNetwork;

impl std::fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("is no network such as 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32")
    }
}

impl std::error::Error for InvalidNetwork {}

/// An address of either kind as one of IPv6: a proxy may write the one as the other.
fn widened(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl Network {
    /// Reads an address, or an address and the length of its prefix (RFC 4632 §3.1).
    ///
    /// # Errors
    /// [`InvalidNetwork`].
    pub fn parse(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                (address, Some(prefix.parse::<u8>().map_err(|_| InvalidNetwork)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let (longest, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest {
            return Err(InvalidNetwork);
        }
        Ok(Self { address: widened(address), prefix: prefix + before })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let differing = u128::from(self.address) ^ u128::from(widened(address));
        differing.leading_zeros() >= u32::from(self.prefix)
    }
}

/// The proxies in front of this service.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(pub(crate) Arc<[Network]>);

impl TrustedProxies {
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The address that a request came from: the nearest one that is no proxy of ours (ASVS 5.0
    /// 4.1.3). What stands further left in `X-Forwarded-For` was written by whoever asks.
    fn address(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut nearest = peer;
        let hops = forwarded.iter().flat_map(|line| line.split(',')).map(str::trim);
        for hop in hops.collect::<Vec<_>>().into_iter().rev() {
            if !self.trusts(nearest) {
                break;
            }
            match hop.parse() {
                Ok(address) => nearest = address,
                Err(_) => break,
            }
        }
        match nearest {
            IpAddr::V6(address) => address.to_ipv4_mapped().map_or(nearest, IpAddr::V4),
            IpAddr::V4(_) => nearest,
        }
    }
}

/// From where a request comes, and what its program calls itself.
pub(crate) struct Client(pub(crate) SessionClient);

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let headers = request.headers();
        let device = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let peer = request.remote_addr().as_socket_addr().map(|address| address.ip());
        let forwarded: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let proxies = request.data::<TrustedProxies>();
        let address = peer.map(|peer| match proxies {
            Some(proxies) => proxies.address(peer, &forwarded),
            None => peer,
        });
        Ok(Self(SessionClient::new(device, address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).expect("a network")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_holds_its_own_addresses_and_no_other() {
        for (of, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(network(of).contains(ip(inside)), "{of} {inside}");
            assert!(!network(of).contains(ip(outside)), "{of} {outside}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "x"] {
            assert_eq!(Network::parse(text), Err(InvalidNetwork), "{text}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_for_whom_it_asks() {
        let proxies = TrustedProxies([network("10.0.0.0/8"), network("::1")].into());
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // What stands further left was made up by whoever asks.
            ("10.0.0.1", &["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("::1", &["2001:db8::7"], "2001:db8::7"),
        ] {
            assert_eq!(proxies.address(ip(peer), forwarded), ip(expected), "{peer} {forwarded:?}");
        }
        let nobody = TrustedProxies::default();
        assert_eq!(nobody.address(ip("10.0.0.1"), &["198.51.100.1"]), ip("10.0.0.1"));
    }
}
