//! Requests of who is known (RFC 8656).

use crate::codec::{Method, attribute};
use crate::testing::{Client, SFU, World, address, udp, who};

fn client() -> Client {
    Client::new(1, "198.51.100.1:5000")
}

fn with(attributes: &[(u16, Vec<u8>)]) -> Vec<(u16, Vec<u8>)> {
    [&[udp()], attributes].concat()
}

#[test]
fn an_allocation_says_where_it_is() {
    for modern in [false, true] {
        let mut world = World::new();
        let mut client = client();
        client.modern = modern;
        let answer = world.request(&mut client, Method::Allocate, &[udp()]);
        assert_eq!(answer.code, 0);
        assert_eq!(answer.relayed, [address("192.0.0.8:1024")]);
        assert_eq!(answer.mapped, Some(client.flow.client));
        assert_eq!(answer.lifetime_s, Some(600));
        let open = world.house.0.lock().expect("one thread").open.clone();
        assert_eq!(open.get(&1_024), Some(&who(1)));
        assert_eq!(world.turn.counters().allocations_now, 1);
    }
}

#[test]
fn the_same_request_has_the_same_answer_and_another_none() {
    let mut world = World::new();
    let mut client = client();
    client.challenge(&mut world);
    let bytes = client.sealed(Method::Allocate, [3; 12], &[udp()]);
    let first = world.ask(&client, &bytes);
    assert_eq!(world.ask(&client, &bytes), first);
    assert_eq!(world.turn.counters().allocations, 1);
    let answer = world.request(&mut client, Method::Allocate, &[udp()]);
    assert_eq!(answer.code, 437);
}

#[test]
fn only_udp_is_relayed() {
    let mut world = World::new();
    let mut client = client();
    let transport = |number| vec![(attribute::REQUESTED_TRANSPORT, vec![number, 0, 0, 0])];
    for (attributes, code) in [
        (transport(6), 442),
        (transport(132), 442),
        (vec![], 400),
        (vec![(attribute::REQUESTED_TRANSPORT, vec![17])], 400),
    ] {
        let answer = world.request(&mut client, Method::Allocate, &attributes);
        assert_eq!(answer.code, code);
    }
}

#[test]
fn lifetimes_are_kept_in_bounds() {
    for (asked, got) in [(0, 600), (1, 600), (900, 900), (u32::MAX, 3_600)] {
        let mut world = World::new();
        let mut client = client();
        let lifetime = (attribute::LIFETIME, asked.to_be_bytes().to_vec());
        let answer = world.request(&mut client, Method::Allocate, &with(&[lifetime]));
        assert_eq!(answer.lifetime_s, Some(got), "{asked}");
    }
    let mut world = World::new();
    let odd = (attribute::LIFETIME, vec![0, 0]);
    let answer = world.request(&mut client(), Method::Allocate, &with(&[odd]));
    assert_eq!(answer.code, 400);
}

#[test]
fn it_lives_as_long_as_it_is_refreshed() {
    let mut world = World::new();
    let mut client = client();
    world.allocate(&mut client);
    world.wait(599);
    let answer = world.request(&mut client, Method::Refresh, &[]);
    assert_eq!((answer.code, answer.lifetime_s), (0, Some(600)));
    world.wait(599);
    assert_eq!(world.turn.counters().allocations_now, 1);
    world.wait(1);
    assert_eq!(world.turn.counters().allocations_now, 0);
    assert_eq!(world.turn.counters().allocations_expired, 1);
    assert!(world.house.0.lock().expect("one thread").open.is_empty());
    client.challenge(&mut world);
    assert_eq!(world.request(&mut client, Method::Refresh, &[]).code, 437);
    assert_eq!(world.turn.poll_timeout(), None);
}

#[test]
fn it_is_refreshed_past_the_end_of_its_credentials_but_not_past_the_stay() {
    let mut world = World::new();
    let mut client = client();
    world.allocate(&mut client);
    // As if they had ended: nobody is found by that name any more.
    world.house.0.lock().expect("one thread").gone.push(1);
    assert_eq!(world.request(&mut client, Method::Refresh, &[]).code, 0);
    world.turn.end(1);
    assert_eq!(world.turn.counters().allocations_left, 1);
    assert_eq!(world.request(&mut client, Method::Refresh, &[]).code, 401);
    let mut again = Client::new(1, "198.51.100.1:5001");
    assert_eq!(
        world.request(&mut again, Method::Allocate, &[udp()]).code,
        401
    );
}

#[test]
fn a_lifetime_of_nothing_ends_it() {
    let mut world = World::new();
    let mut client = client();
    let first = world.allocate(&mut client);
    let nothing = (attribute::LIFETIME, vec![0; 4]);
    let answer = world.request(&mut client, Method::Refresh, &[nothing]);
    assert_eq!((answer.code, answer.lifetime_s), (0, Some(0)));
    assert_eq!(world.turn.counters().allocations_now, 0);
    assert_ne!(world.allocate(&mut client), first, "that port rests");
}

#[test]
fn families_are_as_asked() {
    let family = |kind, number| (kind, vec![number, 0, 0, 0]);
    let (one, more) = (
        attribute::REQUESTED_ADDRESS_FAMILY,
        attribute::ADDITIONAL_ADDRESS_FAMILY,
    );
    let (ipv4, ipv6) = (address("192.0.0.8:1024"), address("[100::8]:1024"));
    for (attributes, code, relayed) in [
        (vec![family(one, 1)], 0, vec![ipv4]),
        (vec![family(one, 2)], 0, vec![ipv6]),
        (vec![family(one, 3)], 440, vec![]),
        (vec![family(more, 2)], 0, vec![ipv4, ipv6]),
        (vec![family(more, 1)], 400, vec![]),
        (vec![family(one, 2), family(more, 2)], 400, vec![]),
        (vec![(one, vec![1])], 400, vec![]),
    ] {
        let mut world = World::new();
        let answer = world.request(&mut client(), Method::Allocate, &with(&attributes));
        assert_eq!(
            (answer.code, answer.relayed),
            (code, relayed),
            "{attributes:?}"
        );
    }
    let mut world = World::with(|config| config.relay_ipv6 = None);
    let attributes = with(&[family(one, 2)]);
    let answer = world.request(&mut client(), Method::Allocate, &attributes);
    assert_eq!(answer.code, 440);
    let answer = world.request(&mut client(), Method::Allocate, &with(&[family(more, 2)]));
    assert_eq!((answer.code, answer.relayed), (0, vec![ipv4]));
    assert_eq!(answer.missing, Some(vec![2, 0, 4, 40]));
}

#[test]
fn what_is_missing_is_said_again_when_the_answer_was_lost() {
    let mut world = World::with(|config| config.relay_ipv6 = None);
    let mut client = client();
    client.challenge(&mut world);
    let more = (attribute::ADDITIONAL_ADDRESS_FAMILY, vec![2, 0, 0, 0]);
    let request = client.sealed(Method::Allocate, [3; 12], &[udp(), more]);
    let first = world.ask(&client, &request).expect("an answer");
    assert_eq!(world.ask(&client, &request), Some(first));
    assert_eq!(world.turn.counters().allocations, 1);
}

#[test]
fn a_family_that_it_does_not_have_is_a_mismatch() {
    let mut world = World::new();
    let mut client = client();
    world.allocate(&mut client);
    let family = (attribute::REQUESTED_ADDRESS_FAMILY, vec![2, 0, 0, 0]);
    let answer = world.request(&mut client, Method::Refresh, &[family]);
    assert_eq!(answer.code, 443);
    let peer = address(crate::testing::SFU_IPV6);
    assert_eq!(world.permit(&mut client, &[peer]), 443);
    assert_eq!(world.bind(&mut client, 0x4000, peer), 443);
    assert_eq!(world.turn.counters().allocations_now, 1);
}

#[test]
fn what_a_table_entry_cannot_do_is_refused() {
    let mut world = World::new();
    let mut client = client();
    let dont_fragment = (0x001a, vec![]);
    let answer = world.request(&mut client, Method::Allocate, &with(&[dont_fragment]));
    assert_eq!((answer.code, answer.unknown), (420, Some(vec![0, 0x1a])));
    let reserve = (attribute::EVEN_PORT, vec![0x80]);
    let token = (attribute::RESERVATION_TOKEN, vec![1; 8]);
    for (attributes, code) in [
        (vec![reserve.clone()], 508),
        (vec![token.clone()], 508),
        (vec![token, reserve], 400),
        (vec![(attribute::EVEN_PORT, vec![])], 400),
    ] {
        let answer = world.request(&mut client, Method::Allocate, &with(&attributes));
        assert_eq!(answer.code, code);
    }
    assert_eq!(world.turn.counters().allocations_now, 0);
    for number in 0..5 {
        let mut client = Client::new(1, &format!("198.51.100.1:{}", 6_000 + number));
        let even = (attribute::EVEN_PORT, vec![0]);
        let answer = world.request(&mut client, Method::Allocate, &with(&[even]));
        assert!(answer.relayed[0].port().is_multiple_of(2));
    }
}

#[test]
fn one_more_than_the_quota_is_refused_and_a_place_is_free_again() {
    let mut world = World::new();
    let mut clients: Vec<Client> = (0..17_u16)
        .map(|number| Client::new(1, &format!("198.51.100.{number}:5000")))
        .collect();
    for client in &mut clients[..16] {
        world.allocate(client);
    }
    let last = &mut clients[16];
    assert_eq!(world.request(last, Method::Allocate, &[udp()]).code, 486);
    assert_eq!(world.turn.counters().refused_quota, 1);
    let nothing = (attribute::LIFETIME, vec![0; 4]);
    world.request(&mut clients[0], Method::Refresh, &[nothing]);
    world.allocate(&mut clients[16]);
    // All together: two more participants with twelve each are the most.
    for (participant, refused) in [(2, false), (3, true)] {
        let codes: Vec<u16> = (0..16_u16)
            .map(|number| {
                let at = format!("198.51.{participant}.{number}:5000");
                let mut client = Client::new(participant, &at);
                world.request(&mut client, Method::Allocate, &[udp()]).code
            })
            .collect();
        assert_eq!(codes.contains(&508), refused, "{codes:?}");
    }
    assert_eq!(world.turn.counters().allocations_now, 40);
}

#[test]
fn an_allocation_is_its_owners_alone() {
    let mut world = World::new();
    let mut client = client();
    world.allocate(&mut client);
    let mut other = client.clone();
    other.participant = 2;
    for method in [
        Method::Refresh,
        Method::Allocate,
        Method::CreatePermission,
        Method::ChannelBind,
    ] {
        assert_eq!(world.request(&mut other, method, &[udp()]).code, 441);
    }
    let mut elsewhere = Client::new(1, "198.51.100.1:5001");
    assert_eq!(world.permit(&mut elsewhere, &[address(SFU)]), 437);
    assert_eq!(world.bind(&mut elsewhere, 0x4000, address(SFU)), 437);
}

#[test]
fn ports_of_all_who_left_are_free() {
    let mut world = World::new();
    for number in 0..3_u16 {
        let mut client = Client::new(1, &format!("198.51.100.1:{}", 5_000 + number));
        world.allocate(&mut client);
    }
    let mut other = Client::new(2, "198.51.100.1:6000");
    world.allocate(&mut other);
    world.turn.end(1);
    world.turn.end(1);
    world.turn.end(99);
    assert_eq!(world.turn.counters().allocations_now, 1);
    assert_eq!(world.turn.counters().allocations_left, 3);
    assert_eq!(world.request(&mut other, Method::Refresh, &[]).code, 0);
}
