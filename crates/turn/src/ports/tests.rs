use std::collections::BTreeSet;

use super::{Free, PORT_MIN, Ports};

#[test]
fn every_port_has_one_part_and_one_place_in_it() {
    for parts in [1, 2, 3, 64] {
        let mut seen = BTreeSet::new();
        for part in 0..parts {
            let ports = Ports::new(part, parts);
            let mut free = Free::new(ports);
            let mut places = BTreeSet::new();
            while let Some(port) = free.take(false) {
                assert!(port >= PORT_MIN);
                assert_eq!(ports.part_of(port), Some(part));
                assert!(places.insert(ports.index(port).expect("its own")));
                assert!(seen.insert(port), "{port} was taken");
            }
            assert_eq!(
                places.last().copied().map(|last| last + 1),
                Some(places.len())
            );
        }
        assert_eq!(
            seen.len(),
            usize::from(u16::MAX - PORT_MIN) + 1,
            "{parts} parts"
        );
    }
    assert_eq!(Ports::new(0, 2).part_of(1_023), None);
    assert_eq!(
        Ports::new(0, 2).index(PORT_MIN + 2),
        None,
        "of the other part"
    );
}

#[test]
fn even_ones_are_even_and_used_ones_wait() {
    let mut free = Free::new(Ports::new(3, 64));
    let all: Vec<u16> = std::iter::from_fn(|| free.take(true)).collect();
    assert_eq!(all.len(), 504);
    assert!(all.iter().all(|port| port.is_multiple_of(2)));
    free.give_back(all[7]);
    free.give_back(all[3]);
    assert_eq!(
        free.take(true),
        Some(all[7]),
        "the one that has rested longest"
    );
    assert_eq!(
        free.take(false).map(|port| port % 2),
        Some(1),
        "odd ones are left"
    );
}

#[test]
fn drawn_ones_are_all_of_the_range_in_an_order_of_their_own() {
    let range = 49_152..=49_407;
    for parts in [1, 2, 3] {
        let mut seen = BTreeSet::new();
        for part in 0..parts {
            let ports = Ports::new(part, parts);
            let take = |secret: &[u8]| {
                let mut free = Free::drawn(ports, range.clone(), secret);
                std::iter::from_fn(move || free.take(false)).collect::<Vec<u16>>()
            };
            let drawn = take(b"secret");
            assert!(!drawn.is_sorted(), "{part} of {parts}");
            assert_ne!(drawn, take(b"other"), "{part} of {parts}");
            assert!(drawn.iter().all(|port| ports.part_of(*port) == Some(part)));
            seen.extend(drawn);
        }
        assert_eq!(seen, range.clone().collect(), "{parts} parts");
    }
    let mut free = Free::drawn(Ports::new(0, 1), range, b"secret");
    let even: Vec<u16> = std::iter::from_fn(|| free.take(true)).collect();
    assert_eq!(even.len(), 128);
    assert!(even.iter().all(|port| port.is_multiple_of(2)));
}
