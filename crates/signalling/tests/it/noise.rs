//! Nothing that a network can bring ends more than a socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use madang_sfu::api::{
    Event, Grant, Identity, Join, MsidStyle, Now, PeerId, RoomId, RoomInfo, RoomName, RoomState,
    ShardId, ShardSet,
};
use madang_signalling::livekit::service::{self, BODY_BYTES_MAX};
use madang_signalling::livekit::{
    Claims, LiveKit, ServerInfo, Setup, admit, parse_v0_query, parse_v1,
};
use madang_signalling::{Dialect, Frame, Output};

/// A small generator; its seed is in the failure's message.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("fits");
        usize::try_from(self.next() % limit).expect("fits")
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Something that once was right.
    pub(crate) fn bent(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(3) {
            match self.below(3) {
                0 => bytes.truncate(self.below(bytes.len() + 1)),
                1 => bytes.extend(self.bytes(8)),
                _ => {
                    let place = self.below(bytes.len().max(1));
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = self.next().to_le_bytes()[0];
                    }
                }
            }
        }
        bytes
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant has to come from somewhere; nothing here depends on it"
)]
fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: Duration::from_secs(1_795_132_800),
    }
}

fn session() -> LiveKit {
    let claims = Claims::join("yard", "anna");
    let entry = parse_v0_query("protocol=17&sdk=js");
    let (entry, claims) = admit(claims, entry).expect("may join");
    let room = Arc::new(RoomInfo {
        id: RoomId(7),
        name: RoomName::new("yard"),
        metadata: String::new(),
        created_wall_ms: 0,
        peers_max: None,
        empty_timeout_s: 300,
        departure_timeout_s: 20,
    });
    let setup = Setup {
        entry,
        claims,
        peer: PeerId(1),
        room: room.clone(),
        shards: ShardSet::default(),
        server: ServerInfo::default(),
        ice_servers: Vec::new(),
        limits: madang_signalling::livekit::Limits::default(),
    };
    let mut session = LiveKit::new(now(), setup);
    let own = Join {
        room: room.clone(),
        shards: ShardSet::default(),
        identity: Identity::new("anna"),
        name: String::new(),
        metadata: String::new(),
        attributes: std::collections::BTreeMap::new(),
        kind: madang_sfu::api::PeerKind::default(),
        grant: Grant::everything(),
        auto_subscribe: true,
        form: madang_signalling::livekit::FORM,
        msid: MsidStyle::PeerAndTrack,
        annotation: Bytes::new(),
    };
    let own = Arc::new(own.peer_info(PeerId(1), ShardId(0), now()));
    session.handle_event(
        now(),
        Event::Joined(Box::new(RoomState {
            room,
            own,
            others: Vec::new(),
        })),
    );
    session
}

fn drain(session: &mut LiveKit) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

#[test]
fn frames_of_noise_close_the_socket_at_worst() {
    use livekit_protocol as proto;
    use prost::Message as _;
    let good = proto::SignalRequest {
        message: Some(proto::signal_request::Message::AddTrack(
            proto::AddTrackRequest {
                cid: "cam".to_owned(),
                layers: vec![proto::VideoLayer::default(); 3],
                ..proto::AddTrackRequest::default()
            },
        )),
    }
    .encode_to_vec();
    for seed in 0..400 {
        let mut noise = Noise(seed);
        let mut session = session();
        for _ in 0..20 {
            let frame = match noise.below(3) {
                0 => Frame::Binary(noise.bytes(200)),
                1 => Frame::Binary(noise.bent(&good)),
                _ => Frame::Text(String::from_utf8_lossy(&noise.bytes(100)).into_owned()),
            };
            session.handle_frame(now(), frame);
        }
        let outputs = drain(&mut session);
        let closes = outputs
            .iter()
            .filter(|output| matches!(output, Output::CloseCarrier));
        assert!(
            closes.count() <= 1,
            "seed {seed}: closed twice without a resume"
        );
    }
}

#[test]
fn data_of_noise_is_counted_or_passed_on() {
    let mut received = 0;
    let mut forwarded = 0;
    let mut session = session();
    drain(&mut session);
    for seed in 0..5_000 {
        let mut noise = Noise(seed);
        let label = ["_reliable", "_lossy", "_data_track", "other"][noise.below(4)];
        received += 1;
        session.handle_event(
            now(),
            Event::DataReceived {
                label: Arc::from(label),
                payload: Bytes::from(noise.bytes(60)),
                binary: true,
            },
        );
        forwarded += drain(&mut session)
            .iter()
            .filter(|output| matches!(output, Output::Request(_)))
            .count();
    }
    let dropped = session.dropped();
    let counted = dropped.data_malformed
        + dropped.data_refused
        + dropped.data_repeated
        + dropped.data_unwanted;
    assert_eq!(
        usize::try_from(counted).expect("fits") + forwarded,
        received
    );
}

#[test]
fn queries_of_noise_are_answered() {
    for seed in 0..2_000 {
        let mut noise = Noise(seed);
        let text = String::from_utf8_lossy(&noise.bytes(120)).into_owned();
        let entry = parse_v0_query(&format!("protocol={text}&attributes={text}&{text}"));
        assert!(
            entry.is_ok() || text.contains("join_request"),
            "seed {seed}"
        );
        if let Err(error) = parse_v1(&text) {
            assert_eq!(error.status(), 400, "seed {seed}");
        }
    }
}

#[test]
fn calls_of_noise_are_answered() {
    for seed in 0..2_000 {
        let mut noise = Noise(seed);
        let methods = ["CreateRoom", "SendData", "UpdateParticipant", "Nothing"];
        let path = format!("/twirp/livekit.RoomService/{}", methods[noise.below(4)]);
        let content_type = ["application/json", "application/protobuf"][noise.below(2)];
        let body = noise.bytes(100);
        if let Err(error) = service::parse("POST", &path, content_type, &body) {
            assert!(matches!(error.status(), 400 | 404), "seed {seed}: {error}");
            assert!(!error.body().is_empty());
        }
    }
    const { assert!(BODY_BYTES_MAX > 0) };
}
