use std::net::{IpAddr, SocketAddr};

use super::{Elsewhere, Network, NotANetwork, Public};
use crate::Special;

fn network(text: &str) -> Network {
    text.parse().expect("a network")
}

fn lets(public: &Public, text: &str) -> bool {
    let ip: IpAddr = text.parse().expect("an address");
    Elsewhere::Public(public.clone()).lets(SocketAddr::new(ip, 9))
}

#[test]
fn networks_are_read_and_others_are_not() {
    for (text, inside, outside) in [
        ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
        ("192.0.2.9", "192.0.2.9", "192.0.2.8"),
        ("0.0.0.0/0", "8.8.8.8", "::1"),
        ("fd00:1::/32", "fd00:1:ffff::1", "fd00:2::1"),
        ("::/0", "2a00::1", "8.8.8.8"),
        ("2a00::1/128", "2a00::1", "2a00::2"),
    ] {
        let network = network(text);
        assert!(
            network.contains(inside.parse().expect("an address")),
            "{text}"
        );
        assert!(
            !network.contains(outside.parse().expect("an address")),
            "{text}"
        );
    }
    for text in [
        "",
        "10.1",
        "cameras",
        "10.0.0.0/",
        "10.0.0.0/33",
        "::/129",
        "::/-1",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
    let meant = NotANetwork::Host(network("10.0.0.0/8"));
    assert_eq!("10.1.2.3/8".parse::<Network>(), Err(meant));
    assert_eq!(network("10.0.0.0/8").to_string(), "10.0.0.0/8");
}

#[test]
fn exceptions_open_private_networks_and_nothing_worse() {
    let public = Public {
        own: vec!["10.1.0.1".parse().expect("an address")],
        allow: ["0.0.0.0/0", "::/0"].map(network).to_vec(),
        deny: vec![network("10.9.0.0/16")],
    };
    for ip in [
        "10.1.0.2",
        "192.168.0.9",
        "100.64.0.1",
        "fd00::1",
        "203.0.113.9",
        "8.8.8.8",
    ] {
        assert!(lets(&public, ip), "{ip}");
    }
    for ip in [
        "10.1.0.1",
        "10.9.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "::ffff:10.1.0.2",
        "::10.1.0.2",
        "2002:a01:2::",
        "64:ff9b::10.1.0.2",
    ] {
        assert!(!lets(&public, ip), "{ip}");
    }
    let plain = Public::default();
    assert!(lets(&plain, "8.8.8.8") && !lets(&plain, "10.1.0.2"));
    let narrow = Public {
        deny: vec![network("8.8.8.0/24")],
        ..Public::default()
    };
    assert!(lets(&narrow, "8.8.4.4") && !lets(&narrow, "8.8.8.8"));
}

#[test]
fn what_can_never_be_allowed_is_told() {
    for (text, expected) in [
        ("127.0.0.0/8", Some(Special::Loopback)),
        ("127.0.0.1", Some(Special::Loopback)),
        ("::1", Some(Special::Loopback)),
        ("169.254.0.0/16", Some(Special::LinkLocal)),
        ("fe80::/10", Some(Special::LinkLocal)),
        ("224.0.0.0/4", Some(Special::Multicast)),
        ("0.0.0.0/8", Some(Special::Unspecified)),
        ("0.0.0.0/0", None),
        ("10.0.0.0/8", None),
        ("198.18.0.0/15", None),
        ("8.8.8.0/24", None),
    ] {
        assert_eq!(network(text).is_never_allowed(), expected, "{text}");
    }
}
