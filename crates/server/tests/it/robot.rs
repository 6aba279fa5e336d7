//! A member that neither encodes nor decodes: the LiveKit protocol over two connections, as most of its SDKs speak it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as proto;
use madang_client::{Codec, Happening, Kind, Outgoing, Peer, PeerError, Section};
use prost::Message as _;
use proto::signal_request::Message as Ask;
use proto::signal_response::Message as Told;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FRAME_INTERVAL: Duration = Duration::from_millis(100);
const VIDEO_PACKETS: u64 = 3;

/// What a robot knows of the room, for the test to read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Its own publications.
    pub(crate) own: BTreeSet<String>,
    /// Packets got by track since the last [`Seen::forget`].
    pub(crate) packets: BTreeMap<String, u64>,
    /// Tracks by the section of the subscriber, as the server said last.
    pub(crate) sections: BTreeMap<String, String>,
    pub(crate) is_in: bool,
    pub(crate) ended: Option<String>,
}

impl Seen {
    pub(crate) fn forget(&mut self) {
        self.packets.clear();
    }
}

/// How it goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It says so.
    Leave,
    /// Its program is killed: nothing more comes.
    Vanish,
}

#[derive(Debug)]
pub(crate) struct Robot {
    pub(crate) seen: Arc<Mutex<Seen>>,
    leave: CancellationToken,
    vanish: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Robot {
    /// It joins in a task of its own.
    pub(crate) fn start(server: SocketAddr, token: String, video: bool) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (leave, vanish) = (CancellationToken::new(), CancellationToken::new());
        let task = {
            let (seen, leave, vanish) = (Arc::clone(&seen), leave.clone(), vanish.clone());
            tokio::spawn(async move {
                let run = async {
                    let mut body = Body::join(server, &token, video, Arc::clone(&seen)).await?;
                    body.live(&leave).await
                };
                tokio::select! {
                    ended = run => {
                        if let Err(error) = ended {
                            seen.lock().expect("no panic").ended = Some(error);
                        }
                    }
                    () = vanish.cancelled() => {}
                }
            })
        };
        Self {
            seen,
            leave,
            vanish,
            task,
        }
    }

    pub(crate) async fn exit(self, how: Exit) {
        match how {
            Exit::Leave => self.leave.cancel(),
            Exit::Vanish => self.vanish.cancel(),
        }
        self.task.await.expect("no panic in a robot");
    }
}

struct Body {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    publisher: Peer,
    subscriber: Peer,
    wanted: Vec<(Kind, &'static str)>,
    sending: Vec<Sending>,
    /// What the sections of the subscriber carry.
    tracks: BTreeMap<String, String>,
    connected: bool,
    seen: Arc<Mutex<Seen>>,
}

struct Sending {
    kind: Kind,
    section: Section,
    seq: u64,
    time: u32,
    picture: u16,
    wants_keyframe: bool,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Body {
    async fn join(
        server: SocketAddr,
        token: &str,
        video: bool,
        seen: Arc<Mutex<Seen>>,
    ) -> Result<Self, String> {
        let url =
            format!("ws://{server}/rtc?access_token={token}&auto_subscribe=1&protocol=16&sdk=go");
        let (socket, _) = tokio_tungstenite::connect_async(url).await.map_err(text)?;
        let mut wanted = vec![(Kind::Audio, "mic")];
        if video {
            wanted.push((Kind::Video, "cam"));
        }
        let mut body = Self {
            socket,
            publisher: Peer::bind(LOOPBACK).await.map_err(text)?,
            subscriber: Peer::bind(LOOPBACK).await.map_err(text)?,
            wanted,
            sending: Vec::new(),
            tracks: BTreeMap::new(),
            connected: false,
            seen,
        };
        for (kind, cid) in body.wanted.clone() {
            let (kind, source) = match kind {
                Kind::Audio => (proto::TrackType::Audio, proto::TrackSource::Microphone),
                Kind::Video => (proto::TrackType::Video, proto::TrackSource::Camera),
            };
            let request = proto::AddTrackRequest {
                cid: cid.to_owned(),
                r#type: kind.into(),
                source: source.into(),
                ..proto::AddTrackRequest::default()
            };
            body.ask(Ask::AddTrack(request)).await?;
        }
        let (sdp, sections) = body.publisher.offer(&body.wanted).map_err(text)?;
        body.sending = std::iter::zip(body.wanted.clone(), sections)
            .map(|((kind, _), section)| Sending {
                kind,
                section,
                seq: 1,
                time: 0,
                picture: 0,
                wants_keyframe: true,
            })
            .collect();
        body.ask(Ask::Offer(description("offer", sdp, 1))).await?;
        Ok(body)
    }

    async fn ask(&mut self, message: Ask) -> Result<(), String> {
        let request = proto::SignalRequest {
            message: Some(message),
        };
        self.socket
            .send(WsMessage::Binary(request.encode_to_vec().into()))
            .await
            .map_err(text)
    }

    async fn live(&mut self, leave: &CancellationToken) -> Result<(), String> {
        let mut frames = tokio::time::interval(FRAME_INTERVAL);
        loop {
            tokio::select! {
                () = leave.cancelled() => {
                    let request = proto::LeaveRequest::default();
                    return self.ask(Ask::Leave(request)).await;
                }
                message = self.socket.next() => self.told(message).await?,
                happening = self.publisher.next() => self.up(happening)?,
                happening = self.subscriber.next() => self.down(happening)?,
                _ = frames.tick() => self.send_frames()?,
            }
        }
    }

    async fn told(
        &mut self,
        message: Option<Result<WsMessage, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), String> {
        let bytes = match message {
            Some(Ok(WsMessage::Binary(bytes))) => bytes,
            Some(Ok(
                WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Text(_) | WsMessage::Frame(_),
            )) => return Ok(()),
            Some(Ok(WsMessage::Close(_))) | None => return Err("the socket was closed".to_owned()),
            Some(Err(error)) => return Err(text(error)),
        };
        let response = proto::SignalResponse::decode(bytes).map_err(text)?;
        match response.message {
            Some(Told::Offer(offer)) => {
                let sdp = self.subscriber.answer(&offer.sdp).map_err(text)?;
                self.tracks = offer.mid_to_track_id.into_iter().collect();
                self.seen
                    .lock()
                    .expect("no panic")
                    .sections
                    .clone_from(&self.tracks);
                self.ask(Ask::Answer(description("answer", sdp, offer.id)))
                    .await
            }
            Some(Told::Answer(answer)) => self.publisher.take_answer(&answer.sdp).map_err(text),
            Some(Told::TrackPublished(published)) => {
                let sid = published.track.map(|track| track.sid);
                self.seen.lock().expect("no panic").own.extend(sid);
                Ok(())
            }
            Some(Told::Leave(leave)) => Err(format!("told to leave: {:?}", leave.reason())),
            Some(_) | None => Ok(()),
        }
    }

    fn up(&mut self, happening: Result<Happening, PeerError>) -> Result<(), String> {
        match happening.map_err(text)? {
            Happening::Connected => {
                self.connected = true;
                self.seen.lock().expect("no panic").is_in = true;
            }
            Happening::KeyframeWanted(section) => {
                for sending in self
                    .sending
                    .iter_mut()
                    .filter(|sending| sending.section == section)
                {
                    sending.wants_keyframe = true;
                }
            }
            Happening::Packet(_) => {}
            Happening::Closed => return Err("the publisher was closed".to_owned()),
        }
        Ok(())
    }

    fn down(&mut self, happening: Result<Happening, PeerError>) -> Result<(), String> {
        match happening.map_err(text)? {
            Happening::Packet(packet) => {
                if let Some(track) = self.tracks.get(&packet.section.to_string()) {
                    let mut seen = self.seen.lock().expect("no panic");
                    *seen.packets.entry(track.clone()).or_default() += 1;
                }
            }
            Happening::Closed => return Err("the subscriber was closed".to_owned()),
            Happening::Connected | Happening::KeyframeWanted(_) => {}
        }
        Ok(())
    }

    fn send_frames(&mut self) -> Result<(), String> {
        if !self.connected {
            return Ok(());
        }
        for sending in &mut self.sending {
            let (codec, packets, ticks) = match sending.kind {
                Kind::Audio => (Codec::Opus, 1, 4_800),
                Kind::Video => (Codec::Vp8, VIDEO_PACKETS, 9_000),
            };
            sending.time = sending.time.wrapping_add(ticks);
            sending.picture = (sending.picture + 1) & 0x7fff;
            let keyframe = std::mem::take(&mut sending.wants_keyframe);
            for place in 0..packets {
                let payload = match sending.kind {
                    Kind::Audio => vec![0xfc; 60],
                    Kind::Video => vp8(sending.picture, place == 0, keyframe),
                };
                let packet = Outgoing {
                    seq: sending.seq,
                    time: sending.time,
                    marker: place + 1 == packets,
                    payload: payload.into(),
                };
                sending.seq += 1;
                self.publisher
                    .write(sending.section, codec, packet)
                    .map_err(text)?;
            }
        }
        Ok(())
    }
}

fn description(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription {
        r#type: kind.to_owned(),
        sdp,
        id,
        ..proto::SessionDescription::default()
    }
}

/// Descriptor with a 15-bit picture id (RFC 7741 §4.2), frame tag, and nothing.
fn vp8(picture: u16, start: bool, keyframe: bool) -> Vec<u8> {
    let [high, low] = picture.to_be_bytes();
    let mut payload = vec![
        0x80 | if start { 0x10 } else { 0 },
        0x80,
        0x80 | high,
        low,
        u8::from(!keyframe),
    ];
    payload.extend([0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
    payload.resize(400, 0);
    payload
}

/// Waits until it holds, or says what did not.
pub(crate) async fn eventually(patience: Duration, what: impl Fn() -> Result<(), String>) {
    let start = Instant::now();
    while let Err(missing) = what() {
        assert!(start.elapsed() < patience, "{missing}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
