//! Whatever a client of an older program sends: frames go to it, its own conversation ends at worst, and nothing comes
//! after the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_sfu::api::{
    Entropy, Event, Grant, Now, PeerId, RoomId, RoomInfo, RoomName, RoomState, ShardId, ShardSet,
};
use madang_signalling::Frame;
use madang_signalling::door::{Door, DoorOutput, Entered};
use madang_signalling::ertc::Ertc;
use madang_signalling::kurento::Kurento;
use madang_signalling::peers::Peers;
use madang_signalling::spider::Spider;
use madang_signalling::ways::Ways;

use crate::noise::Noise;

const SPIDER: [&str; 4] = [
    r#"{"type":"offer","data":"v=0\r\no=- 1 1 IN IP4 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n"}"#,
    r#"{"type":"candidate2","data":"{\"candidate\":\"candidate:1 1 udp 1 192.0.2.1 9 typ host\"}"}"#,
    r#"{"type":"candidate","data":"candidate:1"}"#,
    r#"{"type":"ping","data":""}"#,
];
const ERTC: [&str; 4] = [
    r#"{"type":"SYS","nick":"Lee","msg":"x","id":"42"}"#,
    r#"{"type":"candidate","label":0,"id":"0","candidate":"candidate:1"}"#,
    r#"{"type":"TXT","msg":"<p>"}"#,
    r#"{"type":"END"}"#,
];
const PEERS: [&str; 4] = [
    r#"["ready","a","b",false]"#,
    r#"["message",{"from":"a","payload":{"a":[1,2,{"b":null}]}}]"#,
    r#"["messageOne",{"target":"a"}]"#,
    r#"["messageOne",null]"#,
];
const KURENTO: [&str; 4] = [
    r#"{"id":1,"jsonrpc":"2.0","method":"create","params":{"type":"MediaPipeline"}}"#,
    r#"{"id":2,"jsonrpc":"2.0","method":"create","params":{"type":"WebRtcEndpoint","constructorParams":{"mediaPipeline":"00000000-0000-4000-8000-000000000003_kurento.MediaPipeline"}}}"#,
    r#"{"id":3,"jsonrpc":"2.0","method":"invoke","params":{"object":"manager_ServerManager","operation":"addTag","operationParams":{"key":"a","value":"b"}}}"#,
    r#"{"id":4,"jsonrpc":"2.0","method":"subscribe","params":{"object":"manager_ServerManager","type":"ObjectCreated"}}"#,
];
/// What a typed member is replaced by.
const WRONG: [&str; 8] = [
    "null",
    "[]",
    "{}",
    "1e400",
    "\"\"",
    "-0",
    "true",
    "\"__proto__\"",
];

#[expect(
    clippy::disallowed_methods,
    reason = "an instant has to come from somewhere; all others are counted from it"
)]
fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: Duration::from_secs(1_795_132_800),
    }
}

struct Counting(u32);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(0);
        let (_, last) = bytes.split_last_chunk_mut().expect("room for it");
        *last = self.0.to_be_bytes();
    }
}

fn doors() -> Vec<(Box<dyn Door>, [&'static str; 4])> {
    let room = "channel=yard&room=yard&vcodec=h264&ice=1";
    vec![
        (
            Box::new(Spider::publisher(room, 1).expect("a query")),
            SPIDER,
        ),
        (
            Box::new(Spider::subscriber(room, 1).expect("a query")),
            SPIDER,
        ),
        (Box::new(Ertc::new(room, 1).expect("a query")), ERTC),
        (Box::new(Peers::new("", room, "s").expect("a query")), PEERS),
        (
            Box::new(Kurento::new(room, Box::new(Counting(0))).expect("a query")),
            KURENTO,
        ),
    ]
}

fn ways() -> Ways {
    Ways {
        relay: None,
        pass: None,
        ttl: Duration::from_secs(60),
    }
}

/// Lets everybody in.
fn drain(door: &mut dyn Door, now: Now) -> usize {
    let room = Arc::new(RoomInfo {
        id: RoomId(7),
        name: RoomName::new("yard"),
        metadata: String::new(),
        created_wall_ms: 0,
        peers_max: None,
        empty_timeout_s: 300,
        departure_timeout_s: 20,
    });
    let mut closes = 0;
    while let Some(output) = door.poll_output() {
        assert_eq!(closes, 0, "{output:?} after the end");
        match output {
            DoorOutput::Enter(place, _) => {
                let entered = Entered {
                    peer: PeerId(1),
                    room: Arc::clone(&room),
                    shards: ShardSet::default(),
                    grant: Grant::everything(),
                    attributes: std::collections::BTreeMap::new(),
                    hides_addresses: true,
                };
                door.handle_entered(now, place, Ok(entered));
            }
            DoorOutput::Request(place, madang_sfu::api::Request::Join(join)) => {
                let state = RoomState {
                    room: Arc::clone(&room),
                    own: Arc::new(join.peer_info(PeerId(1), ShardId(0), now)),
                    others: Vec::new(),
                };
                door.handle_event(now, place, Event::Joined(Box::new(state)));
            }
            DoorOutput::Upload(_) => door.handle_uploaded(now, Ok("a.png".to_owned())),
            DoorOutput::Ways(..) => door.handle_ways(now, &ways()),
            DoorOutput::Close => closes += 1,
            DoorOutput::Frame(_) | DoorOutput::Request(..) | DoorOutput::Quit(_) => {}
        }
    }
    closes
}

#[test]
fn noise_ends_its_own_conversation_at_worst() {
    let now = now();
    for seed in 0..300 {
        for (mut door, good) in doors() {
            let mut noise = Noise(seed);
            let mut closes = drain(door.as_mut(), now);
            for _ in 0..40 {
                let text = good[noise.below(good.len())];
                let frame = match noise.below(4) {
                    0 => Frame::Binary(noise.bytes(40)),
                    1 => Frame::Text(text.to_owned()),
                    2 => Frame::Text(with_wrong_value(&mut noise, text)),
                    _ => {
                        let bytes = noise.bent(text.as_bytes());
                        Frame::Text(String::from_utf8_lossy(&bytes).into_owned())
                    }
                };
                door.handle_frame(now, frame);
                closes += drain(door.as_mut(), now);
                assert!(closes <= 1, "seed {seed}");
            }
        }
    }
}

/// In the place of one value: what stands after a colon or a comma.
fn with_wrong_value(noise: &mut Noise, text: &str) -> String {
    let places: Vec<_> = text
        .match_indices([':', ','])
        .map(|(at, _)| at + 1)
        .collect();
    let at = places[noise.below(places.len())];
    let (before, after) = text.split_at(at);
    let end = after.find([',', '}', ']']).unwrap_or(after.len());
    let wrong = WRONG[noise.below(WRONG.len())];
    format!("{before}{wrong}{}", after.get(end..).unwrap_or(""))
}

#[test]
fn deep_and_long_frames_are_refused() {
    let now = now();
    let deep = "[".repeat(100_000);
    let long = format!(r#"{{"type":"TXT","msg":"{}"}}"#, "a".repeat(300 * 1024));
    for (mut door, _) in doors() {
        drain(door.as_mut(), now);
        for text in [&deep, &long] {
            door.handle_frame(now, Frame::Text(text.clone()));
            while let Some(output) = door.poll_output() {
                let DoorOutput::Frame(Frame::Text(frame)) = &output else {
                    panic!("{output:?}");
                };
                assert!(frame.len() < 200, "{frame}");
            }
        }
    }
}
