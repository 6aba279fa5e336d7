use std::net::{IpAddr, SocketAddr};

use super::{Addresses, CANDIDATES_MAX};

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect()
}

fn check(present: &[&str], bound: &[&str], announce: &[&str], candidates: &[&str]) -> Addresses {
    let found = Addresses::choose(&ips(present), &ips(bound), &ips(announce), 7882);
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
    let found = Addresses::choose(&ips(&PRESENT), &ips(&["0.0.0.0", "::"]), &[], 7882);
    for candidate in found.candidates() {
        assert_eq!(found.arrived_at(candidate.ip()), Some(*candidate));
        assert_eq!(found.source(*candidate), Some(candidate.ip()));
    }
}

#[test]
fn not_more_than_a_client_can_check() {
    let many: Vec<IpAddr> = (0..40).map(|last| IpAddr::from([10, 0, 1, last])).collect();
    let found = Addresses::choose(&many, &ips(&["0.0.0.0"]), &[], 7882);
    assert_eq!(found.candidates().len(), CANDIDATES_MAX);
}
