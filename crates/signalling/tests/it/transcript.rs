//! Runs a transcript: what goes in is done, what comes out must be what stands there, in that order, and nothing else.
//!
//! ```text
//! a: v0 protocol=17 sdk=js      a session begins (words: the query's, `token …` for rights)
//! a! joined bob                 the core says something
//! a< {"ping":"5"}               the client says something (protojson)
//! a<< …                         the same as a text frame
//! a> {"pong":"…"}               the client is told something; {…, "...": 1}: at least this
//! a= leave                      the core is asked for something
//! a. close                      the carrier is closed; `token`: one is wanted; `end`
//! a~                            the carrier is lost
//! a~ v0 reconnect=1 …           the session is resumed
//! +30000                        milliseconds pass, and timers with them
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use livekit_protocol as proto;
use madang_sfu::api::{
    Codec, ConnectionKey, DataForm, Event, LayerWish, PeerId, Publish, Quality, QualityReport,
    Refusal, Request, RequestKind, RoomState, ShardSet, Speaker,
};
use madang_signalling::livekit::{
    Claims, Entry, Limits, LiveKit, ServerInfo, Setup, admit, parse_v0_query, parse_v1,
};
use madang_signalling::{Dialect, Frame, Output};
use prost::Message as _;
use serde_json::Value;

use crate::world::{World, announced, reason, said};

pub(crate) fn check(transcript: &str) {
    let mut runner = Runner {
        world: World::new(),
        sessions: BTreeMap::new(),
        asked: BTreeMap::new(),
    };
    let mut expected: Vec<(usize, &str)> = Vec::new();
    let mut input: Option<(usize, &str)> = None;
    let lines = transcript
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim()));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        if line
            .get(1..2)
            .is_some_and(|mark| matches!(mark, ">" | "=" | "."))
        {
            expected.push((number, line));
            continue;
        }
        if let Some((at, line)) = input.replace((number, line)) {
            runner.step(at, line, &expected);
        }
        expected.clear();
    }
    let (at, line) = input.expect("a transcript has a line");
    runner.step(at, line, &expected);
}

struct Runner {
    world: World,
    sessions: BTreeMap<String, LiveKit>,
    /// Publications that sessions asked for, by client id.
    asked: BTreeMap<String, Publish>,
}

impl Runner {
    fn step(&mut self, at: usize, line: &str, expected: &[(usize, &str)]) {
        self.input(at, line);
        let mut outputs = Vec::new();
        for (name, session) in &mut self.sessions {
            while let Some(output) = session.poll_output() {
                match &output {
                    Output::Request(Request::Publish(publish)) => {
                        let publish = Publish::clone(publish);
                        self.asked.insert(publish.client_id.clone(), publish);
                    }
                    Output::Request(Request::Join(join)) => self.world.entered(name, join),
                    Output::Request(_)
                    | Output::Frame(_)
                    | Output::TokenWanted(_)
                    | Output::CloseCarrier
                    | Output::End => {}
                }
                outputs.push(line_of(name, output));
            }
        }
        let outputs: Vec<_> = outputs.iter().map(|line| self.world.named(line)).collect();
        for (place, output) in outputs.iter().enumerate() {
            let Some((number, wanted)) = expected.get(place) else {
                panic!(
                    "line {at}: {line}\n  nothing more was expected, but:\n{}",
                    rest(&outputs, place)
                );
            };
            assert!(
                matches(wanted, output),
                "line {number}:\n  expected {wanted}\n  but      {output}\n  and then\n{}",
                rest(&outputs, place + 1)
            );
        }
        if let Some((number, missing)) = expected.get(outputs.len()) {
            panic!("line {number}: expected after line {at}, but nothing came: {missing}");
        }
    }

    fn input(&mut self, at: usize, line: &str) {
        if let Some(ms) = line.strip_prefix('+') {
            self.wait(Duration::from_millis(ms.parse().expect("milliseconds")));
            return;
        }
        let name = line.get(0..1).expect("a session's name").to_owned();
        let mark = line.get(1..2).expect("a mark");
        let rest = line.get(2..).unwrap_or("").trim();
        let now = self.world.now();
        match mark {
            ":" => self.begin(name, rest),
            "!" => {
                let event = self.event(at, &name, rest);
                self.session(&name).handle_event(now, event);
            }
            "<" => {
                let frame = self.frame(rest);
                self.session(&name).handle_frame(now, frame);
            }
            "~" if rest.is_empty() => self.session(&name).handle_carrier_lost(now),
            "~" => {
                let (entry, claims) = self.entry(&name, rest);
                self.session(&name).resume(now, entry, &claims);
            }
            _ => panic!("line {at}: {line} is not understood"),
        }
    }

    fn session(&mut self, name: &str) -> &mut LiveKit {
        self.sessions.get_mut(name).expect("the session has begun")
    }

    /// As the server does it: timers one by one, each at its time.
    fn wait(&mut self, time: Duration) {
        let end = self.world.elapsed() + time;
        loop {
            let timers = self.sessions.values().filter_map(Dialect::poll_timeout);
            let due = timers.map(|at| self.world.time_of(at)).min();
            let Some(due) = due.filter(|due| *due <= end) else {
                break;
            };
            let step = due.saturating_sub(self.world.elapsed());
            self.world.pass(step);
            let now = self.world.now();
            for session in self.sessions.values_mut() {
                session.handle_timeout(now);
            }
        }
        let left = end.saturating_sub(self.world.elapsed());
        self.world.pass(left);
    }

    fn frame(&self, text: &str) -> Frame {
        if let Some(json) = text.strip_prefix('<') {
            return Frame::Text(self.world.filled(json.trim()));
        }
        if let Some(hex) = text.strip_prefix("hex") {
            return Frame::Binary(bytes_of(hex.trim()));
        }
        let json = self.world.filled(text);
        let request: proto::SignalRequest = serde_json::from_str(&json).expect("a request");
        Frame::Binary(request.encode_to_vec())
    }

    fn begin(&mut self, name: String, words: &str) {
        let (entry, claims) = self.entry(&name, words);
        let setup = Setup {
            entry,
            claims,
            peer: World::peer_id(&name),
            room: self.world.room.clone(),
            shards: ShardSet::default(),
            server: ServerInfo {
                node_id: "node".to_owned(),
                ..ServerInfo::default()
            },
            ice_servers: Vec::new(),
            limits: Limits {
                pending_tracks_max: 3,
                ..Limits::default()
            },
        };
        let session = LiveKit::new(self.world.now(), setup);
        self.sessions.insert(name, session);
    }

    /// `v0 protocol=17 … token hidden …` or `v1 {"clientInfo":…} token …`.
    fn entry(&mut self, name: &str, words: &str) -> (Entry, Claims) {
        self.world.peer(name);
        let (query, token) = words.split_once(" token ").unwrap_or((words, ""));
        let mut claims = Claims::join("yard", name);
        let video = claims.video.as_mut().expect("made with it");
        for word in token.split_whitespace() {
            match word {
                "hidden" => video.hidden = true,
                "no-publish" => video.can_publish = Some(false),
                "no-subscribe" => video.can_subscribe = Some(false),
                "no-data" => video.can_publish_data = Some(false),
                "updates" => video.can_update_own_metadata = Some(true),
                "agent" => video.agent = true,
                other => panic!("{other} is no right"),
            }
        }
        let entry = match query.split_once(' ').unwrap_or((query, "")) {
            ("v0", words) => parse_v0_query(&self.world.filled(words).replace(' ', "&")),
            ("v1", json) => {
                let json = self.world.filled(json);
                let request: proto::JoinRequest =
                    serde_json::from_str(&json).expect("a join request");
                let wrapped = proto::WrappedJoinRequest {
                    compression: 0,
                    join_request: request.encode_to_vec(),
                };
                let engine = base64::engine::general_purpose::URL_SAFE;
                parse_v1(&engine.encode(wrapped.encode_to_vec()))
            }
            _ => panic!("{words}: neither v0 nor v1"),
        };
        admit(claims, entry).expect("may join")
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn event(&mut self, at: usize, name: &str, text: &str) -> Event {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (verb, words) = words.split_first().expect("a verb");
        let world = &mut self.world;
        match (*verb, words) {
            ("joined", others) => {
                let own = world.info(name);
                let others: Vec<_> = others
                    .iter()
                    .map(|other| {
                        let (other, change) = other.split_once(':').unwrap_or((other, ""));
                        world.change(
                            other,
                            change.split_whitespace().collect::<Vec<_>>().as_slice(),
                        );
                        world.info(other)
                    })
                    .collect();
                Event::Joined(Box::new(RoomState {
                    room: world.room.clone(),
                    own,
                    others,
                }))
            }
            ("room", [metadata]) => {
                Arc::make_mut(&mut world.room).metadata = (*metadata).to_owned();
                Event::RoomUpdated(world.room.clone())
            }
            ("peer-joined", [peer, changes @ ..]) => {
                world.change(peer, changes);
                Event::PeerJoined(world.info(peer))
            }
            ("peer-updated", [peer, changes @ ..]) => {
                world.peer(peer).version += 1;
                world.change(peer, changes);
                Event::PeerUpdated(world.info(peer))
            }
            ("peer-left", [peer, why]) => {
                world.change(peer, &["gone"]);
                world.peer(peer).version += 1;
                Event::PeerLeft {
                    peer: world.info(peer),
                    reason: reason(why),
                }
            }
            ("published", [peer, track]) => Event::Published {
                track: world.track(track),
                peer: world.info(peer),
            },
            ("unpublished", [peer, track]) => Event::Unpublished {
                track: world.track(track),
                peer: world.info(peer),
            },
            ("announced", [track]) => {
                let id = world.track(track);
                let publish = self.asked.get(*track).expect("was asked for");
                Event::Announced {
                    publication: Arc::new(announced(id, publish)),
                }
            }
            ("own-unpublished", [track]) => Event::OwnUnpublished {
                track: world.track(track),
            },
            ("offer", [key, number, sdp, sections @ ..]) => Event::Offer {
                connection: connection(key),
                sdp: (*sdp).to_owned(),
                number: number.parse().expect("a number"),
                sections: sections_of(world, sections),
            },
            ("answer", [key, number, sdp, sections @ ..]) => Event::Answer {
                connection: connection(key),
                sdp: (*sdp).to_owned(),
                number: number.parse().expect("a number"),
                sections: sections_of(world, sections),
            },
            ("sections", [audio, video]) => Event::SectionsWanted {
                connection: ConnectionKey(0),
                audio: audio.parse().expect("a number"),
                video: video.parse().expect("a number"),
            },
            ("connected", [key]) => Event::Connected {
                connection: connection(key),
            },
            ("disconnected", [key]) => Event::Disconnected {
                connection: connection(key),
            },
            ("subscribed", [track]) => Event::Subscribed {
                track: world.track(track),
            },
            ("unsubscribed", [track]) => Event::Unsubscribed {
                track: world.track(track),
            },
            ("watched", [track]) => Event::Watched {
                track: world.track(track),
            },
            ("allowed", [peer, track, allowed]) => Event::Allowed {
                publisher: World::peer_id(peer),
                track: world.track(track),
                allowed: *allowed == "yes",
            },
            ("speakers", speakers) => {
                Event::Speakers(speakers.iter().map(|s| speaker(s)).collect())
            }
            ("quality", reports) => Event::Quality(reports.iter().map(|r| report(r)).collect()),
            ("layers", [track, wishes @ ..]) => Event::LayersWanted {
                track: world.track(track),
                codec: Some(Codec::Vp8),
                wishes: wishes.iter().map(|w| wish(w)).collect(),
            },
            ("streaming", [peer, track, active]) => Event::Streaming {
                publisher: World::peer_id(peer),
                track: world.track(track),
                active: *active == "yes",
            },
            ("channel-open", [label]) => Event::ChannelOpen {
                label: Arc::from(*label),
            },
            ("data-received", [label, ..]) => Event::DataReceived {
                label: Arc::from(*label),
                payload: self.payload(label, text),
                binary: true,
            },
            ("data", [peer, form, label, ..]) => Event::Data {
                from: World::peer_id(peer),
                identity: world.info(peer).identity.clone(),
                label: Arc::from(*label),
                reliable: *label != "_data_track",
                binary: true,
                form: DataForm(form.parse().expect("a number")),
                payload: self.payload(label, text),
                plain: None,
            },
            ("mute-asked", [track, muted]) => Event::MuteAsked {
                track: world.track(track),
                muted: *muted == "yes",
            },
            ("refused", [request, about, why]) => Event::Refused {
                request: self.refused(request, about),
                refusal: match *why {
                    "not-allowed" => Refusal::NotAllowed,
                    "not-found" => Refusal::NotFound("track"),
                    "sdp" => Refusal::Sdp("not SDP".to_owned()),
                    "limit" => Refusal::Limit("tracks"),
                    "codec" => Refusal::Codec,
                    other => panic!("line {at}: {other} is no refusal"),
                },
            },
            ("closed", [why]) => Event::Closed {
                reason: reason(why),
            },
            _ => panic!("line {at}: {text} is no event"),
        }
    }

    fn refused(&mut self, request: &str, about: &str) -> RequestKind {
        let connection = ConnectionKey(0);
        match request {
            "join" => RequestKind::Join,
            "offer" => RequestKind::Offer {
                connection,
                number: 1,
            },
            "answer" => RequestKind::Answer {
                connection,
                number: 1,
            },
            "publish" => RequestKind::Publish {
                client_id: about.to_owned(),
            },
            "mute" => RequestKind::Mute(self.world.track(about)),
            "subscribe" => RequestKind::Subscribe(self.world.track(about)),
            "prefer" => RequestKind::Prefer(self.world.track(about)),
            "update" => RequestKind::Update,
            other => panic!("{other} is no request"),
        }
    }

    /// A packet in JSON, `raw …` for text as it is, or a frame in hexadecimal digits.
    fn payload(&mut self, label: &str, text: &str) -> Bytes {
        if let Some((_, json)) = text.split_once('{') {
            let json = self.world.filled(&format!("{{{json}"));
            let packet: proto::DataPacket = serde_json::from_str(&json).expect("a packet");
            return Bytes::from(packet.encode_to_vec());
        }
        if let Some((_, raw)) = text.split_once(" raw ") {
            return Bytes::from(raw.to_owned().into_bytes());
        }
        let hex = text.rsplit(' ').next().expect("a payload");
        assert_ne!(hex, label, "a payload is missing");
        Bytes::from(bytes_of(hex))
    }
}

fn line_of(name: &str, output: Output) -> String {
    match output {
        Output::Frame(Frame::Binary(bytes)) => {
            let response = proto::SignalResponse::decode(bytes.as_slice()).expect("ours");
            let json = serde_json::to_value(&response).expect("has a JSON form");
            format!("{name}> {json}")
        }
        Output::Frame(Frame::Text(text)) => format!("{name}>> {text}"),
        Output::Request(request) => format!("{name}= {}", said(&request)),
        Output::TokenWanted(claims) => format!("{name}. token {}", claims.name)
            .trim_end()
            .to_owned(),
        Output::CloseCarrier => format!("{name}. close"),
        Output::End => format!("{name}. end"),
    }
}

fn connection(key: &str) -> ConnectionKey {
    ConnectionKey(key.parse().expect("a number"))
}

fn sections_of(world: &mut World, sections: &[&str]) -> Vec<(String, madang_sfu::api::TrackId)> {
    let pairs = sections
        .iter()
        .map(|section| section.split_once('=').expect("mid=track"));
    pairs
        .map(|(mid, track)| (mid.to_owned(), world.track(track)))
        .collect()
}

fn speaker(text: &str) -> Speaker {
    let (peer, level) = text.split_once('=').expect("peer=level");
    let level: f32 = level.parse().expect("a level");
    Speaker {
        peer: World::peer_id(peer),
        level,
        active: level > 0.0,
    }
}

fn report(text: &str) -> QualityReport {
    let (peer, quality) = text.split_once('=').expect("peer=quality");
    QualityReport {
        peer: PeerId(World::peer_id(peer).0),
        quality: match quality {
            "lost" => Quality::Lost,
            "poor" => Quality::Poor,
            "good" => Quality::Good,
            _ => Quality::Excellent,
        },
        score: 4.5,
    }
}

fn wish(text: &str) -> LayerWish {
    LayerWish {
        quality: text.trim_matches(['+', '-']).parse().expect("a quality"),
        wanted: text.starts_with('+'),
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().collect();
    digits
        .chunks(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(text, 16).expect("digits")
        })
        .collect()
}

/// JSON by its content (and only partly, if it says so), everything else by its text.
fn matches(wanted: &str, output: &str) -> bool {
    let (Some((wanted_mark, wanted)), Some((mark, output))) =
        (wanted.split_once(' '), output.split_once(' '))
    else {
        return wanted == output;
    };
    if wanted_mark != mark {
        return false;
    }
    // Names stand in braces as JSON does, but without quotes.
    let (before, wanted) = wanted.split_at(json_at(wanted));
    let (output_before, output) = output.split_at(json_at(output));
    let parsed = (
        serde_json::from_str::<Value>(wanted),
        serde_json::from_str::<Value>(output),
    );
    match parsed {
        (Ok(wanted), Ok(output)) => before == output_before && contains(&output, &wanted),
        _ => before == output_before && wanted == output,
    }
}

fn json_at(text: &str) -> usize {
    let object = text.find("{\"").or_else(|| text.find("{}"));
    object.unwrap_or(text.len())
}

fn contains(is: &Value, wanted: &Value) -> bool {
    match (is, wanted) {
        (Value::Object(is), Value::Object(wanted)) => {
            let partly = wanted.contains_key("...");
            let mut named = wanted.iter().filter(|(key, _)| *key != "...");
            let all = is.keys().all(|key| wanted.contains_key(key));
            (partly || all)
                && named.all(|(key, wanted)| is.get(key).is_some_and(|is| contains(is, wanted)))
        }
        (Value::Array(is), Value::Array(wanted)) => {
            is.len() == wanted.len()
                && is
                    .iter()
                    .zip(wanted)
                    .all(|(is, wanted)| contains(is, wanted))
        }
        // Levels are of single precision.
        (Value::Number(is), Value::Number(wanted)) => {
            let number = |n: &serde_json::Number| n.as_f64().expect("a number");
            (number(is) - number(wanted)).abs() < 1e-6
        }
        (is, wanted) => is == wanted,
    }
}

fn rest(outputs: &[String], from: usize) -> String {
    let lines = outputs
        .iter()
        .skip(from)
        .map(|line| format!("    {line}\n"));
    lines.collect()
}
