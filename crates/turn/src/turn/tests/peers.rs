//! Where nothing may be relayed to: every special-purpose address, in every spelling, by every method.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::codec::{Method, attribute};
use crate::testing::{Client, SFU, SFU_IPV6, World, address, udp};
use crate::{Dropped, Elsewhere, Public, Verdict, special};

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

/// An IPv4 address as an IPv6 one: mapped, compatible, translated (RFC 2765, RFC 6052, RFC 8215), 6to4, Teredo.
fn spellings(ip: Ipv4Addr) -> [Ipv6Addr; 9] {
    let number = u32::from(ip);
    let [high, low] = [number >> 16, number & 0xffff].map(|half| u16::try_from(half).expect("16"));
    let [not_high, not_low] = [!high, !low];
    [
        [0, 0, 0, 0, 0, 0xffff, high, low],
        [0, 0, 0, 0, 0, 0, high, low],
        [0, 0, 0, 0, 0xffff, 0, high, low],
        [0x64, 0xff9b, 0, 0, 0, 0, high, low],
        [0x64, 0xff9b, 1, 0, 0, 0, high, low],
        [0x64, 0xff9b, 1, 0xfffe, 0, 0, high, low],
        [0x2002, high, low, 0, 0, 0, 0, 1],
        [0x2002, high, low, 1, 2, 3, 4, 5],
        [0x2001, 0, high, low, 0, 0, not_high, not_low],
    ]
    .map(Ipv6Addr::from)
}

fn special_peers() -> Vec<SocketAddr> {
    let mut ips: Vec<IpAddr> = Vec::new();
    for text in IPV4 {
        let ip: Ipv4Addr = text.parse().expect("an address");
        ips.push(ip.into());
        ips.extend(spellings(ip).map(IpAddr::from));
    }
    ips.extend(IPV6.map(|text| text.parse::<IpAddr>().expect("an address")));
    assert!(ips.iter().all(|ip| special(*ip).is_some()));
    ips.into_iter()
        .map(|ip| SocketAddr::new(ip, 7_882))
        .collect()
}

/// In the room alone.
fn check(peers: &[SocketAddr]) {
    check_in(World::new(), peers);
}

/// Real ports, and the internet behind them.
fn open_world() -> World {
    let world = World::with(|config| config.real_ports = Some(49_152..=49_407));
    let public = Public {
        own: vec![address(SFU).ip(), "8.8.4.4".parse().expect("an address")],
        ..Public::default()
    };
    world.house.0.lock().expect("one thread").elsewhere = Elsewhere::Public(public);
    world
}

/// A client with both families, everything it may have, and these peers.
fn check_in(mut world: World, peers: &[SocketAddr]) {
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
    for some in special_peers().chunks(100) {
        check(some);
        check_in(open_world(), some);
    }
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

#[test]
fn the_internet_is_in_reach_where_it_is_let_in() {
    let mut world = open_world();
    let mut client = Client::new(1, "198.51.100.9:5000");
    let both = (attribute::ADDITIONAL_ADDRESS_FAMILY, vec![2, 0, 0, 0]);
    let answer = world.request(&mut client, Method::Allocate, &[udp(), both]);
    let relayed = answer.relayed;
    assert_eq!(relayed.len(), 2);
    assert!((49_152..=49_407).contains(&relayed[0].port()));
    let peers = ["8.8.8.8:53", "[2a00:1450::1]:443"].map(address);
    for ((number, peer), own) in (0x4000..).zip(peers).zip(&relayed) {
        let arrives = |world: &mut World, from| {
            let now = world.now;
            world.turn.handle_relayed(now, from, *own, 2, 200).is_ok()
        };
        assert_eq!(world.send(&client, peer, b"x"), Err(Dropped::NoPermission));
        assert!(!arrives(&mut world, peer), "without permission");
        assert_eq!(world.permit(&mut client, &[peer]), 0);
        assert_eq!(world.send(&client, peer, b"x"), Ok((peer, b"x".to_vec())));
        assert!(arrives(&mut world, peer));
        let other_port = SocketAddr::new(peer.ip(), 9);
        assert!(
            arrives(&mut world, other_port),
            "permissions are for addresses"
        );
        assert_eq!(world.bind(&mut client, number, peer), 0);
        let [high, low] = number.to_be_bytes();
        let data = [high, low, 0, 1, b'x'];
        assert_eq!(
            world.turn.handle_packet(world.now, client.flow, &data),
            Verdict::ToPeer {
                port: own.port(),
                to: peer,
                payload: b"x"
            }
        );
        assert!(arrives(&mut world, peer));
    }
    assert_eq!(
        world.permit(&mut client, &[address("8.8.4.4:53")]),
        403,
        "it is ours"
    );
    let strangers = ["1.1.1.1:53", "[2a00:1450::2]:443"].map(address);
    for (stranger, own) in strangers.into_iter().zip(relayed) {
        let arrived = world.turn.handle_relayed(world.now, stranger, own, 1, 1);
        assert_eq!(arrived, Err(Dropped::NoPermission));
    }
}

#[test]
fn relayed_addresses_are_ours_whoever_elsewhere_is_let_in() {
    let mut world = open_world();
    let mut own = Client::new(1, "198.51.100.9:5000");
    let mut member = Client::new(2, "198.51.100.9:5001");
    let mut stranger = Client::new(11, "198.51.100.9:5002");
    world.allocate(&mut own);
    let member = world.allocate(&mut member);
    let stranger = world.allocate(&mut stranger);
    assert_eq!(world.permit(&mut own, &[member]), 0);
    assert_eq!(world.send(&own, member, b"x"), Ok((member, b"x".to_vec())));
    assert_eq!(world.permit(&mut own, &[stranger]), 403);
    assert_eq!(world.bind(&mut own, 0x4000, stranger), 403);
    assert_eq!(world.send(&own, stranger, b"x"), Err(Dropped::Denied));
}

#[test]
fn a_port_that_another_program_has_is_passed_over() {
    let mut world = open_world();
    world.house.0.lock().expect("one thread").in_use = (49_152..=49_407).step_by(2).collect();
    let mut client = Client::new(1, "198.51.100.9:5000");
    let even = (attribute::EVEN_PORT, vec![0]);
    let answer = world.request(&mut client, Method::Allocate, &[udp(), even]);
    assert_eq!(answer.code, 508, "all even ones are in use");
    assert_eq!(world.turn.counters().ports_in_use, 15);
    let mut ports: Vec<u16> = Vec::new();
    for n in 0..8_u8 {
        let mut client = Client::new(1, &format!("198.51.100.{n}:6000"));
        ports.push(world.allocate(&mut client).port());
    }
    assert!(ports.iter().all(|port| !port.is_multiple_of(2)));
}
