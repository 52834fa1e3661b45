//! Which network addresses webhooks may reach.
//!
//! Whoever adds an endpoint chooses where this server connects to; it must not be talked into reaching what
//! only it can reach. So names are resolved here, each address is checked, and the connection is
//! made to an address that passed: nothing is resolved a second time.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// Networks that are not the public Internet (IANA's registries of special-purpose addresses).
const SPECIAL: &[&str] = &[
    "0.0.0.0/8",         // this network; 0.0.0.0 is this machine
    "10.0.0.0/8",        // private
    "100.64.0.0/10",     // behind a carrier's translation
    "127.0.0.0/8",       // loopback
    "169.254.0.0/16",    // link-local, and the metadata of cloud machines
    "172.16.0.0/12",     // private
    "192.0.0.0/24",      // protocol assignments
    "192.0.2.0/24",      // documentation
    "192.31.196.0/24",   // AS112
    "192.52.193.0/24",   // AMT
    "192.88.99.0/24",    // 6to4 relays
    "192.168.0.0/16",    // private
    "192.175.48.0/24",   // AS112
    "198.18.0.0/15",     // benchmarks
    "198.51.100.0/24",   // documentation
    "203.0.113.0/24",    // documentation
    "224.0.0.0/4",       // multicast
    "240.0.0.0/4",       // reserved, and broadcast
    "2001::/23",         // protocol assignments: Teredo, ORCHID
    "2001:db8::/32",     // documentation
    "2002::/16",         // 6to4: leads to any IPv4 address
    "2620:4f:8000::/48", // AS112
    "3fff::/20",         // documentation
];

/// All of IPv6 that is assigned to the Internet: loopback, private, link-local, multicast, mapped and translated IPv4
/// addresses are outside.
const GLOBAL_V6: &str = "2000::/3";

static NETWORKS: LazyLock<(Vec<IpNet>, Option<IpNet>)> =
    LazyLock::new(|| (SPECIAL.iter().filter_map(|net| net.parse().ok()).collect(), GLOBAL_V6.parse().ok()));

/// Whether an address is one of the public Internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    // An IPv4 address in IPv6 clothes is what it is.
    let address = address.to_canonical();
    let (special, global) = &*NETWORKS;
    let reachable = address.is_ipv4() || global.is_some_and(|global| global.contains(&address));
    reachable && !special.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_understood() {
        assert_eq!((NETWORKS.0.len(), NETWORKS.1.is_some()), (SPECIAL.len(), true));
    }

    #[test]
    fn only_the_internet_is_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "2001:200::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ffff::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
