use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Sfu;
use crate::api::{
    ConnectionKey, ConnectionOptions, DataForm, Entropy, Event, Grant, Identity, Join, LeaveReason,
    MediaKind, MsidStyle, Now, Offerer, PeerId, PeerKind, Publish, Refusal, Request, RequestKind,
    RoomId, RoomInfo, RoomName, ShardId, ShardSet, Source, TrackId,
};
use crate::connection::{DownKey, Sent};
use crate::context::Context;
use crate::io::{Config, Received, Slot};

struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time needs one instant to count from"
)]
fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: Duration::from_secs(1),
    }
}

fn sfu(now: Now) -> Sfu {
    let config = Config::new(ShardId(0), vec![([192, 0, 2, 1], 7882).into()]);
    Sfu::new(now, config, Box::new(Counting(3)))
}

fn join(grant: Grant) -> Request {
    let room = RoomInfo {
        id: RoomId(9),
        name: RoomName::new("yard"),
        metadata: String::new(),
        created_wall_ms: 0,
        peers_max: None,
        empty_timeout_s: 1,
        departure_timeout_s: 1,
    };
    Request::Join(Box::new(Join {
        room: Arc::new(room),
        shards: ShardSet::default(),
        identity: Identity::new("somebody"),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        kind: PeerKind(0),
        grant,
        auto_subscribe: true,
        form: DataForm(1),
        msid: MsidStyle::PerPeer,
        annotation: Bytes::new(),
    }))
}

fn open() -> Request {
    Request::Open {
        connection: ConnectionKey(0),
        options: ConnectionOptions {
            offerer: Offerer::Client,
            publish: true,
            subscribe: true,
            primary: true,
            publish_unannounced: false,
            answers_ahead: false,
            bitrate_max_bps: None,
            channels: Vec::new(),
        },
    }
}

fn publish(source: Source) -> Request {
    Request::Publish(Box::new(Publish {
        client_id: "cam".into(),
        kind: MediaKind::Video,
        source,
        name: String::new(),
        stream: String::new(),
        muted: false,
        width_px: 0,
        height_px: 0,
        layers: Vec::new(),
        annotation: Bytes::new(),
        codec: None,
        stereo: false,
        no_dtx: false,
    }))
}

fn events(sfu: &mut Sfu, of: PeerId) -> Vec<Event> {
    std::iter::from_fn(|| sfu.poll_event())
        .filter(|(peer, _)| *peer == of)
        .map(|(_, event)| event)
        .collect()
}

/// Peers, connections and rooms of now.
fn living(sfu: &Sfu) -> (u64, u64, u64) {
    let counters = sfu.counters();
    (
        counters.peers_now,
        counters.connections_now,
        counters.rooms_now,
    )
}

#[test]
fn a_panic_in_one_connection_ends_that_one_only() {
    let now = now();
    let mut sfu = sfu(now);
    let (unlucky, other) = (PeerId(1), PeerId(2));
    for peer in [unlucky, other] {
        sfu.handle_request(now, peer, join(Grant::everything()));
        sfu.handle_request(now, peer, open());
    }
    sfu.flush(now);
    let slot = (0..4)
        .map(Slot)
        .find(|slot| {
            sfu.connections
                .get(*slot)
                .is_some_and(|entry| entry.peer == unlucky)
        })
        .expect("it has a connection");
    sfu.connections.get_mut(slot).expect("there").panic_planted = true;
    assert!(!events(&mut sfu, unlucky).is_empty());
    let local = ([192, 0, 2, 1], 7882).into();
    let remote = ([198, 51, 100, 1], 5000).into();
    sfu.handle_packet(
        now,
        Received {
            slot,
            remote,
            local: std::net::SocketAddr::into(local),
            bytes: &[0; 20],
        },
    );
    sfu.flush(now);
    assert_eq!(sfu.counters().faults, 1);
    let mut closed = Vec::new();
    let mut others = Vec::new();
    while let Some((peer, event)) = sfu.poll_event() {
        if peer == unlucky {
            closed.push(event)
        } else {
            others.push(event)
        }
    }
    assert!(
        matches!(
            closed.as_slice(),
            [
                ..,
                Event::Closed {
                    reason: LeaveReason::Fault
                }
            ]
        ),
        "{closed:?}"
    );
    assert!(
        others
            .iter()
            .any(|event| matches!(event, Event::PeerLeft { peer, .. } if peer.id == unlucky)),
        "{others:?}"
    );
    assert_eq!(living(&sfu), (1, 1, 1));
    sfu.handle_request(now, other, Request::Leave);
    assert_eq!(living(&sfu), (0, 0, 0));
}

#[test]
fn rights_are_kept() {
    let now = now();
    let mut sfu = sfu(now);
    let peer = PeerId(1);
    let mut grant = Grant::everything();
    grant.publish = false;
    sfu.handle_request(now, peer, join(grant));
    sfu.handle_request(now, peer, publish(Source::Camera));
    let told = events(&mut sfu, peer);
    let refused = |event: &Event| matches!(event, Event::Refused { request: RequestKind::Publish { client_id }, refusal: Refusal::NotAllowed } if client_id == "cam");
    assert!(told.iter().any(refused), "{told:?}");
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::Announced { .. }))
    );
    assert_eq!(sfu.counters().refusals, 1);
}

#[test]
fn a_description_that_is_none_is_refused_and_harms_nobody() {
    let now = now();
    let mut sfu = sfu(now);
    let peer = PeerId(1);
    sfu.handle_request(now, peer, join(Grant::everything()));
    sfu.handle_request(now, peer, open());
    let huge = "a".repeat(3 * 1024 * 1024);
    for (number, sdp) in ["", "hello", "v=0\r\n", huge.as_str()]
        .into_iter()
        .enumerate()
    {
        let number = u32::try_from(number).expect("few");
        let request = Request::Offer {
            connection: ConnectionKey(0),
            sdp: sdp.to_owned(),
            number,
        };
        sfu.handle_request(now, peer, request);
        sfu.flush(now);
        let told = events(&mut sfu, peer);
        let refused = |event: &Event| matches!(event, Event::Refused { request: RequestKind::Offer { number: n, .. }, .. } if *n == number);
        assert!(told.iter().any(refused), "{number}: {told:?}");
    }
    assert_eq!(sfu.counters().peers_now, 1);
    assert_eq!(sfu.counters().faults, 0);
}

#[test]
fn a_peer_that_never_connects_is_let_go() {
    let start = now();
    let mut sfu = sfu(start);
    let peer = PeerId(1);
    sfu.handle_request(start, peer, join(Grant::everything()));
    sfu.handle_request(start, peer, open());
    let mut now = start;
    while sfu.counters().peers_now > 0 {
        now.instant = sfu
            .poll_timeout()
            .expect("somebody is waited for")
            .max(now.instant);
        sfu.handle_timeout(now);
        sfu.flush(now);
        assert!(
            now.instant < start.instant + Duration::from_secs(70),
            "still there"
        );
    }
    assert!(now.instant > start.instant + Duration::from_secs(59));
    let told = events(&mut sfu, peer);
    assert!(
        matches!(
            told.last(),
            Some(Event::Closed {
                reason: LeaveReason::ConnectionLost
            })
        ),
        "{told:?}"
    );
}

#[test]
fn who_opens_late_has_the_same_time_to_connect() {
    let start = now();
    let mut sfu = sfu(start);
    let peer = PeerId(1);
    sfu.handle_request(start, peer, join(Grant::everything()));
    let pass = |sfu: &mut Sfu, from: Now, seconds: u64| {
        let end = from.instant + Duration::from_secs(seconds);
        let mut now = from;
        while let Some(at) = sfu.poll_timeout().filter(|at| *at <= end) {
            now.instant = at.max(now.instant);
            sfu.handle_timeout(now);
            sfu.flush(now);
        }
        now.instant = end;
        now
    };
    let later = pass(&mut sfu, start, 600);
    sfu.handle_request(later, peer, open());
    let later = pass(&mut sfu, later, 59);
    assert_eq!(sfu.counters().peers_now, 1, "still has a second");
    pass(&mut sfu, later, 3);
    assert_eq!(sfu.counters().peers_now, 0);
}

#[test]
fn what_cannot_be_sent_again_is_counted() {
    let now = now();
    let mut sfu = sfu(now);
    let peer = PeerId(1);
    sfu.handle_request(now, peer, join(Grant::everything()));
    sfu.handle_request(now, peer, open());
    let slot = *sfu.connections.slots().first().expect("its connection's");
    let missed = [Sent::default(); 3];
    let room = sfu.rooms.get(&RoomId(9)).expect("there");
    let cx = &mut context!(sfu, now);
    room.resend(TrackId(77), slot, DownKey(0), &missed, cx);
    let counters = sfu.counters();
    assert_eq!((counters.rtp_resend_refused, counters.rtp_resent), (3, 0));
    assert_eq!(sfu.transmits().all().len(), 0);
}
