//! The client's address, and whether it came by TLS, behind proxies that are trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// Who sent the request: the other end of the connection, or what trusted proxies say about it.
///
/// Each proxy appends the address that it heard from to `X-Forwarded-For`. So the list is read from its end for as
/// long as the address at hand is a trusted proxy's; everything before that is the client's own invention.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address| is_trusted(address, trusted);
    let said: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect();
    let mut address = peer;
    for before in said.into_iter().rev() {
        if !is_trusted(address) {
            break;
        }
        match before.parse() {
            Ok(before) => address = before,
            Err(_) => break,
        }
    }
    address.to_canonical()
}

/// Whether an address is a trusted proxy's.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address.to_canonical()))
}

/// Whether a trusted proxy says (`X-Forwarded-Proto`) that it was reached by TLS.
pub(crate) fn came_by_tls(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    // The nearest proxy writes last.
    let said = headers.get_all("x-forwarded-proto").iter().next_back();
    let said = said.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
    said.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https")) && is_trusted(peer, trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_about_tls() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let by_tls = |peer: &str, said: &str| {
            let headers =
                HeaderMap::from_iter([("x-forwarded-proto".parse().unwrap(), said.parse().unwrap())]);
            came_by_tls(peer.parse().unwrap(), &headers, &trusted)
        };
        assert!(by_tls("10.0.0.1", "https") && by_tls("10.0.0.1", "http, HTTPS"));
        assert!(!by_tls("10.0.0.1", "https, http") && !by_tls("10.0.0.1", ""));
        assert!(!by_tls("192.0.2.1", "https"));
    }

    fn address(peer: &str, said: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_as_far_as_they_go() {
        assert_eq!(address("192.0.2.7", &["203.0.113.9"]), "192.0.2.7", "a client can't choose its address");
        assert_eq!(address("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            address("::ffff:10.0.0.1", &["203.0.113.9"]),
            "203.0.113.9",
            "a mapped address is the same"
        );
        assert_eq!(
            address("10.0.0.1", &["198.51.100.1, 203.0.113.9"]),
            "203.0.113.9",
            "what came before is invented"
        );
        assert_eq!(address("10.0.0.1", &["198.51.100.1", "203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }
}
