//! Runs the transcripts in `tests/transcripts/kurento`; the first of them says how to read them. One conversation speaks for many
//! places here, and makes up ids.

use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{
    Codec, ConnectionKey, Entropy, Event, LeaveReason, MediaKind, PeerInfo, Refusal, RequestKind,
    TrackId,
};

use super::words::SCHEMA;
use super::{Kurento, authority};
use crate::Frame;
use crate::door::{Door as _, EnterError, Place};
use crate::testing::{enter, member, now, said, tell};

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

#[test]
fn what_clients_say() {
    check(include_str!("../../tests/transcripts/kurento/calls.txt"));
}

#[test]
fn a_presenter_and_a_viewer() {
    check(include_str!("../../tests/transcripts/kurento/one2many.txt"));
}

#[test]
fn who_gets_whose_media() {
    check(include_str!(
        "../../tests/transcripts/kurento/connections.txt"
    ));
}

#[test]
fn what_is_refused() {
    check(include_str!("../../tests/transcripts/kurento/faults.txt"));
}

/// Sentences are seen to by `cargo xtask tidy`; these are words.
#[test]
fn every_event_is_in_a_transcript() {
    let all = [
        include_str!("../../tests/transcripts/kurento/calls.txt"),
        include_str!("../../tests/transcripts/kurento/connections.txt"),
    ];
    let (_, manager) = SCHEMA.root;
    let made = SCHEMA.packages.iter().flat_map(|(_, classes)| *classes);
    let events = made.chain([&manager]).flat_map(|class| class.events);
    for (event, _) in events.chain(SCHEMA.events) {
        let word = format!("\"{event}\"");
        assert!(all.iter().any(|text| text.contains(&word)), "{event}");
    }
}

/// Among what is expected: whatever else is said.
const AND_SO_ON: &str = "…";

fn check(transcript: &str) {
    let lines = transcript.lines().map(str::trim).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.map(|(line, at)| (line.strip_prefix('a').unwrap_or(line), at));
    let mut lines = lines.peekable();
    let mut door = None;
    while let Some((line, at)) = lines.next() {
        let mut expected = Vec::new();
        let is_output = |line: &str| line == AND_SO_ON || line.starts_with(['>', '=', '.']);
        while let Some((line, _)) = lines.next_if(|(line, _)| is_output(line)) {
            expected.push(line.replace("$P", PIPELINE));
        }
        let outputs = match line.strip_prefix(": kurento") {
            Some(query) => match begin(query.trim()) {
                Ok(made) => {
                    door = Some(made);
                    Vec::new()
                }
                Err(sentence) => vec![format!(". refused {sentence}")],
            },
            None => {
                let door = door.as_mut().expect("a conversation began");
                let outputs = step(door, line);
                outputs.iter().map(|line| shown(line)).collect()
            }
        };
        assert!(
            fits(&expected, &outputs),
            "line {at}: {line}\n  expected\n    {}\n  but got\n    {}",
            expected.join("\n    "),
            outputs.join("\n    ")
        );
    }
}

fn fits(expected: &[String], said: &[String]) -> bool {
    let Some(gap) = expected.iter().position(|line| line == AND_SO_ON) else {
        return expected == said;
    };
    let (first, last) = (&expected[..gap], &expected[gap + 1..]);
    said.len() > first.len() + last.len() && said.starts_with(first) && said.ends_with(last)
}

fn begin(query: &str) -> Result<Kurento, String> {
    Kurento::new(&stretched(query), Box::new(Counting(0)))
}

/// `{a*300}` → the letter 300 times.
fn stretched(text: &str) -> String {
    let Some((before, rest)) = text.split_once("{a*") else {
        return text.to_owned();
    };
    let (count, after) = rest.split_once('}').expect("it ends");
    let count = count.parse().expect("a number");
    format!("{before}{}{after}", "a".repeat(count))
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
    if let Some(times) = mark.strip_prefix('<') {
        let times: u32 = times.parse().unwrap_or(1);
        for n in 1..=times {
            let text = filled(&stretched(rest)).replace("{n}", &n.to_string());
            door.handle_frame(now(), Frame::Text(text));
        }
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
                "mesh" => EnterError::Mesh,
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
        "flowing" => Event::Flowing {
            track: TrackId(words[0].parse().expect("a number")),
            flowing: words[1] == "yes",
        },
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
fn what_nobody_can_read_and_nobody_may_do_is_counted() {
    let mut door = begin("").expect("a door");
    let unreadable = r#"{"error":{"code":-32700,"data":{"type":"PARSE_ERROR"},"message":"Parse error."},"id":null,"jsonrpc":"2.0"}"#;
    for frame in [
        Frame::Binary(vec![1, 2, 3]),
        Frame::Text("\u{feff}{}".to_owned()),
    ] {
        door.handle_frame(now(), frame);
        assert_eq!(said(&mut door), [unreadable]);
    }
    for line in [
        r#"< {"id":0,"jsonrpc":"2.0","method":"create","params":{"type":"MediaPipeline"}}"#,
        r#"< {"id":1,"jsonrpc":"2.0","method":"create","params":{"type":"WebRtcEndpoint","constructorParams":{"mediaPipeline":"$P"}}}"#,
        "! not-entered 0 forbidden",
    ] {
        step(&mut door, line);
    }
    let dropped = door.dropped();
    assert_eq!((dropped.malformed, dropped.refused), (2, 1));
}
