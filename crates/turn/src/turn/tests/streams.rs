//! Clients that come by TCP or TLS.

use crate::Transport;
use crate::codec::Method;
use crate::testing::{Client, World, message};

fn by_tcp(participant: u64) -> Client {
    let mut client = Client::new(participant, "198.51.100.1:5000");
    client.flow.transport = Transport::Tcp;
    client
}

#[test]
fn what_is_relayed_ends_with_the_stream() {
    let mut world = World::new();
    let mut client = by_tcp(1);
    assert!(!world.turn.has_allocation(&client.flow));
    let relayed = world.allocate(&mut client);
    assert!(world.turn.has_allocation(&client.flow));
    let mut other = client.clone();
    other.flow.transport = Transport::Udp;
    world.turn.close_flow(&other.flow);
    assert!(
        world
            .house
            .0
            .lock()
            .expect("one thread")
            .open
            .contains_key(&relayed.port())
    );
    world.turn.close_flow(&client.flow);
    assert!(!world.turn.has_allocation(&client.flow));
    assert!(world.house.0.lock().expect("one thread").open.is_empty());
    world.turn.close_flow(&client.flow);
    let counters = world.turn.counters();
    assert_eq!(
        (counters.allocations_closed, counters.allocations_now),
        (1, 0)
    );
}

#[test]
fn answers_by_a_stream_are_not_rationed() {
    let mut world = World::new();
    let client = by_tcp(1);
    let request = message(Method::Binding, [9; 12], &[]);
    for _ in 0..100 {
        assert!(world.ask(&client, &request).is_some());
    }
    assert_eq!(world.turn.counters().suppressed, 0);
}
