use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use madang_sfu::api::{RoomId, ShardId, TrackId};
use madang_sfu::{LayerIndex, LinkBody, LinkMessage, Slot};

use super::{Datagrams, Ends, Inlet, Lost, Outlet, Parcel, RouteTold, mesh};

fn address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 9))
}

/// A ring from shard 0 to shard 1.
fn ring(parcels_max: usize) -> (Outlet, Inlet) {
    let mut all = mesh(2, parcels_max);
    let Ends { inlets, .. } = all.pop().expect("two");
    let Ends { outlets, .. } = all.pop().expect("two");
    let outlet = outlets.into_iter().flatten().next().expect("one");
    (outlet, inlets.into_iter().next().expect("one"))
}

fn route(number: u32) -> Parcel {
    Parcel::Route(RouteTold::known(address(), Slot(number)))
}

fn datagrams(count: usize) -> Parcel {
    let mut all = Datagrams::default();
    for _ in 0..count {
        all.push(Slot(1), address(), address(), false, b"datagram");
    }
    Parcel::Datagrams(all)
}

fn message(body: LinkBody) -> LinkMessage {
    LinkMessage {
        room: RoomId(1),
        body,
    }
}

/// Numbers of the routes that came out.
fn drain(inlet: &mut Inlet) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(parcel) = inlet.pop() {
        if let Parcel::Route(told) = parcel {
            numbers.push(told.slot.0);
        }
    }
    numbers
}

#[test]
fn a_mesh_has_a_ring_for_each_ordered_pair() {
    for shards in 1..=4 {
        for (own, ends) in (0..).zip(mesh(shards, 2)) {
            let to: Vec<u8> = ends
                .outlets
                .iter()
                .flatten()
                .map(|outlet| outlet.to.0)
                .collect();
            let from: Vec<u8> = ends.inlets.iter().map(|inlet| inlet.from.0).collect();
            let others: Vec<u8> = (0..shards).filter(|other| *other != own).collect();
            assert_eq!((to, from), (others.clone(), others));
            assert_eq!(ends.outlets.len(), usize::from(shards));
        }
    }
}

#[test]
fn datagrams_come_out_as_they_went_in() {
    let mut all = Datagrams::default();
    let texts: [&[u8]; 4] = [b"one", b"", b"three", b"four"];
    for (number, text) in (0..).zip(texts) {
        all.push(Slot(number), address(), address(), number == 2, text);
    }
    let out: Vec<(u32, bool, &[u8])> = all
        .iter()
        .map(|(head, bytes)| (head.slot.0, head.stun, bytes))
        .collect();
    assert_eq!(
        out,
        [
            (0, false, texts[0]),
            (1, false, texts[1]),
            (2, true, texts[2]),
            (3, false, texts[3])
        ]
    );
}

#[test]
fn what_must_arrive_arrives_in_order_over_a_full_ring() {
    let (mut outlet, mut inlet) = ring(2);
    let mut out = Vec::new();
    for number in 0..7 {
        assert_eq!(outlet.push(route(number)), Lost::default());
    }
    assert_eq!(outlet.overflowed(), 5);
    // Room again: what waited goes before what is new.
    out.extend(drain(&mut inlet));
    assert_eq!(outlet.push(route(7)), Lost::default());
    out.extend(drain(&mut inlet));
    while outlet.overflowed() > 0 {
        outlet.retry();
        out.extend(drain(&mut inlet));
    }
    assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn datagrams_are_dropped_by_a_full_ring_and_counted() {
    let (mut outlet, mut inlet) = ring(1);
    assert_eq!(outlet.push(datagrams(3)), Lost::default());
    assert_eq!(
        outlet.push(datagrams(5)),
        Lost {
            datagrams: 5,
            packets: 0
        }
    );
    assert_eq!(outlet.overflowed(), 0);
    assert!(matches!(inlet.pop(), Some(Parcel::Datagrams(all)) if all.len() == 3));
    assert!(inlet.is_empty());
}

#[test]
fn of_link_messages_a_full_ring_drops_the_packets_alone() {
    let (mut outlet, mut inlet) = ring(1);
    outlet.push(route(0));
    let keyframe = |number| {
        let track = TrackId(number);
        let encoding = LayerIndex(0);
        message(LinkBody::Keyframe { track, encoding })
    };
    let batch = vec![
        keyframe(1),
        message(LinkBody::Packets(Vec::new())),
        keyframe(2),
    ];
    assert_eq!(outlet.push(Parcel::Links(batch)), Lost::default());
    let only_packets = vec![message(LinkBody::Packets(Vec::new()))];
    outlet.push(Parcel::Links(only_packets));
    assert_eq!(
        outlet.overflowed(),
        1,
        "nothing was left to keep of the second"
    );
    drain(&mut inlet);
    outlet.retry();
    let Some(Parcel::Links(kept)) = inlet.pop() else {
        panic!("the messages are gone");
    };
    assert_eq!(kept.len(), 2);
    assert!(
        kept.iter()
            .all(|message| matches!(message.body, LinkBody::Keyframe { .. }))
    );
}

#[tokio::test]
async fn who_sleeps_is_woken_and_who_is_awake_is_left_alone() {
    let mut all = mesh(2, 8);
    let sleeper = all.pop().expect("two");
    let mut outlet = all
        .pop()
        .expect("two")
        .outlets
        .into_iter()
        .flatten()
        .next()
        .expect("one");
    let wake = Arc::clone(&sleeper.wake);
    let is_called = async || {
        let called = wake.called();
        tokio::time::timeout(Duration::from_millis(20), called)
            .await
            .is_ok()
    };

    outlet.push(route(0));
    outlet.wake();
    assert!(!is_called().await, "awake: it will look by itself");

    wake.lie_down();
    outlet.wake();
    assert!(!is_called().await, "nothing new");
    outlet.push(route(1));
    outlet.wake();
    assert!(is_called().await);
    outlet.push(route(2));
    outlet.wake();
    assert!(!is_called().await, "called once already");
    assert_eq!(
        sleeper.inlets.first().map(|inlet| inlet.from),
        Some(ShardId(0))
    );
}

#[test]
fn no_parcel_is_slept_through() {
    const PARCELS: u32 = 20_000;
    let mut all = mesh(2, 4);
    let mut receiver = all.pop().expect("two");
    let mut outlet = all
        .pop()
        .expect("two")
        .outlets
        .into_iter()
        .flatten()
        .next()
        .expect("one");
    let sender = std::thread::spawn(move || {
        for number in 0..PARCELS {
            outlet.push(route(number));
            outlet.wake();
        }
        while outlet.overflowed() > 0 {
            outlet.retry();
            outlet.wake();
            std::thread::yield_now();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let seen = runtime.block_on(async {
        let mut seen = Vec::new();
        let inlet = receiver.inlets.first_mut().expect("one");
        while seen.len() < 20_000 {
            receiver.wake.lie_down();
            if inlet.is_empty() {
                let called = tokio::time::timeout(Duration::from_secs(20), receiver.wake.called());
                called.await.expect("a parcel was pushed and nobody called");
            }
            receiver.wake.get_up();
            seen.extend(drain(inlet));
        }
        seen
    });
    sender.join().expect("the sender ends");
    assert!(seen.iter().copied().eq(0..PARCELS));
}
