//! Who has shown no credentials.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::Dropped;
use crate::codec::{Class, Message, Method, Writer, attribute};
use crate::testing::{Answer, Client, World, address, message, udp};

#[test]
fn a_binding_is_answered_as_shortly_as_can_be() {
    let mut world = World::new();
    for (at, size) in [("198.51.100.1:5000", 32), ("[2a00::1]:5000", 44)] {
        let client = Client::new(1, at);
        let request = message(Method::Binding, [9; 12], &[]);
        let reply = world.ask(&client, &request).expect("an answer");
        assert_eq!(reply.len(), size);
        let said = Message::parse(&reply).expect("sound");
        assert_eq!(said.transaction(), [9; 12]);
        assert_eq!(
            said.address(attribute::XOR_MAPPED_ADDRESS),
            Some(address(at))
        );
        assert_eq!(
            (said.method, said.class),
            (Some(Method::Binding), Class::Success)
        );
    }
    assert_eq!(world.turn.counters().bindings, 2);
}

#[test]
fn a_binding_that_wants_more_is_told_what_we_do_not_know() {
    let mut world = World::new();
    let client = Client::new(1, "198.51.100.1:5000");
    // CHANGE-REQUEST (RFC 5780), and something else twice.
    let request = message(
        Method::Binding,
        [9; 12],
        &[(3, vec![0, 0, 0, 6]), (0x7001, vec![]), (0x8abc, vec![])],
    );
    let reply = world.ask(&client, &request).expect("an answer");
    let answer = Answer::read_open(&reply);
    assert_eq!(
        (answer.code, answer.unknown),
        (420, Some(vec![0, 3, 0x70, 1]))
    );
    assert!(reply.len() <= request.len() * 16 / 10);
}

#[test]
fn checks_of_others_are_not_answered() {
    let mut world = World::new();
    let client = Client::new(1, "198.51.100.1:5000");
    let check = message(
        Method::Binding,
        [9; 12],
        &[
            (attribute::USERNAME, b"gone:them".to_vec()),
            (0x24, vec![0; 4]),
        ],
    );
    assert_eq!(world.dropped(&client, &check), Some(Dropped::Ignored));
    for (method, class) in [
        (Method::Binding, Class::Indication),
        (Method::Binding, Class::Success),
        (Method::Allocate, Class::Error),
        (Method::Data, Class::Indication),
        (Method::Send, Class::Request),
        (Method::Allocate, Class::Indication),
    ] {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes, method, class, [1; 12]);
        assert_eq!(
            world.dropped(&client, &bytes),
            Some(Dropped::Ignored),
            "{method:?}"
        );
    }
    for bytes in [
        &b"hello"[..],
        b"",
        &[0, 3, 0, 0],
        &[22; 40],
        &[0x40, 0, 0, 9, 1],
    ] {
        assert_eq!(world.dropped(&client, bytes), Some(Dropped::Malformed));
    }
}

#[test]
fn without_relayed_addresses_it_is_a_stun_server() {
    let mut world = World::with(|config| (config.relay_ipv4, config.relay_ipv6) = (None, None));
    let client = Client::new(1, "198.51.100.1:5000");
    assert!(
        world
            .ask(&client, &message(Method::Binding, [1; 12], &[]))
            .is_some()
    );
    let allocate = message(Method::Allocate, [1; 12], &[udp()]);
    assert_eq!(world.dropped(&client, &allocate), Some(Dropped::Ignored));
    assert_eq!(world.turn.counters().challenges, 0);
}

#[test]
fn a_challenge_is_short_and_says_all_that_is_needed() {
    let mut world = World::new();
    let client = Client::new(1, "198.51.100.1:5000");
    for method in [
        Method::Allocate,
        Method::Refresh,
        Method::CreatePermission,
        Method::ChannelBind,
    ] {
        let reply = world
            .ask(&client, &message(method, [1; 12], &[udp()]))
            .expect("an answer");
        assert!(reply.len() <= 72, "{} bytes", reply.len());
        let said = Message::parse(&reply).expect("sound");
        assert_eq!(said.get(attribute::ERROR_CODE), Some(&[0, 0, 4, 1][..]));
        assert_eq!(said.get(attribute::REALM), Some(&b"room"[..]));
        assert!(said.has(attribute::NONCE) && said.has(attribute::PASSWORD_ALGORITHMS));
        assert!(!said.has(attribute::USERNAME) && !said.has(0x8022));
    }
    assert_eq!(world.turn.counters().challenges, 4);
}

#[test]
fn what_asks_for_nothing_is_not_challenged() {
    let mut world = World::new();
    let client = Client::new(1, "198.51.100.1:5000");
    for method in [Method::Allocate, Method::Refresh] {
        let request = message(method, [1; 12], &[]);
        let reply = world.ask(&client, &request).expect("an answer");
        assert_eq!(Answer::read_open(&reply).code, 400);
        assert_eq!(reply.len(), 28);
    }
    assert_eq!(world.turn.counters().challenges, 0);
}

#[test]
fn half_of_the_credentials_is_a_bad_request() {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.1:5000");
    client.challenge(&mut world);
    let whole = client.sealed(Method::Allocate, [1; 12], &[udp()]);
    for missing in [attribute::USERNAME, attribute::REALM, attribute::NONCE] {
        let mut bytes = Vec::new();
        let message = Message::parse(&whole).expect("sound");
        let mut writer = Writer::new(&mut bytes, Method::Allocate, Class::Request, [1; 12]);
        for kind in [attribute::USERNAME, attribute::REALM, attribute::NONCE] {
            if kind != missing {
                writer.attribute(kind, message.get(kind).expect("it has"));
            }
        }
        writer.seal_sha1(&client.key());
        let reply = world.ask(&client, &bytes).expect("an answer");
        assert_eq!(Answer::read_open(&reply).code, 400);
        assert!(reply.len() <= 28);
    }
}

#[test]
fn wrong_ones_are_challenged_again() {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.1:5000");
    client.challenge(&mut world);
    let good = client.clone();
    for modern in [false, true] {
        client.modern = modern;
        for participant in [2, 77] {
            // The name of another with the key of the first; a name that nobody has.
            client.participant = participant;
            let mut bytes = Vec::new();
            let sealed = client.sealed(Method::Allocate, [1; 12], &[udp()]);
            let said = Message::parse(&sealed).expect("sound");
            let mut writer = Writer::new(&mut bytes, Method::Allocate, Class::Request, [1; 12]);
            for kind in [
                attribute::USERNAME,
                attribute::USERHASH,
                attribute::REALM,
                attribute::NONCE,
            ] {
                if let Some(value) = said.get(kind) {
                    writer.attribute(kind, value);
                }
            }
            writer.seal_sha1(&good.key());
            let reply = world.ask(&client, &bytes).expect("an answer");
            assert_eq!(Answer::read_open(&reply).code, 401);
        }
    }
    assert_eq!(world.turn.counters().allocations_now, 0);
}

#[test]
fn a_nonce_of_another_address_or_time_is_stale() {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.1:5000");
    client.challenge(&mut world);
    let mut thief = Client::new(1, "198.51.100.2:5000");
    thief.nonce = client.nonce.clone();
    let answer = world.request(&mut thief, Method::Allocate, &[udp()]);
    assert_eq!(answer.code, 438);
    world.wait(700);
    let answer = world.request(&mut client, Method::Allocate, &[udp()]);
    assert_eq!(answer.code, 438);
    client.challenge(&mut world);
    world.allocate(&mut client);
}

#[test]
fn an_algorithm_cannot_be_bidden_down() {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.1:5000");
    client.challenge(&mut world);
    let (all, one) = (
        attribute::PASSWORD_ALGORITHMS,
        attribute::PASSWORD_ALGORITHM,
    );
    for wrong in [
        vec![(all, vec![0, 1, 0, 0]), (one, vec![0, 1, 0, 0])],
        vec![(all, vec![0, 1, 0, 0, 0, 2, 0, 0]), (one, vec![0, 1, 0, 0])],
        vec![(all, vec![0, 2, 0, 0, 0, 1, 0, 0])],
        vec![(one, vec![0, 1, 0, 0])],
        vec![(all, vec![0, 2, 0, 0, 0, 1, 0, 0]), (one, vec![0, 3, 0, 0])],
    ] {
        let attributes = [&wrong[..], &[udp()]].concat();
        let answer = world.request(&mut client, Method::Allocate, &attributes);
        assert_eq!(answer.code, 400);
    }
}

#[test]
fn a_source_gets_ten_answers_a_second_and_then_silence() {
    let mut world = World::new();
    let client = Client::new(1, "198.51.100.1:5000");
    let requests = [
        message(Method::Binding, [1; 12], &[]),
        message(Method::Allocate, [1; 12], &[udp()]),
    ];
    let mut answered = 0;
    for number in 0..1_000_u16 {
        let mut client = client.clone();
        client.flow.client.set_port(1_024 + number);
        let request = &requests[usize::from(number % 2)];
        answered += usize::from(world.ask(&client, request).is_some());
    }
    assert_eq!(answered, 10);
    assert_eq!(world.turn.counters().suppressed, 990);
    world.wait(1);
    assert!(world.ask(&client, &requests[0]).is_some());
}

#[test]
fn whoever_is_known_is_answered_beyond_that() {
    let mut world = World::new();
    let mut client = Client::new(1, "198.51.100.1:5000");
    world.allocate(&mut client);
    for _ in 0..100 {
        let answer = world.request(&mut client, Method::Refresh, &[]);
        assert_eq!(answer.code, 0);
    }
}

#[test]
fn strangers_leave_nothing_behind() {
    let mut world = World::new();
    let requests = [
        message(Method::Binding, [1; 12], &[]),
        message(Method::Allocate, [1; 12], &[udp()]),
        b"\x40\x00\x00\x04data".to_vec(),
    ];
    for number in 0..100_000_u32 {
        let mut client = Client::new(1, "198.51.100.1:5000");
        let ip = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number));
        client.flow.client = SocketAddr::new(ip, 5_000);
        let request = &requests[usize::try_from(number % 3).expect("small")];
        world.turn.handle_packet(world.now, client.flow, request);
    }
    assert_eq!(world.turn.counters().allocations_now, 0);
    assert_eq!(world.turn.poll_timeout(), None);
    // What a longest answer takes, and not a byte for whoever asked.
    assert!(world.turn.reply.capacity() <= 128);
    assert_eq!(world.turn.table.capacity(), 0);
    assert!(world.house.0.lock().expect("one thread").open.is_empty());
}
