//! A simulated client: a real WebRTC endpoint with one connection that it offers itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, DataForm, Event, Grant, Identity, Join, LayerInfo,
    LeaveReason, MediaKind, MsidStyle, Offerer, PeerId, PeerKind, Publish, Refusal, Request,
    RequestKind, RoomInfo, ShardSet, Source, TrackId,
};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::media::{Direction, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite, SeqNo};
use str0m::{Candidate, Input, Output, Rtc};

use crate::stream::{Mark, Stream, audio_payload, video_payload};

const MAIN: ConnectionKey = ConnectionKey(0);
const FRAME_INTERVAL: Duration = Duration::from_millis(66);
const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
const RIDS: [&str; 3] = ["q", "h", "f"];
/// Packets of a frame, by encoding.
const PACKETS: [u8; 3] = [1, 2, 4];
/// Publishers begin just below the wrap of their numbers.
const FIRST_SEQ: u64 = 65_535 - 40;
const FIRST_TIME: u32 = u32::MAX - 90_000;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    pub audio: bool,
    pub video: bool,
}

struct Encoding {
    rid: Option<&'static str>,
    seq: u64,
    frame: u32,
    picture_id: u16,
    wants_keyframe: bool,
}

struct Sender {
    mid: Mid,
    kind: MediaKind,
    encodings: Vec<Encoding>,
    next: Instant,
    time: u32,
}

/// One member of a room.
pub struct Client {
    pub peer: PeerId,
    pub shard: usize,
    pub address: SocketAddr,
    source: u64,
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    offers: u32,
    /// Sections asked for while an offer was out.
    wanted: Option<(u32, u32)>,
    senders: Vec<Sender>,
    /// Of each camera only so many encodings are sent, the lowest ones.
    pub encodings_sent: usize,
    pub keyframes_sent: usize,
    kinds: BTreeMap<Mid, MediaKind>,
    pub connected: bool,
    /// By the server, the way is there: it breaks and comes back.
    pub carried: bool,
    pub closed: Option<LeaveReason>,
    /// Its endpoint came to an end.
    pub ended: bool,
    /// Tracks of others that are published, by what this client was told.
    pub published: BTreeSet<TrackId>,
    pub subscribed: BTreeSet<TrackId>,
    /// Own publications.
    pub announced: Vec<TrackId>,
    /// Of these, whether they arrive, as this client was told one after the other.
    pub flowing: Vec<(TrackId, bool)>,
    /// Sends no media for now.
    pub rests: bool,
    sections: BTreeMap<Mid, TrackId>,
    pub streams: BTreeMap<(TrackId, u32), Stream>,
    pub strangers: u64,
    pub data: Vec<Vec<u8>>,
    channels: Vec<ChannelId>,
    pub refused: Vec<String>,
    requests: Vec<Request>,
    /// Made while receiving, sent at the next poll.
    out: Vec<(SocketAddr, Vec<u8>)>,
    began: Instant,
    now: Instant,
    journal: Vec<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("peer", &self.peer)
            .field("connected", &self.connected)
            .field("carried", &self.carried)
            .field("closed", &self.closed)
            .field("ended", &self.ended)
            .field("offer_is_out", &self.pending.is_some())
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(
        now: Instant,
        peer: PeerId,
        shard: usize,
        address: SocketAddr,
        room: &Arc<RoomInfo>,
        shards: ShardSet,
        profile: Profile,
    ) -> Self {
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a host address"));
        let mut client = Self {
            peer,
            shard,
            address,
            source: peer.0,
            rtc,
            pending: None,
            offers: 0,
            wanted: None,
            senders: Vec::new(),
            encodings_sent: RIDS.len(),
            keyframes_sent: 0,
            kinds: BTreeMap::new(),
            connected: false,
            carried: false,
            closed: None,
            ended: false,
            published: BTreeSet::new(),
            subscribed: BTreeSet::new(),
            announced: Vec::new(),
            flowing: Vec::new(),
            rests: false,
            sections: BTreeMap::new(),
            streams: BTreeMap::new(),
            strangers: 0,
            data: Vec::new(),
            channels: Vec::new(),
            refused: Vec::new(),
            requests: Vec::new(),
            out: Vec::new(),
            began: now,
            now,
            journal: Vec::new(),
        };
        client.requests.push(Request::Join(Box::new(Join {
            room: Arc::clone(room),
            shards,
            identity: Identity::new(&peer.to_string()),
            name: String::new(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
            kind: PeerKind(0),
            grant: Grant::everything(),
            auto_subscribe: true,
            form: DataForm(1),
            msid: MsidStyle::PeerAndTrack,
            annotation: Bytes::new(),
        })));
        client.requests.push(Request::Open {
            connection: MAIN,
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
        });
        client.begin(now, profile);
        client
    }

    fn begin(&mut self, now: Instant, profile: Profile) {
        let mut kinds = Vec::new();
        if profile.audio {
            kinds.push(MediaKind::Audio);
        }
        if profile.video {
            kinds.push(MediaKind::Video);
        }
        for kind in &kinds {
            self.announce(*kind);
        }
        let mut api = self.rtc.sdp_api();
        for kind in kinds {
            let simulcast = (kind == MediaKind::Video).then(simulcast);
            let direction = Direction::SendOnly;
            let mid = api.add_media(
                theirs(kind),
                direction,
                Some("s".into()),
                Some(client_id(kind).into()),
                simulcast,
            );
            self.senders.push(sender(mid, kind, now));
        }
        api.add_channel_with_config(str0m::channel::ChannelConfig {
            label: "reliable".into(),
            ..Default::default()
        });
        for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Video] {
            let mid = api.add_media(theirs(kind), Direction::RecvOnly, None, None, None);
            self.kinds.insert(mid, kind);
        }
        let (offer, pending) = api.apply().expect("a first offer");
        self.send_offer(&offer.to_sdp_string(), pending);
    }

    fn announce(&mut self, kind: MediaKind) {
        let layers = match kind {
            MediaKind::Audio => Vec::new(),
            MediaKind::Video => (0..3_u8)
                .map(|quality| LayerInfo {
                    quality,
                    rid: None,
                    width_px: 320 << quality,
                    height_px: 180 << quality,
                    bitrate_bps: 0,
                })
                .collect(),
        };
        self.requests.push(Request::Publish(Box::new(Publish {
            client_id: client_id(kind).into(),
            kind,
            source: if kind == MediaKind::Audio {
                Source::Microphone
            } else {
                Source::Camera
            },
            name: String::new(),
            stream: String::new(),
            muted: false,
            width_px: 1280,
            height_px: 720,
            layers,
            annotation: Bytes::new(),
            codec: None,
            stereo: false,
            no_dtx: false,
        })));
    }

    /// For who looks at a failure: what happened when, in milliseconds of its life.
    fn note(&mut self, what: &str) {
        let age = self.now.saturating_duration_since(self.began);
        self.journal.push(format!("{} {what}", age.as_millis()));
    }

    fn send_offer(&mut self, sdp: &str, pending: SdpPendingOffer) {
        self.note(&format!("offer {}", self.offers + 1));
        self.offers += 1;
        self.pending = Some(pending);
        self.requests.push(Request::Offer {
            connection: MAIN,
            sdp: sdp.to_owned(),
            number: self.offers,
        });
    }

    pub fn close_channels(&mut self) {
        for id in self.channels.drain(..) {
            self.rtc.direct_api().close_data_channel(id);
        }
    }

    pub fn request(&mut self, request: Request) {
        self.requests.push(request);
    }

    pub(crate) fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    pub(crate) fn handle_event(&mut self, event: Event) {
        if let Event::Connected { .. }
        | Event::Disconnected { .. }
        | Event::Answer { .. }
        | Event::SectionsWanted { .. }
        | Event::Closed { .. } = event
        {
            let said = format!("{event:?}");
            let said: String = said.chars().take(40).collect();
            self.note(&said);
        }
        match event {
            Event::Joined(state) => {
                for other in &state.others {
                    self.published
                        .extend(other.publications.iter().map(|publication| publication.id));
                }
            }
            Event::PeerJoined(info) => {
                self.published
                    .extend(info.publications.iter().map(|publication| publication.id));
            }
            Event::Published { track, .. } => {
                self.published.insert(track);
            }
            Event::Unpublished { track, .. } => {
                self.published.remove(&track);
            }
            Event::PeerLeft { .. } => {}
            Event::Connected { .. } => self.carried = true,
            Event::Disconnected { .. } => self.carried = false,
            Event::Announced { publication } => self.announced.push(publication.id),
            Event::Answer {
                sdp,
                number,
                sections,
                ..
            } => self.handle_answer(&sdp, number, &sections),
            Event::SectionsWanted { audio, video, .. } => self.offer_again(audio, video),
            Event::Subscribed { track } => {
                self.subscribed.insert(track);
            }
            Event::Unsubscribed { track } => {
                self.subscribed.remove(&track);
                self.published.remove(&track);
            }
            // A wish may cross with the end of its track.
            Event::Refused {
                request: RequestKind::Prefer(_),
                refusal: Refusal::NotFound(_),
            } => {}
            Event::Refused { request, refusal } => {
                self.refused.push(format!("{request:?}: {refusal}"))
            }
            Event::Closed { reason } => self.closed = Some(reason),
            Event::Flowing { track, flowing } => self.flowing.push((track, flowing)),
            Event::DataReceived { .. }
            | Event::RoomUpdated(_)
            | Event::PeerUpdated(_)
            | Event::OwnUnpublished { .. }
            | Event::Offer { .. }
            | Event::Watched { .. }
            | Event::Allowed { .. }
            | Event::Speakers(_)
            | Event::Quality(_)
            | Event::LayersWanted { .. }
            | Event::Streaming { .. }
            | Event::ChannelOpen { .. }
            | Event::Data { .. }
            | Event::MuteAsked { .. } => {}
        }
    }

    fn handle_answer(&mut self, sdp: &str, number: u32, sections: &[(String, TrackId)]) {
        assert_eq!(number, self.offers, "an answer to another offer");
        let pending = self.pending.take().expect("an offer is out");
        let answer = SdpAnswer::from_sdp_string(sdp).expect("a readable answer");
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .expect("an acceptable answer");
        self.sections = sections
            .iter()
            .map(|(mid, track)| (Mid::from(mid.as_str()), *track))
            .collect();
        if let Some((audio, video)) = self.wanted.take() {
            self.offer_again(audio, video);
        }
    }

    fn offer_again(&mut self, audio: u32, video: u32) {
        if self.pending.is_some() {
            self.wanted = Some((audio, video));
            return;
        }
        let mut api = self.rtc.sdp_api();
        for _ in 0..audio {
            let mid = api.add_media(
                str0m::media::MediaKind::Audio,
                Direction::RecvOnly,
                None,
                None,
                None,
            );
            self.kinds.insert(mid, MediaKind::Audio);
        }
        for _ in 0..video {
            let mid = api.add_media(
                str0m::media::MediaKind::Video,
                Direction::RecvOnly,
                None,
                None,
                None,
            );
            self.kinds.insert(mid, MediaKind::Video);
        }
        if audio + video == 0 {
            // An offer as it is: asking for a restart makes one, with the candidates kept.
            api.ice_restart(true);
        }
        if let Some((offer, pending)) = api.apply() {
            self.send_offer(&offer.to_sdp_string(), pending);
        }
    }

    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.now = now;
        let Ok(contents) = bytes.try_into() else {
            return;
        };
        let receive = Receive {
            proto: Protocol::Udp,
            source: from,
            destination: self.address,
            contents,
        };
        self.rtc
            .handle_input(Input::Receive(now, receive))
            .expect("a datagram is no reason to fail");
        // One at a time: an endpoint holds a single packet until it is polled.
        let mut out = std::mem::take(&mut self.out);
        self.drain(&mut out);
        self.out = out;
    }

    /// Sends media that is due and drains; what goes out is returned.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.now = now;
        self.rtc
            .handle_input(Input::Timeout(now))
            .expect("time passes");
        let mut out = std::mem::take(&mut self.out);
        self.drain(&mut out);
        if self.connected && !self.rests {
            for index in 0..self.senders.len() {
                self.send_media(now, index);
            }
            self.drain(&mut out);
        }
        out
    }

    fn drain(&mut self, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(_)) => return,
                Ok(Output::Transmit(transmit)) => {
                    out.push((transmit.destination, transmit.contents.to_vec()));
                }
                Ok(Output::Event(event)) => self.handle_rtc(event),
                // The server said goodbye before the data channels were up: str0m calls that an error.
                Err(error) => {
                    self.note(&format!("failed: {error}"));
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn handle_rtc(&mut self, event: str0m::Event) {
        if let str0m::Event::Connected = event {
            self.note("handshake done");
            self.connected = true;
        } else if let str0m::Event::IceConnectionStateChange(state) = event {
            self.note(&format!("checks: {state:?}"));
        } else if let str0m::Event::Closed = event {
            self.note("closed by the client's own engine, or by the server's goodbye");
        } else if let str0m::Event::RtpPacket(packet) = event {
            self.take_packet(&packet);
        } else if let str0m::Event::KeyframeRequest(request) = event {
            let rid = request.rid.map(|rid| rid.to_string());
            for encoding in self
                .senders
                .iter_mut()
                .filter(|s| s.mid == request.mid)
                .flat_map(|s| &mut s.encodings)
            {
                if rid.is_none() || encoding.rid == rid.as_deref() {
                    encoding.wants_keyframe = true;
                }
            }
        } else if let str0m::Event::ChannelOpen(id, _) = event {
            self.channels.push(id);
        } else if let str0m::Event::ChannelData(data) = event {
            self.data.push(data.data);
        }
    }

    fn take_packet(&mut self, packet: &str0m::rtp::RtpPacket) {
        let ssrc = packet.header.ssrc;
        let Some(mid) = self
            .rtc
            .direct_api()
            .stream_rx(&ssrc)
            .map(|stream| stream.mid())
        else {
            self.strangers += 1;
            return;
        };
        // Packets that were under way when their section was given to another track.
        let Some(track) = self.sections.get(&mid).copied() else {
            self.strangers += 1;
            return;
        };
        if packet.payload.is_empty() {
            return;
        }
        let video = self.kinds.get(&mid) == Some(&MediaKind::Video);
        let stream = self
            .streams
            .entry((track, *ssrc))
            .or_insert_with(|| Stream::new(video));
        stream.take(*packet.seq_no, packet.header.timestamp, &packet.payload);
    }

    fn send_media(&mut self, now: Instant, index: usize) {
        let (source, encodings_sent) = (self.source, self.encodings_sent);
        let Some(sender) = self.senders.get_mut(index) else {
            return;
        };
        if now < sender.next {
            return;
        }
        let (interval, step) = match sender.kind {
            MediaKind::Audio => (AUDIO_INTERVAL, 960),
            MediaKind::Video => (FRAME_INTERVAL, 5_940),
        };
        sender.next = now + interval;
        sender.time = sender.time.wrapping_add(step);
        let encodings = sender.encodings.iter_mut().take(encodings_sent);
        for (place, encoding) in encodings.enumerate() {
            let packets = match sender.kind {
                MediaKind::Audio => 1,
                MediaKind::Video => *PACKETS.get(place).expect("three encodings"),
            };
            encoding.frame += 1;
            encoding.picture_id = (encoding.picture_id + 1) & 0x7fff;
            let keyframe = std::mem::take(&mut encoding.wants_keyframe);
            self.keyframes_sent += usize::from(keyframe && sender.kind == MediaKind::Video);
            for at in 0..packets {
                let mark = Mark {
                    source: source ^ u64::from(sender.kind == MediaKind::Video),
                    encoding: u8::try_from(place).expect("three encodings"),
                    frame: encoding.frame,
                    place: at,
                    seq: encoding.seq,
                };
                let payload = match sender.kind {
                    MediaKind::Audio => audio_payload(mark),
                    MediaKind::Video => video_payload(mark, keyframe, encoding.picture_id),
                };
                write(
                    &mut self.rtc,
                    sender.mid,
                    encoding,
                    sender.time,
                    now,
                    at + 1 == packets,
                    payload,
                );
                encoding.seq += 1;
            }
        }
    }

    /// As if its picture were lost.
    pub fn ask_for_keyframe(&mut self, track: TrackId) {
        let carries = |(_, carried): &(&Mid, &TrackId)| **carried == track;
        let mid = self.sections.iter().find(carries).map(|(mid, _)| *mid);
        let mut api = self.rtc.direct_api();
        let stream = mid.and_then(|mid| api.stream_rx_by_mid(mid, None));
        stream
            .expect("it is received")
            .request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    }

    /// So many packets were made of each encoding.
    pub fn has_senders(&self) -> bool {
        !self.senders.is_empty()
    }
}

fn write(
    rtc: &mut Rtc,
    mid: Mid,
    encoding: &Encoding,
    time: u32,
    now: Instant,
    marker: bool,
    payload: Vec<u8>,
) {
    let Some(pt) = rtc
        .media(mid)
        .and_then(|media| media.remote_pts().first().copied())
    else {
        return;
    };
    let rid = encoding.rid.map(Rid::from);
    let audio = encoding.rid.is_none();
    let mut api = rtc.direct_api();
    let Some(stream) = api.stream_tx_by_mid(mid, rid) else {
        return;
    };
    let ext_vals = ExtensionValues {
        audio_level: audio.then_some(-20),
        voice_activity: audio.then_some(true),
        ..ExtensionValues::default()
    };
    let seq: SeqNo = encoding.seq.into();
    stream.write_rtp(
        RtpWrite::new(pt, seq, time, now, payload)
            .marker(marker)
            .ext_vals(ext_vals)
            .nackable(!audio),
    );
}

fn simulcast() -> Simulcast {
    let mut simulcast = Simulcast::new();
    for rid in RIDS {
        simulcast.add_send_layer(SimulcastLayer::new(rid));
    }
    simulcast
}

fn sender(mid: Mid, kind: MediaKind, now: Instant) -> Sender {
    let rids: Vec<Option<&'static str>> = match kind {
        MediaKind::Audio => vec![None],
        MediaKind::Video => RIDS.into_iter().map(Some).collect(),
    };
    let encodings = rids
        .into_iter()
        .map(|rid| Encoding {
            rid,
            seq: FIRST_SEQ,
            frame: 0,
            picture_id: 0x7ff0,
            wants_keyframe: true,
        })
        .collect();
    Sender {
        mid,
        kind,
        encodings,
        next: now,
        time: FIRST_TIME,
    }
}

fn client_id(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "mic",
        MediaKind::Video => "cam",
    }
}

fn theirs(kind: MediaKind) -> str0m::media::MediaKind {
    match kind {
        MediaKind::Audio => str0m::media::MediaKind::Audio,
        MediaKind::Video => str0m::media::MediaKind::Video,
    }
}
