use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Keyed;
use crate::api::{Flow, Transport};

fn flow(transport: Transport, client: SocketAddr) -> Flow {
    Flow {
        transport,
        client,
        local: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
    }
}

/// Neighbours, of which a town behind one address has many.
fn many() -> Vec<Flow> {
    let mut all = Vec::new();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        for port in 0..2_000 {
            let ipv4 = Ipv4Addr::new(198, 51, 100, 7).into();
            let ipv6 = Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 7).into();
            all.push(flow(transport, SocketAddr::new(ipv4, port)));
            all.push(flow(transport, SocketAddr::new(ipv6, port)));
            let [high, low] = port.to_be_bytes();
            let ipv4 = Ipv4Addr::new(100, 64, high, low).into();
            all.push(flow(transport, SocketAddr::new(ipv4, 5_000)));
        }
    }
    all
}

#[test]
fn neighbours_are_told_apart() {
    let keyed = Keyed::new(&[7; 32]);
    let flows = many();
    let hashes: BTreeSet<u64> = flows.iter().map(|flow| keyed.hash_one(flow)).collect();
    assert_eq!(hashes.len(), flows.len());
}

#[test]
fn neighbours_are_spread_over_the_table() {
    let keyed = Keyed::new(&[7; 32]);
    let mut low = [0_usize; 64];
    let mut high = [0_usize; 64];
    let flows = many();
    for flow in &flows {
        let hash = keyed.hash_one(flow);
        low[usize::try_from(hash % 64).expect("small")] += 1;
        high[usize::try_from(hash >> 58).expect("small")] += 1;
    }
    let even = flows.len() / 64;
    for places in [low, high] {
        let fullest = places.iter().max().copied().expect("64 places");
        assert!(
            fullest < even * 2,
            "{fullest} of {} in one of 64",
            flows.len()
        );
    }
}

#[test]
fn another_key_orders_them_otherwise() {
    let flow = many()[0];
    let mut secret = [7; 32];
    let one = Keyed::new(&secret).hash_one(flow);
    secret[20] = 8;
    let other = Keyed::new(&secret).hash_one(flow);
    assert_ne!(one, other);
}
