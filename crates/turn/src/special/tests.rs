use std::net::IpAddr;

use super::{Special, special};

#[test]
fn special_addresses_are_known_whatever_they_are_spelled_as() {
    for (text, expected) in [
        ("0.0.0.0", Special::Unspecified),
        ("0.1.2.3", Special::Unspecified),
        ("127.0.0.1", Special::Loopback),
        ("127.255.255.254", Special::Loopback),
        ("169.254.169.254", Special::LinkLocal),
        ("10.0.0.1", Special::Private),
        ("172.16.0.1", Special::Private),
        ("172.31.255.255", Special::Private),
        ("192.168.1.1", Special::Private),
        ("100.64.0.1", Special::Private),
        ("224.0.0.1", Special::Multicast),
        ("239.255.255.255", Special::Multicast),
        ("192.0.0.8", Special::Reserved),
        ("192.0.2.1", Special::Reserved),
        ("192.88.99.1", Special::Reserved),
        ("198.19.0.1", Special::Reserved),
        ("198.51.100.1", Special::Reserved),
        ("203.0.113.1", Special::Reserved),
        ("240.0.0.1", Special::Reserved),
        ("255.255.255.255", Special::Reserved),
        ("::", Special::Unspecified),
        ("::1", Special::Loopback),
        ("::ffff:127.0.0.1", Special::Loopback),
        ("::127.0.0.1", Special::Loopback),
        ("::ffff:0:10.0.0.1", Special::Private),
        ("64:ff9b::169.254.169.254", Special::LinkLocal),
        ("64:ff9b:1::10.0.0.1", Special::Private),
        ("2002:7f00:1::", Special::Loopback),
        ("2002:c0a8:101::1", Special::Private),
        ("::ffff:8.8.8.8", Special::Reserved),
        ("100::1", Special::Reserved),
        ("2001::1", Special::Reserved),
        ("2001:1ff::1", Special::Reserved),
        ("2001:db8::1", Special::Reserved),
        ("3fff:fff::1", Special::Reserved),
        ("fc00::1", Special::Private),
        ("fdff::1", Special::Private),
        ("fec0::1", Special::Private),
        ("fe80::1", Special::LinkLocal),
        ("ff02::1", Special::Multicast),
        ("4000::1", Special::Reserved),
    ] {
        let ip: IpAddr = text.parse().expect("an address");
        assert_eq!(special(ip), Some(expected), "{text}");
    }
}

#[test]
fn ordinary_hosts_are_not_special() {
    for text in [
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "169.253.0.1",
        "192.0.1.1",
        "192.0.3.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2a00:1450:4001::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "3fff:1000::1",
    ] {
        let ip: IpAddr = text.parse().expect("an address");
        assert_eq!(special(ip), None, "{text}");
    }
}
