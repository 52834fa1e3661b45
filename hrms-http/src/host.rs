//! Which host a request is for (RFC 9112, section 3.2; RFC 9113, section 8.3.1), and whether we are it.
//!
//! One request names one host. What names two, or none, was made to confuse a proxy or a cache.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Version};

use crate::problem::Problem;

/// The hosts that the API is served under.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Vec<Authority>);

impl Hosts {
    /// From hosts with or without a port; none means any. What makes no sense is handed back.
    pub(crate) fn new(hosts: &[String]) -> Result<Self, String> {
        let hosts = hosts.iter().map(|host| read(host.as_bytes()).ok_or_else(|| host.clone()));
        hosts.collect::<Result<_, _>>().map(Self)
    }

    /// Refuses a request that is for nobody, for two, or for somebody else.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Problem> {
        let host = named(parts)?;
        // Probes ask by address. Nothing is there to be had.
        if self.0.is_empty() || parts.uri.path().starts_with("/health/") {
            return Ok(());
        }
        match host {
            Some(host) if self.0.iter().any(|ours| covers(ours, &host)) => Ok(()),
            _ => Err(misdirected()),
        }
    }
}

/// The one host that a request names. HTTP/1.0 needn't name any.
pub(crate) fn named(parts: &Parts) -> Result<Option<Authority>, Problem> {
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(faulty("the request has more than one Host header"));
    }
    let header = header.map(|value| read(value.as_bytes()).ok_or_else(unreadable)).transpose()?;
    // Of an absolute target or, in HTTP/2, of `:authority`.
    let target = parts.uri.authority().map(|target| read(target.as_str().as_bytes()).ok_or_else(unreadable));
    match (target.transpose()?, header) {
        (Some(target), Some(header)) if !same(&target, &header) => {
            Err(faulty("the request's target and its Host header name different hosts"))
        }
        (None, None) if parts.version >= Version::HTTP_11 => Err(faulty("the request needs a Host header")),
        // HTTP/1.1 asks for the header next to an absolute target, too.
        (Some(_), None) if parts.version == Version::HTTP_11 => {
            Err(faulty("the request needs a Host header"))
        }
        (target, header) => Ok(target.or(header)),
    }
}

/// A host with or without a port; no user, no path, nothing else.
fn read(text: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let fine = port.is_empty() || authority.port_u16().is_some();
    (fine && !authority.host().is_empty()).then_some(authority)
}

/// The name without the dot of a fully qualified one.
fn name(authority: &Authority) -> &str {
    let host = authority.host();
    host.strip_suffix('.').unwrap_or(host)
}

fn same(one: &Authority, other: &Authority) -> bool {
    name(one).eq_ignore_ascii_case(name(other)) && one.port_u16() == other.port_u16()
}

/// Whether a listed host covers a given one: without a port it covers any.
fn covers(listed: &Authority, given: &Authority) -> bool {
    let port = listed.port_u16();
    name(listed).eq_ignore_ascii_case(name(given)) && (port.is_none() || port == given.port_u16())
}

/// Whether a web origin (`scheme://host[:port]`) is the host that a request is for.
pub(crate) fn is_origin_of(origin: &str, host: &Authority) -> bool {
    let (rest, standard) = match origin.split_once("://") {
        Some(("https", rest)) => (rest, 443),
        Some(("http", rest)) => (rest, 80),
        _ => return false,
    };
    read(rest.as_bytes()).is_some_and(|origin| {
        let port = origin.port_u16().unwrap_or(standard);
        name(&origin).eq_ignore_ascii_case(name(host)) && host.port_u16().unwrap_or(standard) == port
    })
}

fn unreadable() -> Problem {
    faulty("the request's host can't be read")
}

fn faulty(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "http.host-invalid", detail)
}

fn misdirected() -> Problem {
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "http.host-unknown", "no such host is served here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Authority {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_host_is_a_name_and_maybe_a_port() {
        for fine in ["hr.example.com", "hr.example.com:8443", "[::1]:80", "127.0.0.1"] {
            assert!(read(fine.as_bytes()).is_some(), "{fine}");
        }
        for bad in ["", ":80", "a:b", "a:99999", "user@host", "a/b", "a b", "a:", "ü"] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_listed_host_covers_its_spellings_and_ports() {
        assert!(covers(&host("hr.example.com"), &host("HR.Example.com.:8443")));
        assert!(covers(&host("hr.example.com:8443"), &host("hr.example.com:8443")));
        assert!(!covers(&host("hr.example.com:8443"), &host("hr.example.com")));
        assert!(!covers(&host("example.com"), &host("hr.example.com")));
        assert!(!covers(&host("hr.example.com"), &host("hr.example.com.evil.example")));
    }

    #[test]
    fn an_origin_is_a_hosts_own_with_its_standard_port() {
        assert!(is_origin_of("https://hr.example.com", &host("hr.example.com")));
        assert!(is_origin_of("https://hr.example.com", &host("hr.example.com:443")));
        assert!(is_origin_of("http://localhost:8080", &host("localhost:8080")));
        assert!(!is_origin_of("http://localhost:8080", &host("localhost:8081")));
        assert!(!is_origin_of("https://evil.example", &host("hr.example.com")));
        for nothing in ["null", "", "hr.example.com", "ftp://hr.example.com", "https://"] {
            assert!(!is_origin_of(nothing, &host("hr.example.com")), "{nothing}");
        }
    }
}
