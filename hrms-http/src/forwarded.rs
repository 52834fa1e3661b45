//! The client's address behind proxies that are trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// Who sent the request: the other end of the connection, or what trusted proxies say about it.
///
/// Each proxy appends the address that it heard from to `X-Forwarded-For`. So the list is read from its end for as
/// long as the address at hand is a trusted proxy's; everything before that is the client's own invention.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
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

#[cfg(test)]
mod tests {
    use super::*;

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
