use std::net::SocketAddr;

use madang_sfu::Transmit;

use super::{Grouper, SEGMENTS_MAX};

const LOCAL: &str = "127.0.0.1:7882";
const REMOTE: &str = "127.0.0.1:5000";

fn datagram(remote: &str, local: &str, length: usize) -> Transmit {
    Transmit {
        local: local.parse().expect("an address"),
        remote: remote.parse().expect("an address"),
        bytes: vec![u8::try_from(length % 251).expect("below 251"); length],
    }
}

/// Sizes in, groups of sizes out.
fn check(sizes: &[usize], groups: &[&[usize]]) {
    let datagrams = sizes.iter().map(|size| datagram(REMOTE, LOCAL, *size));
    assert_eq!(grouped(datagrams), groups);
}

fn grouped(datagrams: impl Iterator<Item = Transmit>) -> Vec<Vec<usize>> {
    let mut grouper = Grouper::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut send = |group: super::Group<'_>| {
        let segment = group.segment.unwrap_or(group.contents.len()).max(1);
        let segments: Vec<&[u8]> = group.contents.chunks(segment).collect();
        for bytes in &segments {
            // The bytes of each datagram say its size: none is cut or joined wrongly.
            assert!(
                bytes
                    .iter()
                    .all(|byte| usize::from(*byte) == bytes.len() % 251)
            );
        }
        assert_eq!(group.count, segments.len().max(1));
        assert_eq!(group.segment.is_some(), group.count > 1);
        groups.push(segments.iter().map(|bytes| bytes.len()).collect());
    };
    for datagram in datagrams {
        grouper.push(datagram, &mut send);
    }
    grouper.finish(&mut send);
    grouper.finish(&mut send);
    groups
}

#[test]
fn nothing_gives_nothing() {
    check(&[], &[]);
}

#[test]
fn equal_sizes_share_a_group_up_to_the_limit() {
    check(&[1_100], &[&[1_100]]);
    check(&[1_100; 3], &[&[1_100; 3]]);
    check(
        &[1_100; SEGMENTS_MAX + 2],
        &[&[1_100; SEGMENTS_MAX], &[1_100; 2]],
    );
}

#[test]
fn the_last_may_be_shorter_and_ends_the_group() {
    check(&[1_100, 1_100, 300], &[&[1_100, 1_100, 300]]);
    check(&[1_100, 300, 300], &[&[1_100, 300], &[300]]);
    check(&[1_100, 300, 1_100], &[&[1_100, 300], &[1_100]]);
}

#[test]
fn a_longer_one_starts_anew() {
    check(&[300, 1_100, 1_100], &[&[300], &[1_100, 1_100]]);
}

#[test]
fn an_empty_datagram_goes_alone() {
    check(&[0, 300, 0], &[&[], &[300], &[]]);
}

#[test]
fn a_group_stays_below_the_largest_datagram() {
    check(&[30_000; 3], &[&[30_000; 2], &[30_000]]);
}

#[test]
fn addresses_are_not_mixed() {
    let mixed = [
        datagram(REMOTE, LOCAL, 100),
        datagram(REMOTE, LOCAL, 100),
        datagram("127.0.0.1:5001", LOCAL, 100),
        datagram("127.0.0.1:5001", "127.0.0.2:7882", 100),
        datagram(REMOTE, LOCAL, 100),
    ];
    let groups = grouped(mixed.into_iter());
    assert_eq!(groups, [vec![100; 2], vec![100], vec![100], vec![100]]);
}

#[test]
fn a_group_names_where_from_and_where_to() {
    let (remote, local): (SocketAddr, SocketAddr) = (
        REMOTE.parse().expect("an address"),
        LOCAL.parse().expect("an address"),
    );
    let mut grouper = Grouper::new();
    let mut seen = Vec::new();
    grouper.push(datagram(REMOTE, LOCAL, 9), |_| {});
    grouper.finish(|group| seen.push((group.remote, group.local)));
    assert_eq!(seen, [(remote, local)]);
}
