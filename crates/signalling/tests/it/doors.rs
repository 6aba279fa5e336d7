//! Runs the transcripts of the doors for older programs.
//!
//! ```text
//! a: spider-pub channel=yard    a conversation begins (words: the query's)
//! a! joined bob                 the server or the core says something
//! a< {"type":"ping"}            the client says something; `a<< 00ff`: bytes; `a<32 x`: 32 times, `{n}` is which
//! a> {"type":"pong","data":""}  the client is told exactly this; `…` alone: and so on
//! a= enter yard publisher …     the server or the core is asked for something
//! a. close                      the carrier is closed; `a. refused …`: it was never opened
//! +30000                        milliseconds pass, and timers with them
//! ```
//!
//! `{a*300}` is that letter 300 times. Descriptions are written with `|` for the end of a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, DataForm, Event, Grant, Identity, PlainData, Recipients, Refusal, Request,
    RequestKind, RoomState, ShardSet,
};
use madang_signalling::Frame;
use madang_signalling::door::{Door, DoorOutput, EnterError, Entered, Place, UploadError};
use madang_signalling::ertc::Ertc;
use madang_signalling::many::Many;
use madang_signalling::one2many::One2Many;
use madang_signalling::peers::Peers;
use madang_signalling::spider::Spider;
use madang_signalling::ways::{RelayAccess, Ways};

use crate::world::{World, reason};

pub(crate) fn check(transcript: &str) {
    let mut runner = Runner {
        world: World::new(),
        doors: BTreeMap::new(),
        places: BTreeMap::new(),
        refused: Vec::new(),
    };
    let mut expected: Vec<(usize, &str)> = Vec::new();
    let mut input: Option<(usize, &str)> = None;
    let lines = transcript.lines().map(str::trim).enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let mark = line.get(1..2).unwrap_or("");
        if line == AND_SO_ON || matches!(mark, ">" | "=" | ".") {
            expected.push((at + 1, line));
            continue;
        }
        if let Some((at, line)) = input.replace((at + 1, line)) {
            runner.step(at, line, &expected);
        }
        expected.clear();
    }
    let (at, line) = input.expect("a transcript has a line");
    runner.step(at, line, &expected);
}

/// Among what is expected: whatever else is said.
const AND_SO_ON: &str = "…";

struct Runner {
    world: World,
    doors: BTreeMap<String, Box<dyn Door>>,
    /// The latest that each conversation asked for.
    places: BTreeMap<String, Place>,
    refused: Vec<String>,
}

impl Runner {
    fn step(&mut self, at: usize, line: &str, expected: &[(usize, &str)]) {
        self.input(at, line);
        let mut outputs = std::mem::take(&mut self.refused);
        for (name, door) in &mut self.doors {
            while let Some(output) = door.poll_output() {
                if let DoorOutput::Enter(place, _) = &output {
                    self.places.insert(name.clone(), *place);
                }
                if let DoorOutput::Request(_, Request::Join(join)) = &output {
                    self.world.entered(name, join);
                    self.world.peer(name).identity = join.identity.clone();
                }
                outputs.push(line_of(name, &output));
            }
        }
        let outputs: Vec<_> = outputs.iter().map(|line| self.world.named(line)).collect();
        let wanted: Vec<_> = expected.iter().map(|(_, line)| *line).collect();
        let shown = |lines: &[&str]| lines.join("\n    ");
        let outputs: Vec<_> = outputs.iter().map(String::as_str).collect();
        assert!(
            fits(&wanted, &outputs),
            "line {at}: {line}\n  expected\n    {}\n  but got\n    {}",
            shown(&wanted),
            shown(&outputs)
        );
    }

    fn input(&mut self, at: usize, line: &str) {
        if let Some(ms) = line.strip_prefix('+') {
            self.wait(Duration::from_millis(ms.parse().expect("milliseconds")));
            return;
        }
        let name = line.get(0..1).expect("a conversation's name").to_owned();
        let rest = line.get(2..).unwrap_or("").trim();
        let now = self.world.now();
        match line.get(1..2) {
            // A new conversation of that name: the old one is over.
            Some(":") => self.begin(name, rest),
            Some("!") => self.event(at, &name, rest),
            Some("<") => {
                if let Some(hex) = rest.strip_prefix('<') {
                    let frame = Frame::Binary(bytes_of(hex.trim()));
                    self.door(&name).handle_frame(now, frame);
                    return;
                }
                let (times, text) = times(rest);
                let text = stretched(&self.world.filled(text));
                for time in 1..=times {
                    let text = text.replace("{n}", &time.to_string());
                    self.door(&name).handle_frame(now, Frame::Text(text));
                }
            }
            _ => panic!("line {at}: {line} is not understood"),
        }
    }

    fn door(&mut self, name: &str) -> &mut Box<dyn Door> {
        self.doors.get_mut(name).expect("the conversation began")
    }

    fn wait(&mut self, time: Duration) {
        let end = self.world.elapsed() + time;
        loop {
            let timers = self.doors.values().filter_map(|door| door.poll_timeout());
            let due = timers.map(|at| self.world.time_of(at)).min();
            let Some(due) = due.filter(|due| *due <= end) else {
                break;
            };
            self.world.pass(due.saturating_sub(self.world.elapsed()));
            let now = self.world.now();
            for door in self.doors.values_mut() {
                door.handle_timeout(now);
            }
        }
        self.world.pass(end.saturating_sub(self.world.elapsed()));
    }

    fn begin(&mut self, name: String, words: &str) {
        let words = &stretched(words);
        let (kind, query) = words.split_once(' ').unwrap_or((words, ""));
        // Of its own, so that nobody is somebody else.
        let seed = name.bytes().next().map_or(0, u64::from);
        let door: Result<Box<dyn Door>, String> = match kind {
            "spider-pub" => Spider::publisher(query, seed).map(|door| Box::new(door) as _),
            "spider-sub" => Spider::subscriber(query, seed).map(|door| Box::new(door) as _),
            "ertc" => Ertc::new(query, seed).map(|door| Box::new(door) as _),
            "peers" => {
                Peers::new(query, "", &format!("socket-of-{name}")).map(|door| Box::new(door) as _)
            }
            "many" => Ok(Box::new(Many::new(&format!("socket-of-{name}"), None)) as _),
            "one2many" => One2Many::node(query, seed).map(|door| Box::new(door) as _),
            "call" => One2Many::java(query, seed).map(|door| Box::new(door) as _),
            other => panic!("{other} is no door"),
        };
        match door {
            Ok(door) => drop(self.doors.insert(name, door)),
            Err(sentence) => self.refused.push(format!("{name}. refused {sentence}")),
        }
    }

    fn event(&mut self, at: usize, name: &str, text: &str) {
        let now = self.world.now();
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let place = self.places.get(name).copied().unwrap_or(Place(0));
        match verb {
            "entered" => {
                let words = rest.split_whitespace();
                let attributes = words.filter_map(|word| {
                    let (key, value) = word.strip_prefix('@')?.split_once('=')?;
                    Some((key.to_owned(), value.to_owned()))
                });
                let entered = Entered {
                    peer: World::peer_id(name),
                    room: self.world.room.clone(),
                    shards: ShardSet::default(),
                    grant: Grant {
                        publish: rest != "no-publish",
                        subscribe: rest != "no-subscribe",
                        publish_data: rest != "no-data",
                        ..Grant::everything()
                    },
                    attributes: attributes.collect(),
                    hides_addresses: rest == "hides-addresses",
                };
                self.world.peer(name);
                self.door(name).handle_entered(now, place, Ok(entered));
            }
            "not-entered" => {
                let error = enter_error(rest);
                self.door(name).handle_entered(now, place, Err(error));
            }
            "ways" => {
                let of = |kind| rest.split_whitespace().any(|word| word == kind);
                let relay = of("relay").then(|| RelayAccess {
                    urls: vec!["turn:203.0.113.1:7882?transport=udp".to_owned()],
                    username: "1:PA_1".to_owned(),
                    credential: "secret".to_owned(),
                });
                let ways = Ways {
                    relay,
                    pass: of("pass").then(|| "TOKEN".to_owned()),
                    ttl: Duration::from_secs(3_600),
                };
                self.door(name).handle_ways(now, &ways);
            }
            "uploaded" => self.door(name).handle_uploaded(now, Ok(rest.to_owned())),
            "not-uploaded" => {
                let error = match rest {
                    "too-large" => UploadError::TooLarge,
                    "kind" => UploadError::Kind,
                    _ => UploadError::Full,
                };
                self.door(name).handle_uploaded(now, Err(error));
            }
            _ => {
                let event = self.core_event(at, name, verb, rest);
                self.door(name).handle_event(now, place, event);
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn core_event(&mut self, at: usize, name: &str, verb: &str, rest: &str) -> Event {
        let world = &mut self.world;
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (verb, words.as_slice()) {
            ("joined", [crowd]) if crowd.contains('*') => {
                let (name, count) = crowd.split_once('*').expect("a name and a number");
                let count: u32 = count.parse().expect("a number");
                let others: Vec<_> = (1..=count).map(|n| format!("{name}{n}")).collect();
                for other in &others {
                    world.peer(other).identity = Identity::new(other);
                }
                let others: Vec<_> = others.iter().map(String::as_str).collect();
                Event::Joined(Box::new(RoomState {
                    room: world.room.clone(),
                    own: world.info(name),
                    others: world.infos(&others),
                }))
            }
            ("joined", others) => Event::Joined(Box::new(RoomState {
                room: world.room.clone(),
                own: world.info(name),
                others: world.infos(others),
            })),
            ("peer-joined", [peer, changes @ ..]) => {
                world.change(peer, changes);
                Event::PeerJoined(world.info(peer))
            }
            ("peer-updated", [peer, changes @ ..]) => {
                world.change(peer, changes);
                Event::PeerUpdated(world.info(peer))
            }
            ("peer-left", [peer, why]) => Event::PeerLeft {
                peer: world.info(peer),
                reason: reason(why),
            },
            ("published", [peer, track]) => {
                world.change(peer, &[&format!("+{track}")]);
                let alias = track.split(':').next().expect("a name");
                Event::Published {
                    track: world.track(alias),
                    peer: world.info(peer),
                }
            }
            ("unpublished", [peer, track]) => {
                world.change(peer, &[&format!("-{track}")]);
                Event::Unpublished {
                    track: world.track(track),
                    peer: world.info(peer),
                }
            }
            ("answer", [key, number, ..]) => Event::Answer {
                connection: connection(key),
                sdp: rest
                    .splitn(3, ' ')
                    .nth(2)
                    .unwrap_or("")
                    .replace('|', "\r\n"),
                number: number.parse().expect("a number"),
                sections: Vec::new(),
            },
            ("offer-refused", [key, number, ..]) => Event::Refused {
                request: RequestKind::Offer {
                    connection: connection(key),
                    number: number.parse().expect("a number"),
                },
                refusal: Refusal::Sdp("no media".to_owned()),
            },
            ("open-refused", [key]) => Event::Refused {
                request: RequestKind::Open(connection(key)),
                refusal: Refusal::Limit("connections of this server"),
            },
            ("data-refused", []) => Event::Refused {
                request: RequestKind::Data,
                refusal: Refusal::NotAllowed,
            },
            // From the own client's channel: its bytes are the rest.
            ("received", [label, payload]) => Event::DataReceived {
                label: Arc::from(*label),
                payload: Bytes::from((*payload).to_owned()),
                binary: false,
            },
            ("data", [from, form, ..]) => {
                let payload = rest.splitn(3, ' ').nth(2).unwrap_or("");
                let payload = Bytes::from(payload.to_owned());
                let (form, label) = form.split_once(':').unwrap_or((form, ""));
                let form = DataForm(form.parse().expect("a number"));
                Event::Data {
                    from: World::peer_id(from),
                    identity: world.peer(from).identity.clone(),
                    label: Arc::from(label),
                    reliable: true,
                    binary: true,
                    form,
                    payload: payload.clone(),
                    // As an SDK's member would say it.
                    plain: (form == DataForm(1)).then(|| PlainData {
                        label: Arc::from(label),
                        payload,
                    }),
                }
            }
            ("channel-open", [label]) => Event::ChannelOpen {
                label: Arc::from(*label),
            },
            ("unsubscribed", [track]) => Event::Unsubscribed {
                track: world.track(track),
            },
            ("closed", [why]) => Event::Closed {
                reason: reason(why),
            },
            _ => panic!("line {at}: {verb} {rest} is not understood"),
        }
    }
}

/// Whether all of `said` is expected.
fn fits(expected: &[&str], said: &[&str]) -> bool {
    let Some(gap) = expected.iter().position(|line| *line == AND_SO_ON) else {
        return expected == said;
    };
    let (first, last) = (&expected[..gap], &expected[gap + 1..]);
    said.len() > first.len() + last.len() && said.starts_with(first) && said.ends_with(last)
}

/// `32 x` → 32 times `x`; a frame that begins with a number of its own does not come up.
fn times(text: &str) -> (u32, &str) {
    let counted = text.split_once(' ');
    let counted = counted.and_then(|(times, text)| Some((times.parse().ok()?, text)));
    counted.unwrap_or((1, text))
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

fn connection(key: &str) -> ConnectionKey {
    ConnectionKey(key.parse().expect("a number"))
}

fn enter_error(word: &str) -> EnterError {
    match word {
        "taken" => EnterError::Taken,
        "no-such-room" => EnterError::NoSuchRoom,
        "room-full" => EnterError::RoomFull,
        "server-full" => EnterError::ServerFull,
        "not-allowed" => EnterError::NotAllowed,
        "stopping" => EnterError::Stopping,
        "mesh" => EnterError::Mesh,
        "sfu" => EnterError::Sfu,
        other => panic!("{other} is no such error"),
    }
}

fn line_of(name: &str, output: &DoorOutput) -> String {
    match output {
        DoorOutput::Frame(Frame::Text(text)) => format!("{name}> {text}"),
        DoorOutput::Frame(Frame::Binary(bytes)) => format!("{name}> {} bytes", bytes.len()),
        DoorOutput::Enter(_, entrance) => {
            let mut line = format!("{name}= enter {} {}", entrance.room, entrance.identity);
            if entrance.is_exclusive {
                line += " exclusive";
            }
            if entrance.takes_over {
                line += " takeover";
            }
            if let Some(key) = &entrance.key {
                line += &format!(" key {}", key.reveal());
            }
            if let Some(token) = &entrance.token {
                line += &format!(" token {}", token.reveal());
            }
            line
        }
        DoorOutput::Request(_, request) => format!("{name}= {}", said(request)),
        DoorOutput::Quit(_) => format!("{name}= quit"),
        DoorOutput::Upload(bytes) => format!("{name}= upload {} bytes", bytes.len()),
        DoorOutput::Ways(_, wish) => {
            let pass = wish.pass.as_ref();
            let pass = pass.map(|pass| format!(" pass {} {}", pass.identity, pass.name));
            format!("{name}= ways{}", pass.unwrap_or_default())
        }
        DoorOutput::Close => format!("{name}. close"),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest is said as in the other transcripts"
)]
fn said(request: &Request) -> String {
    match request {
        Request::Join(join) => {
            let mut text = format!("join {}", join.identity);
            for (key, value) in &join.attributes {
                write!(text, " @{key}={value}").expect("writing to a string");
            }
            text
        }
        Request::Open {
            connection,
            options,
        } => {
            let mut text = format!("open {}", connection.0);
            if options.publish && options.publish_unannounced {
                text += " publish";
            }
            if options.subscribe {
                text += " subscribe";
            }
            if let Some(bps) = options.bitrate_max_bps {
                write!(text, " at most {bps} bit/s").expect("writing to a string");
            }
            text
        }
        Request::Subscribe { tracks, connection } => {
            let key = connection.expect("named").0;
            format!("subscribe {tracks:?} on {key}")
        }
        Request::Data(message) => {
            let to = match &message.to {
                Recipients::Others => "others".to_owned(),
                Recipients::Identities(identities) => format!("{identities:?}"),
                Recipients::Peers(peers) => format!("{peers:?}"),
            };
            let payload = String::from_utf8_lossy(&message.payload);
            let (form, label) = (message.form.0, &message.label);
            assert!(message.from_peer, "needs the right to");
            assert_eq!(message.plain.is_some(), form == 0);
            assert!(message.translate || form == 0);
            let translate = if message.translate && form == 0 {
                " on any channel"
            } else {
                ""
            };
            format!("data {form}:{label} to {to}{translate} {payload}")
        }
        Request::Send { label, payload, .. } => {
            format!("send {label} {}", String::from_utf8_lossy(payload))
        }
        Request::Offer {
            connection,
            sdp,
            number,
        } => {
            let lines: Vec<_> = sdp.lines().collect();
            format!("offer {} #{number} {}", connection.0, lines.join("|"))
        }
        other => crate::world::said(other),
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    let digits = pairs.map(|at| hex.get(at..at + 2).expect("pairs of digits"));
    digits
        .map(|pair| u8::from_str_radix(pair, 16).expect("digits"))
        .collect()
}
