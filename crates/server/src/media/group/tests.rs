use std::net::SocketAddr;

use madang_sfu::Transmits;

use super::SEGMENTS_MAX;

const LOCAL: &str = "127.0.0.1:7882";
const REMOTE: &str = "127.0.0.1:5000";

fn put(transmits: &mut Transmits, remote: &str, local: &str, length: usize) {
    transmits.push(
        local.parse::<SocketAddr>().expect("an address"),
        remote.parse().expect("an address"),
        &vec![u8::try_from(length % 251).expect("below 251"); length],
    );
}

/// Sizes in, groups of sizes out.
fn check(sizes: &[usize], groups: &[&[usize]]) {
    let mut transmits = Transmits::default();
    for size in sizes {
        put(&mut transmits, REMOTE, LOCAL, *size);
    }
    assert_eq!(grouped(&transmits), groups);
    transmits.clear();
    assert!(grouped(&transmits).is_empty());
}

fn grouped(transmits: &Transmits) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    super::groups(transmits, |group| {
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
    });
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
    let mut mixed = Transmits::default();
    put(&mut mixed, REMOTE, LOCAL, 100);
    put(&mut mixed, REMOTE, LOCAL, 100);
    put(&mut mixed, "127.0.0.1:5001", LOCAL, 100);
    put(&mut mixed, "127.0.0.1:5001", "127.0.0.2:7882", 100);
    put(&mut mixed, REMOTE, LOCAL, 100);
    let groups = grouped(&mixed);
    assert_eq!(groups, [vec![100; 2], vec![100], vec![100], vec![100]]);
}

#[test]
fn a_group_names_where_from_and_where_to() {
    let (remote, local): (SocketAddr, SocketAddr) = (
        REMOTE.parse().expect("an address"),
        LOCAL.parse().expect("an address"),
    );
    let mut one = Transmits::default();
    put(&mut one, REMOTE, LOCAL, 9);
    let mut seen = Vec::new();
    super::groups(&one, |group| seen.push((group.remote, group.local)));
    assert_eq!(seen, [(remote, local.into())]);
}
