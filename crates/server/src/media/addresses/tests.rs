use std::net::{IpAddr, SocketAddr};

use super::{Addresses, CANDIDATES_MAX, Plan, Present, is_bridge};
use crate::config::{InterfaceFilter, Interfaces};

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect()
}

/// `eth0=10.0.0.1`; the address alone: of some interface.
fn present(texts: &[&str]) -> Vec<Present> {
    texts
        .iter()
        .map(|text| {
            let (name, ip) = text.split_once('=').unwrap_or(("eth0", text));
            Present {
                name: name.to_owned(),
                ip: ip.parse().expect("an address"),
            }
        })
        .collect()
}

fn filters(texts: &[&str]) -> Vec<InterfaceFilter> {
    let filter = |text: &&str| InterfaceFilter::try_from((*text).to_owned()).expect("valid");
    texts.iter().map(filter).collect()
}

const EVERYWHERE: [&str; 2] = ["0.0.0.0", "::"];

fn choose(present: &[Present], bound: &[&str], announce: &[&str], found: &[&str]) -> Addresses {
    let plan = Plan {
        bound: &ips(bound),
        announce: &ips(announce),
        found: &ips(found),
        interfaces: &Interfaces::default(),
        port: 7882,
    };
    Addresses::choose(present, plan)
}

#[track_caller]
fn check(texts: &[&str], bound: &[&str], announce: &[&str], candidates: &[&str]) -> Addresses {
    let found = choose(&present(texts), bound, announce, &[]);
    let texts: Vec<String> = found
        .candidates()
        .iter()
        .map(SocketAddr::to_string)
        .collect();
    assert_eq!(texts, candidates);
    found
}

const PRESENT: [&str; 6] = [
    "127.0.0.1",
    "10.0.0.5",
    "169.254.1.1",
    "::1",
    "fe80::1",
    "2001:db8::5",
];

#[test]
fn everything_but_link_local_and_loopback_last() {
    let all = [
        "10.0.0.5:7882",
        "[2001:db8::5]:7882",
        "127.0.0.1:7882",
        "[::1]:7882",
    ];
    check(&PRESENT, &["0.0.0.0", "::"], &[], &all);
}

#[test]
fn only_what_is_bound() {
    check(&PRESENT, &["10.0.0.5"], &[], &["10.0.0.5:7882"]);
    check(
        &PRESENT,
        &["0.0.0.0"],
        &[],
        &["10.0.0.5:7882", "127.0.0.1:7882"],
    );
    check(&PRESENT, &["127.0.0.1"], &[], &["127.0.0.1:7882"]);
}

#[test]
fn an_announced_address_is_received_at_but_never_sent_from() {
    let found = check(
        &PRESENT,
        &["0.0.0.0", "::"],
        &["203.0.113.9"],
        &["203.0.113.9:7882"],
    );
    let announced = found.candidates()[0];
    assert_eq!(
        found.arrived_at("10.0.0.5".parse().expect("an address")),
        Some(announced)
    );
    assert_eq!(found.source(announced), None);
    assert_eq!(
        found.arrived_at("2001:db8::5".parse().expect("an address")),
        None
    );
}

#[test]
fn a_datagram_arrives_at_the_candidate_it_was_sent_to() {
    let found = choose(&present(&PRESENT), &EVERYWHERE, &[], &[]);
    for candidate in found.candidates() {
        assert_eq!(found.arrived_at(candidate.ip()), Some(*candidate));
        assert_eq!(found.source(*candidate), Some(candidate.ip()));
    }
}

#[test]
fn not_more_than_a_client_can_check() {
    let many: Vec<String> = (0..40).map(|last| format!("10.0.1.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = choose(&present(&many), &["0.0.0.0"], &[], &[]);
    assert_eq!(found.candidates().len(), CANDIDATES_MAX);
}

#[test]
fn the_public_address_comes_first_and_the_others_stay() {
    let found = choose(
        &present(&PRESENT),
        &EVERYWHERE,
        &[],
        &["203.0.113.9", "2001:db8::5"],
    );
    let told: Vec<String> = found
        .candidates()
        .iter()
        .map(SocketAddr::to_string)
        .collect();
    let all = [
        "203.0.113.9:7882",
        "[2001:db8::5]:7882",
        "10.0.0.5:7882",
        "127.0.0.1:7882",
        "[::1]:7882",
    ];
    assert_eq!(told, all);
    assert_eq!(
        found.source(found.candidates()[0]),
        None,
        "no interface has it"
    );
    assert_eq!(
        found.arrived_at("10.0.0.5".parse().expect("an address")),
        Some(found.candidates()[2]),
        "the router forwards to this one"
    );
}

const HOST_OF_CONTAINERS: [&str; 6] = [
    "lo=127.0.0.1",
    "eth0=10.0.0.5",
    "docker0=172.17.0.1",
    "br-0123456789ab=172.18.0.1",
    "br-lan=192.168.1.1",
    "wg0=10.8.0.1",
];

#[track_caller]
fn check_filtered(include: &[&str], exclude: &[&str], told: &[&str], left_out: &[&str]) {
    let interfaces = Interfaces {
        include: filters(include),
        exclude: filters(exclude),
    };
    let plan = Plan {
        bound: &ips(&EVERYWHERE),
        announce: &[],
        found: &[],
        interfaces: &interfaces,
        port: 7882,
    };
    let found = Addresses::choose(&present(&HOST_OF_CONTAINERS), plan);
    let candidates: Vec<String> = found
        .candidates()
        .iter()
        .map(|at| at.ip().to_string())
        .collect();
    assert_eq!(candidates, told);
    let names: Vec<&str> = found
        .left_out()
        .iter()
        .map(|present| present.name.as_str())
        .collect();
    assert_eq!(names, left_out);
}

#[test]
fn bridges_of_containers_are_left_out_unless_asked_for() {
    let usual = ["10.0.0.5", "192.168.1.1", "10.8.0.1", "127.0.0.1"];
    check_filtered(&[], &[], &usual, &["docker0", "br-0123456789ab"]);
    check_filtered(
        &["docker0", "eth*"],
        &[],
        &["10.0.0.5", "172.17.0.1", "127.0.0.1"],
        &["br-0123456789ab", "br-lan", "wg0"],
    );
}

#[test]
fn filters_by_name_and_network() {
    check_filtered(
        &["10.0.0.0/8"],
        &[],
        &["10.0.0.5", "10.8.0.1", "127.0.0.1"],
        &["docker0", "br-0123456789ab", "br-lan"],
    );
    check_filtered(
        &["10.0.0.0/8"],
        &["wg*"],
        &["10.0.0.5", "127.0.0.1"],
        &["docker0", "br-0123456789ab", "br-lan", "wg0"],
    );
    check_filtered(
        &[],
        &["127.0.0.0/8", "192.168.0.0/16"],
        &["10.0.0.5", "10.8.0.1"],
        &["lo", "docker0", "br-0123456789ab", "br-lan"],
    );
}

#[test]
fn link_local_of_ipv4_can_be_asked_for_and_of_ipv6_never() {
    let interfaces = Interfaces {
        include: filters(&["169.254.0.0/16", "fe80::/10"]),
        exclude: Vec::new(),
    };
    let plan = Plan {
        bound: &ips(&EVERYWHERE),
        announce: &[],
        found: &[],
        interfaces: &interfaces,
        port: 7882,
    };
    let found = Addresses::choose(&present(&["169.254.1.1", "fe80::1"]), plan);
    assert_eq!(
        found.candidates(),
        ["169.254.1.1:7882".parse().expect("an address")]
    );
}

#[test]
fn a_bridge_that_is_announced_is_sent_from() {
    let all = present(&HOST_OF_CONTAINERS);
    let found = choose(&all, &EVERYWHERE, &["172.17.0.1"], &[]);
    let announced = found.candidates()[0];
    assert_eq!(found.source(announced), Some(announced.ip()));
}

#[test]
fn names_of_bridges() {
    for name in [
        "docker0",
        "docker_gwbridge",
        "veth12ab34f",
        "cni0",
        "cali0123",
        "virbr0",
    ] {
        assert!(is_bridge(name), "{name}");
    }
    for name in [
        "eth0", "br-lan", "br0", "veth0", "wlan0", "wg0", "bond0", "ens5",
    ] {
        assert!(!is_bridge(name), "{name}");
    }
}
