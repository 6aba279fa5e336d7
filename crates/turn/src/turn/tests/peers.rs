//! Where nothing may be relayed to: every special-purpose address, in every spelling, by every method.

use std::net::SocketAddr;

use crate::codec::{Method, attribute};
use crate::testing::{Client, SFU, SFU_IPV6, World, address, udp};
use crate::{Dropped, special};

const IPV4: [&str; 19] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
];
const IPV6: [&str; 13] = [
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fe80::1",
    "ff02::1",
];

/// A client with both families, everything it may have, and these peers.
fn check(peers: &[SocketAddr]) {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.9:5000");
    let both = (attribute::ADDITIONAL_ADDRESS_FAMILY, vec![2, 0, 0, 0]);
    let answer = world.request(&mut client, Method::Allocate, &[udp(), both]);
    assert_eq!(answer.relayed.len(), 2);
    assert_eq!(
        world.permit(&mut client, &[address(SFU), address(SFU_IPV6)]),
        0
    );
    for (number, peer) in (0x4000..).zip(peers) {
        assert_eq!(world.permit(&mut client, &[*peer]), 403, "{peer}");
        let beside = [address(SFU), *peer];
        assert_eq!(
            world.permit(&mut client, &beside),
            403,
            "{peer} beside another"
        );
        assert_eq!(world.bind(&mut client, number, *peer), 403, "{peer}");
        assert_eq!(
            world.send(&client, *peer, b"x"),
            Err(Dropped::Denied),
            "{peer}"
        );
        for relayed in &answer.relayed {
            let arrived = world.turn.handle_relayed(world.now, *peer, *relayed, 1, 1);
            assert!(arrived.is_err(), "{peer} to {relayed}");
        }
    }
    let denied = world.turn.counters();
    let all = u64::try_from(peers.len()).expect("few") * 4;
    assert_eq!(denied.denied_special + denied.denied_foreign, all);
    assert_eq!(denied.relayed_up, 0);
}

#[test]
fn special_addresses_are_out_of_reach() {
    let all = IPV4.iter().chain(&IPV6);
    let all: Vec<SocketAddr> = all
        .map(|text| SocketAddr::new(text.parse().expect("an address"), 7_882))
        .collect();
    assert!(all.iter().all(|peer| special(peer.ip()).is_some()));
    check(&all);
}

#[test]
fn so_is_everybody_else_outside_the_room() {
    let all = [
        "8.8.8.8:53",
        "[2a00:1450::1]:443",
        "[::ffff:203.0.113.5]:7882",
        "192.0.0.8:9000",
    ];
    check(&all.map(address));
}

#[test]
fn at_our_own_address_there_is_the_media_port_and_nothing_else() {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.9:5000");
    world.allocate(&mut client);
    let ours = address(SFU);
    // A permission is for an address; what it lets through is still looked at.
    assert_eq!(world.permit(&mut client, &[ours]), 0);
    for port in [0, 22, 7_880, 7_881, 7_883, 65_535] {
        let other = SocketAddr::new(ours.ip(), port);
        assert_eq!(world.bind(&mut client, 0x4000, other), 403, "{port}");
        assert_eq!(
            world.send(&client, other, b"x"),
            Err(Dropped::Denied),
            "{port}"
        );
    }
    assert!(world.send(&client, ours, b"x").is_ok());
}
