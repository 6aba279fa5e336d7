//! Transcripts: `<` the client says, `!` the core does; what follows as `>` is said to the client, as `=` asked of the core.
//! `$1` is the first id that was made up, and so on: `$1` the session's, `$2` the server's.

use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{
    Codec, ConnectionKey, Entropy, Event, LeaveReason, MediaKind, PeerInfo, Refusal, RequestKind,
    TrackId,
};

use super::{Kurento, authority};
use crate::Frame;
use crate::door::{Door as _, EnterError, Place};
use crate::testing::{enter, member, now, said, tell};

mod calls;
mod connections;
mod faults;

const ANSWER: &str = "v=0\r\nm=audio 9 x\r\na=mid:a\r\na=candidate:1 1 udp 1 127.0.0.1 7882 typ host\r\na=end-of-candidates\r\nm=video 9 x\r\na=mid:b\r\n";
/// What the objects of most transcripts are called.
const PIPELINE: &str = "$3_kurento.MediaPipeline";

struct Counting(u32);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.fill(0);
        let (_, last) = bytes.split_last_chunk_mut().expect("room for it");
        *last = self.0.to_be_bytes();
    }
}

fn door(query: &str) -> Kurento {
    Kurento::new(query, Box::new(Counting(0))).expect("a door")
}

/// `$17` for the seventeenth id, and back.
fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn filled(text: &str) -> String {
    let text = text.replace("$P", PIPELINE);
    (1..100).rev().fold(text, |text, number| {
        text.replace(&format!("${number}"), &id(number))
    })
}

fn named(text: &str) -> String {
    (1..100).fold(text.to_owned(), |text, number| {
        text.replace(&id(number), &format!("${number}"))
    })
}

fn check(door: &mut Kurento, transcript: &str) {
    let mut lines = transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .peekable();
    while let Some(line) = lines.next() {
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(['>', '='])) {
            expected.push(line.replace("$P", PIPELINE));
        }
        let outputs: Vec<String> = step(door, line).iter().map(|line| shown(line)).collect();
        assert_eq!(outputs, expected, "{line}");
    }
}

fn shown(output: &str) -> String {
    let output = named(output);
    let mark = if output.starts_with('{') { '>' } else { '=' };
    // Of the time only that it is there.
    let output = output.replace(
        "\"timestampMillis\":\"1700000000000\"",
        "\"timestampMillis\":\"…\"",
    );
    format!("{mark} {output}")
}

fn step(door: &mut Kurento, line: &str) -> Vec<String> {
    let (mark, rest) = line.split_once(' ').expect("a mark");
    if mark == "<" {
        door.handle_frame(now(), Frame::Text(filled(rest)));
        return said(door);
    }
    assert_eq!(mark, "!", "{line}");
    let words: Vec<&str> = rest.split(' ').collect();
    let place = words[1].parse().expect("a place");
    match words[0] {
        "entered" => enter(door, place, "own", vec![]),
        "not-entered" => {
            let error = match words[2] {
                "full" => EnterError::ServerFull,
                _ => EnterError::NotAllowed,
            };
            door.handle_entered(now(), Place(place), Err(error));
            said(door)
        }
        event => tell(door, place, core_event(event, &words[2..])),
    }
}

fn core_event(name: &str, words: &[&str]) -> Event {
    let connection = ConnectionKey(0);
    match name {
        "answer" => Event::Answer {
            connection,
            sdp: ANSWER.to_owned(),
            number: 0,
            sections: Vec::new(),
        },
        "refused" => {
            let (request, refusal) = match words[0] {
                "offer" => (
                    RequestKind::Offer {
                        connection,
                        number: 0,
                    },
                    Refusal::Sdp("no media".to_owned()),
                ),
                "open" => (
                    RequestKind::Open(connection),
                    Refusal::Limit("connections of this server"),
                ),
                "join" => (RequestKind::Join, Refusal::State("joined")),
                "codec" => (RequestKind::Subscribe(TrackId(7)), Refusal::Codec),
                "late" => (
                    RequestKind::Subscribe(TrackId(7)),
                    Refusal::NotFound("track"),
                ),
                other => panic!("{other} is not refused"),
            };
            Event::Refused { request, refusal }
        }
        "own" => Event::PeerUpdated(publisher(99, words)),
        "other" => Event::PeerUpdated(publisher(98, words)),
        "connected" => Event::Connected { connection },
        "disconnected" => Event::Disconnected { connection },
        "channel" => Event::ChannelOpen {
            label: Arc::from(words[0]),
        },
        "data" => Event::DataReceived {
            label: Arc::from(words[0]),
            payload: Bytes::from(words[1].to_owned()),
            binary: false,
        },
        "closed" => Event::Closed {
            reason: match words[0] {
                "lost" => LeaveReason::ConnectionLost,
                _ => LeaveReason::Own,
            },
        },
        other => panic!("{other} does not happen"),
    }
}

/// Tracks as `7v` and `8a`.
fn publisher(number: u64, tracks: &[&str]) -> Arc<PeerInfo> {
    let mut info = Arc::unwrap_or_clone(member(number, "own", &[]));
    for track in tracks {
        let (id, kind) = track.split_at(track.len() - 1);
        let sample = member(number, "own", &[id.parse().expect("a number")]);
        let mut publication = Arc::unwrap_or_clone(Arc::clone(&sample.publications[0]));
        if kind == "a" {
            publication.kind = MediaKind::Audio;
            publication.codec = Some(Codec::Opus);
        }
        info.publications.push(Arc::new(publication));
    }
    Arc::new(info)
}

/// A pipeline with so many endpoints: the first is `$P/$4_kurento.WebRtcEndpoint`.
fn with_endpoints(query: &str, count: u32, parameters: &str) -> Kurento {
    let mut door = door(query);
    step(
        &mut door,
        r#"< {"id":0,"jsonrpc":"2.0","method":"create","params":{"type":"MediaPipeline"}}"#,
    );
    for place in 0..count {
        let line = format!(
            r#"< {{"id":1,"jsonrpc":"2.0","method":"create","params":{{"type":"WebRtcEndpoint","constructorParams":{{"mediaPipeline":"$P"{parameters}}}}}}}"#
        );
        step(&mut door, &line);
        step(&mut door, &format!("! entered {place}"));
    }
    door
}

/// Both ends of an endpoint agreed; its client sends these.
fn negotiated(door: &mut Kurento, place: u32, tracks: &str) {
    let endpoint = format!("$P/${}_kurento.WebRtcEndpoint", place + 4);
    let line = format!(
        r#"< {{"id":2,"jsonrpc":"2.0","method":"invoke","params":{{"object":"{endpoint}","operation":"processOffer","operationParams":{{"offer":"OFFER"}}}}}}"#
    );
    step(door, &line);
    if !tracks.is_empty() {
        step(door, &format!("! own {place} {tracks}"));
    }
    step(door, &format!("! answer {place}"));
}

#[test]
fn pipelines_are_entered_by_the_right_to_one_room() {
    let own = format!("kurento/{}", id(7));
    assert_eq!(authority(&own), "kurento");
    for other in [
        "kurento",
        "yard",
        "kurento/",
        "kurento/yard",
        "kurentoo/00000000-0000-4000-8000-000000000001",
        "kurento/00000000-0000-4000-8000-00000000000g",
        "kurento/00000000-0000-4000-8000-0000000000010",
    ] {
        assert_eq!(authority(other), other);
    }
}

#[test]
fn a_room_has_a_name_of_bounded_length() {
    let entropy = || Box::new(Counting(0));
    assert!(Kurento::new(&format!("room={}", "r".repeat(256)), entropy()).is_ok());
    let refused = Kurento::new(&format!("room={}", "r".repeat(257)), entropy());
    assert_eq!(refused.err().as_deref(), Some("room: at most 256 bytes"));
}
