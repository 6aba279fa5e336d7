//! What goes to peers, and what comes back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::codec::{ChannelData, Class, Message, Method, Writer, attribute, channel_data};
use crate::testing::{Client, SFU, World, address, xored};
use crate::{Dropped, Transport, Verdict};

fn client(participant: u64) -> Client {
    Client::new(participant, &format!("198.51.100.{participant}:5000"))
}

fn on_channel(
    world: &mut World,
    client: &Client,
    number: u16,
    data: &[u8],
) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
    let mut bytes = Vec::new();
    channel_data(&mut bytes, number, data, false);
    match world.turn.handle_packet(world.now, client.flow, &bytes) {
        Verdict::ToPeer { to, .. } => panic!("{to} is elsewhere"),
        Verdict::ToSfu { from, to, payload } | Verdict::ToRelay { from, to, payload } => {
            Some((from, to, payload.to_vec()))
        }
        Verdict::Drop(_) => None,
        Verdict::Reply => panic!("channel data has no answer"),
    }
}

/// What the client gets of what a peer sends to its relayed address.
fn back(
    world: &mut World,
    from: SocketAddr,
    to: SocketAddr,
    data: &[u8],
) -> Result<Vec<u8>, Dropped> {
    let envelope = world
        .turn
        .handle_relayed(world.now, from, to, 1, data.len())?;
    let mut out = Vec::new();
    envelope.seal(data, &mut out);
    Ok(out)
}

#[test]
fn without_a_permission_nothing_passes_either_way() {
    let mut world = World::new();
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    let sfu = address(SFU);
    assert_eq!(world.send(&client, sfu, b"up"), Err(Dropped::NoPermission));
    assert_eq!(on_channel(&mut world, &client, 0x4000, b"up"), None);
    assert_eq!(
        back(&mut world, sfu, relayed, b"down"),
        Err(Dropped::NoPermission)
    );
}

#[test]
fn with_one_it_passes_as_indications() {
    let mut world = World::new();
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    let sfu = address(SFU);
    assert_eq!(world.permit(&mut client, &[sfu]), 0);
    assert_eq!(world.send(&client, sfu, b"up"), Ok((sfu, b"up".to_vec())));
    let wrapped = back(&mut world, sfu, relayed, b"down").expect("permitted");
    let message = Message::parse(&wrapped).expect("sound");
    assert_eq!(
        (message.method, message.class),
        (Some(Method::Data), Class::Indication)
    );
    assert_eq!(message.address(attribute::XOR_PEER_ADDRESS), Some(sfu));
    assert_eq!(message.get(attribute::DATA), Some(&b"down"[..]));
    world.wait(299);
    assert!(world.send(&client, sfu, b"up").is_ok());
    world.wait(1);
    assert_eq!(world.send(&client, sfu, b"up"), Err(Dropped::NoPermission));
}

#[test]
fn on_a_channel_it_passes_with_four_bytes_more() {
    let mut world = World::new();
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    let sfu = address(SFU);
    assert_eq!(world.bind(&mut client, 0x4000, sfu), 0);
    let up = on_channel(&mut world, &client, 0x4000, b"up");
    assert_eq!(up, Some((relayed, sfu, b"up".to_vec())));
    let wrapped = back(&mut world, sfu, relayed, b"down!").expect("bound");
    assert_eq!(wrapped, *b"\x40\x00\x00\x05down!");
    assert_eq!(
        ChannelData::parse(&wrapped).expect("sound").payload,
        b"down!"
    );
    // It is refreshed less often than a permission would have to be.
    world.wait(590);
    let refreshed = world.request(&mut client, Method::Refresh, &[]);
    assert_eq!(refreshed.code, 0);
    assert!(on_channel(&mut world, &client, 0x4000, b"up").is_some());
    assert_eq!(world.bind(&mut client, 0x4000, sfu), 0);
    world.wait(599);
    assert!(on_channel(&mut world, &client, 0x4000, b"up").is_some());
}

#[test]
fn a_channel_ends_and_its_number_is_free() {
    let mut world = World::new();
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    let other = world.allocate(&mut Client::new(2, "198.51.100.2:5000"));
    let lifetime = (attribute::LIFETIME, 3_600_u32.to_be_bytes().to_vec());
    world.request(&mut client, Method::Refresh, &[lifetime]);
    assert_eq!(world.bind(&mut client, 0x4000, other), 0);
    assert_eq!(
        world.bind(&mut client, 0x4000, address(SFU)),
        400,
        "bound otherwise"
    );
    assert_eq!(
        world.bind(&mut client, 0x4001, other),
        400,
        "bound otherwise"
    );
    world.wait(600);
    assert_eq!(on_channel(&mut world, &client, 0x4000, b"up"), None);
    client.challenge(&mut world);
    assert_eq!(world.bind(&mut client, 0x4000, address(SFU)), 0);
    assert_eq!(
        back(&mut world, address(SFU), relayed, b"").expect("bound"),
        *b"\x40\0\0\0"
    );
}

#[test]
fn on_a_stream_channel_data_is_padded() {
    let mut world = World::new();
    let mut client = client(1);
    client.flow.transport = Transport::Tcp;
    let relayed = world.allocate(&mut client);
    assert_eq!(world.bind(&mut client, 0x4000, address(SFU)), 0);
    let wrapped = back(&mut world, address(SFU), relayed, b"down!").expect("bound");
    assert_eq!(wrapped, *b"\x40\x00\x00\x05down!\0\0\0");
    let mut over_udp = client.clone();
    over_udp.flow.transport = Transport::Udp;
    assert_eq!(
        on_channel(&mut world, &over_udp, 0x4000, b"up"),
        None,
        "another flow"
    );
}

#[test]
fn channel_numbers_are_in_their_range() {
    let mut world = World::new();
    let mut client = client(1);
    world.allocate(&mut client);
    for (number, code) in [
        (0x3fff, 400),
        (0, 400),
        (0x7fff, 400),
        (0x8000, 400),
        (0xffff, 400),
    ] {
        assert_eq!(
            world.bind(&mut client, number, address(SFU)),
            code,
            "{number:x}"
        );
    }
    assert_eq!(world.bind(&mut client, 0x7ffe, address(SFU)), 0);
    assert!(on_channel(&mut world, &client, 0x7ffe, b"up").is_some());
    for odd in [vec![], vec![(attribute::CHANNEL_NUMBER, vec![0x40, 0])]] {
        assert_eq!(
            world.request(&mut client, Method::ChannelBind, &odd).code,
            400
        );
    }
}

#[test]
fn members_of_a_room_reach_each_other_and_nobody_else() {
    let mut world = World::new();
    let (mut one, mut two, mut stranger) = (client(1), client(2), client(11));
    let first = world.allocate(&mut one);
    let second = world.allocate(&mut two);
    let foreign = world.allocate(&mut stranger);
    assert_eq!(world.permit(&mut one, &[second]), 0);
    assert_eq!(world.permit(&mut two, &[first]), 0);
    assert_eq!(
        world.send(&one, second, b"hi"),
        Ok((second, b"hi".to_vec()))
    );
    assert!(back(&mut world, first, second, b"hi").is_ok());
    // All relayed addresses have one host: a permission for it is none for who else is there.
    assert_eq!(world.send(&one, foreign, b"hi"), Err(Dropped::Denied));
    assert_eq!(
        back(&mut world, foreign, second, b"hi"),
        Err(Dropped::NoPermission)
    );
    assert_eq!(world.permit(&mut one, &[foreign]), 403);
    assert_eq!(world.bind(&mut one, 0x4000, foreign), 403);
    assert_eq!(world.permit(&mut stranger, &[first]), 403);
    assert_eq!(world.turn.counters().denied_special, 4);
}

#[test]
fn a_port_that_was_given_on_is_another_peer() {
    let mut world = World::with(|config| config.ports = crate::Ports::new(0, 32_256));
    let (mut one, mut two) = (client(1), client(2));
    let first = world.allocate(&mut one);
    let second = world.allocate(&mut two);
    assert_eq!(world.bind(&mut one, 0x4000, second), 0);
    world.turn.end(2);
    let mut stranger = client(11);
    assert_eq!(
        world.allocate(&mut stranger),
        second,
        "there is no other port"
    );
    assert_eq!(
        back(&mut world, second, first, b"hi"),
        Err(Dropped::NoPermission)
    );
    // What goes there is stopped where it arrives.
    let up = on_channel(&mut world, &one, 0x4000, b"hi").expect("still bound");
    assert_eq!(
        back(&mut world, up.0, up.1, b"hi"),
        Err(Dropped::NoPermission)
    );
}

#[test]
fn nobody_is_at_other_addresses() {
    let mut world = World::new();
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    world.bind(&mut client, 0x4000, address(SFU));
    for to in [
        "192.0.0.8:1026",
        "192.0.0.8:80",
        "192.0.0.9:1024",
        "[100::8]:1024",
        SFU,
    ] {
        let dropped = back(&mut world, address(SFU), address(to), b"x");
        assert_eq!(dropped, Err(Dropped::NoAllocation), "{to}");
    }
    assert!(back(&mut world, address(SFU), relayed, b"x").is_ok());
}

#[test]
fn permissions_and_channels_have_their_limits() {
    let mut world = World::with(|config| {
        config.permissions_max = 2;
        config.channels_max = 3;
    });
    let mut client = client(1);
    world.allocate(&mut client);
    let peers: Vec<SocketAddr> = (2..=5)
        .map(|number| world.allocate(&mut Client::new(number, &format!("198.51.100.{number}:1"))))
        .collect();
    // They all have one host, which is one permission.
    assert_eq!(world.permit(&mut client, &peers), 0);
    assert_eq!(world.permit(&mut client, &[address(SFU)]), 0);
    for (number, peer) in (0x4000..).zip(&peers[..3]) {
        assert_eq!(world.bind(&mut client, number, *peer), 0);
    }
    assert_eq!(world.bind(&mut client, 0x4003, peers[3]), 508);
    assert_eq!(
        world.bind(&mut client, 0x4000, peers[0]),
        0,
        "known already"
    );
}

#[test]
fn permissions_are_given_all_or_none() {
    let now = crate::testing::start().instant;
    let mut world = World::new();
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    let own = world.turn.table.of_port_mut(relayed.port()).expect("there");
    let ip = |number: u8| IpAddr::V4(Ipv4Addr::new(10, 0, 0, number));
    let many: Vec<IpAddr> = (0..64).map(ip).collect();
    assert!(own.permit(now, &many[..63], 64).is_ok());
    assert!(own.permit(now, &[ip(200), ip(201)], 64).is_err());
    assert!(!own.is_permitted(now, SocketAddr::new(ip(200), 1)));
    assert!(own.permit(now, &[ip(200), ip(1), ip(200)], 64).is_ok());
    assert!(own.permit(now, &[ip(201)], 64).is_err());
    assert_eq!(world.permit(&mut client, &[]), 400);
    let far: Vec<SocketAddr> = vec![address(SFU); 65];
    assert_eq!(world.permit(&mut client, &far), 508);
}

#[test]
fn no_more_passes_than_may() {
    let mut world = World::with(|config| config.bytes_per_second = 1_000_000);
    let mut client = client(1);
    let relayed = world.allocate(&mut client);
    let sfu = address(SFU);
    world.bind(&mut client, 0x4000, sfu);
    let data = [0; 1_000];
    let up = (0..2_000).filter(|_| on_channel(&mut world, &client, 0x4000, &data).is_some());
    assert_eq!(up.count(), 500, "half a second at once");
    let down = (0..2_000).filter(|_| back(&mut world, sfu, relayed, &data).is_ok());
    assert_eq!(down.count(), 500, "the other way is another matter");
    assert_eq!(world.turn.counters().dropped_bandwidth, 3_000);
    let mut passed = 0;
    for _ in 0..1_000 {
        world.now.instant += std::time::Duration::from_millis(1);
        for _ in 0..3 {
            passed += u32::from(on_channel(&mut world, &client, 0x4000, &data).is_some());
        }
    }
    assert_eq!(passed, 1_000, "and a second's worth in a second");
}

#[test]
fn what_is_relayed_fits_into_a_datagram_whatever_is_put_around_it() {
    let mut world = World::new();
    let (mut one, mut two) = (client(1), client(2));
    let first = world.allocate(&mut one);
    let second = world.allocate(&mut two);
    assert_eq!(world.bind(&mut one, 0x4000, second), 0);
    assert_eq!(world.permit(&mut two, &[first]), 0);
    let data = vec![1; 65_456];
    let (from, to, payload) = on_channel(&mut world, &one, 0x4000, &data).expect("it fits");
    let wrapped = back(&mut world, from, to, &payload).expect("permitted");
    assert!(wrapped.len() <= 65_507, "{}", wrapped.len());
    assert!(Message::parse(&wrapped).is_some());
    let longer = vec![1; 65_457];
    assert_eq!(on_channel(&mut world, &one, 0x4000, &longer), None);
    let (_, _, empty) = on_channel(&mut world, &one, 0x4000, b"").expect("it fits");
    let wrapped = back(&mut world, from, to, &empty).expect("permitted");
    let message = Message::parse(&wrapped).expect("sound");
    assert_eq!(message.get(attribute::DATA), Some(&b""[..]));
}

#[test]
fn what_an_indication_says_twice_or_too_much_does_not_count() {
    let mut world = World::new();
    let mut client = client(1);
    world.allocate(&mut client);
    assert_eq!(world.permit(&mut client, &[address(SFU)]), 0);
    let (allowed, other) = (address(SFU), address("169.254.169.254:80"));
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, Method::Send, Class::Indication, [5; 12])
        .xor_address(attribute::XOR_PEER_ADDRESS, allowed)
        .xor_address(attribute::XOR_PEER_ADDRESS, other)
        .attribute(attribute::DATA, b"x");
    let verdict = world.turn.handle_packet(world.now, client.flow, &bytes);
    assert!(matches!(verdict, Verdict::ToSfu { to, .. } if to == allowed));
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, Method::Send, Class::Indication, [5; 12])
        .xor_address(attribute::XOR_PEER_ADDRESS, allowed)
        .attribute(attribute::DATA, b"x")
        .attribute(0x001a, &[]);
    assert_eq!(
        world.dropped(&client, &bytes),
        Some(Dropped::Ignored),
        "DONT-FRAGMENT"
    );
    // After the integrity of a request: not for a permission either.
    let transaction = world.transaction();
    let peers = [(attribute::XOR_PEER_ADDRESS, xored(allowed, transaction))];
    let mut bytes = client.sealed(Method::CreatePermission, transaction, &peers);
    let mut more = Vec::new();
    Writer::new(&mut more, Method::Send, Class::Request, transaction)
        .xor_address(attribute::XOR_PEER_ADDRESS, other);
    bytes.extend_from_slice(&more[20..]);
    let length = u16::try_from(bytes.len() - 20)
        .expect("short")
        .to_be_bytes();
    bytes[2..4].copy_from_slice(&length);
    assert!(world.ask(&client, &bytes).is_some());
    assert_eq!(
        world.turn.counters().denied_special,
        0,
        "nobody looked at it"
    );
    assert_eq!(world.send(&client, other, b"x"), Err(Dropped::Denied));
}
