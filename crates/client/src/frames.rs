//! One WebRTC connection of whole frames and data channels. Frames are cut into packets and put together again here; lost
//! packets are asked for and sent again. Signalling is the caller's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpApi;
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::format::{Codec as RtcCodec, PayloadParams};
use str0m::media::{Direction, KeyframeRequestKind, MediaData, MediaTime, Mid, Pt, Writer};
use str0m::{Candidate, IceConnectionState, RtcConfig};

use crate::line::Line;
use crate::{Codec, Kind, PeerError, Section};

/// A message on a data channel may be this long: what every WebRTC implementation takes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// One encoded picture, or one packet of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub codec: Codec,
    /// Since the start of its source.
    pub time: Duration,
    /// VP8: the frame. H.264: the access unit in annex B. Opus: the packet.
    pub data: Vec<u8>,
}

/// A frame that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub section: Section,
    pub codec: Codec,
    /// By the sender's clock, from an arbitrary start.
    pub time: Duration,
    /// The first of it.
    pub arrived: Instant,
    /// A decoder can start with it.
    pub is_key: bool,
    /// Nothing is missing between the frame before and this one.
    pub is_next: bool,
    pub data: Arc<[u8]>,
}

/// Of a data channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub label: String,
    pub is_binary: bool,
    pub payload: Vec<u8>,
}

/// Of the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// From 0 to 1, of what we send if we send media, else of what we receive.
    pub loss: Option<f32>,
    pub round_trip: Option<Duration>,
}

/// What an offer asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub send: Vec<Kind>,
    pub receive: Vec<Kind>,
    /// Labels of data channels.
    pub channels: Vec<String>,
    /// Both sides know the channels by their numbers, 0 for the first; a label is only our name for it. Otherwise one side opens
    /// them, and tells the labels.
    pub are_numbered: bool,
}

impl Wish {
    /// A picture and sound of the other side.
    pub fn watch() -> Self {
        Self {
            receive: vec![Kind::Video, Kind::Audio],
            ..Self::default()
        }
    }

    #[must_use]
    pub fn channel(mut self, label: &str) -> Self {
        self.channels.push(label.to_owned());
        self
    }
}

/// What a connection tells.
#[derive(Debug)]
pub enum Event {
    Connected,
    Frame(Received),
    /// The other side wants a picture that it can start with.
    KeyframeWanted(Section),
    /// By its label.
    ChannelOpen(String),
    Data(Message),
    Statistics(Statistics),
    /// The other side ended it, or cannot be reached any more.
    Closed,
}

/// One connection. Nothing arrives but inside [`Peer::next`].
#[derive(Debug)]
pub struct Peer {
    line: Line,
    channels: BTreeMap<String, Channel>,
    sends: bool,
    statistics: Statistics,
    /// What a section sends. H.264 says its profile in key frames; the frames after one have its payload type.
    payload_types: BTreeMap<Section, (Codec, Pt)>,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    id: ChannelId,
    is_open: bool,
}

impl Peer {
    /// On a free port of that address, which is its one candidate.
    pub async fn bind(ip: IpAddr) -> Result<Self, PeerError> {
        let config = RtcConfig::new().set_stats_interval(Some(STATISTICS_INTERVAL));
        Ok(Self {
            line: Line::bind(ip, config).await?,
            channels: BTreeMap::new(),
            sends: false,
            statistics: Statistics::default(),
            payload_types: BTreeMap::new(),
        })
    }

    /// Our one candidate.
    pub fn local_addr(&self) -> SocketAddr {
        self.line.local_addr()
    }

    /// An offer with our candidate in it, and its sections: those that send, in the order of the wish.
    pub fn offer(&mut self, wish: &Wish) -> Result<(String, Vec<Section>), PeerError> {
        let mut changes = self.line.rtc.sdp_api();
        let sections = sending(&mut changes, &wish.send);
        for kind in &wish.receive {
            changes.add_media(kind.media(), Direction::RecvOnly, None, None, None);
        }
        for config in channels(wish) {
            let label = config.label.clone();
            let id = changes.add_channel_with_config(config);
            let is_open = false;
            self.channels.insert(label, Channel { id, is_open });
        }
        let (offer, pending) = changes.apply().ok_or(PeerError::NoOffer)?;
        self.line.pending = Some(pending);
        self.sends = !wish.send.is_empty();
        Ok((offer.to_sdp_string(), sections))
    }

    /// Another offer, with further sections that send.
    pub fn offer_more(&mut self, kinds: &[Kind]) -> Result<(String, Vec<Section>), PeerError> {
        let mut changes = self.line.rtc.sdp_api();
        let sections = sending(&mut changes, kinds);
        let (offer, pending) = changes.apply().ok_or(PeerError::NoOffer)?;
        self.line.pending = Some(pending);
        Ok((offer.to_sdp_string(), sections))
    }

    /// Whether an offer of ours waits for its answer.
    pub fn is_offering(&self) -> bool {
        self.line.pending.is_some()
    }

    /// Our answer to their offer, and our sections in it, in the order of the wish; none where the offer has no place for it. An
    /// offer of ours that waits for its answer is taken back.
    pub fn answer(
        &mut self,
        offer: &str,
        wish: &Wish,
    ) -> Result<(String, Vec<Option<Section>>), PeerError> {
        if wish.are_numbered && self.channels.is_empty() {
            for config in channels(wish) {
                let label = config.label.clone();
                let id = self.line.rtc.direct_api().create_data_channel(config);
                let is_open = false;
                self.channels.insert(label, Channel { id, is_open });
            }
        }
        let answer = self.line.answer(offer)?;
        self.sends = !wish.send.is_empty();
        Ok(directed(&answer, wish))
    }

    /// The answer to our offer.
    pub fn take_answer(&mut self, sdp: &str) -> Result<(), PeerError> {
        self.line.take_answer(sdp)
    }

    /// A `candidate:…` line of the other side. One that cannot be read is passed over: it may be of a kind that we do not have.
    pub fn take_candidate(&mut self, line: &str) {
        if let Ok(candidate) = Candidate::from_sdp_string(line) {
            self.line.rtc.add_remote_candidate(candidate);
            self.line.written = true;
        }
    }

    /// Sends a frame at once. Before the connection is up, frames are lost.
    pub fn write(&mut self, section: Section, frame: &Frame) -> Result<(), PeerError> {
        let writer = self.line.rtc.writer(section.0);
        let writer = writer.ok_or(PeerError::NotSending)?;
        let profile = sequence_profile(frame);
        let known = self.payload_types.get(&section);
        let known = known.filter(|(codec, _)| *codec == frame.codec && profile.is_none());
        let payload_type = match known {
            Some((_, payload_type)) => *payload_type,
            None => payload_type(&writer, frame.codec, profile)?,
        };
        let known = (frame.codec, payload_type);
        self.payload_types.insert(section, known);
        let micros = u64::try_from(frame.time.as_micros()).unwrap_or(u64::MAX);
        let time = MediaTime::from_micros(micros);
        writer.write(payload_type, Instant::now(), time, frame.data.as_slice())?;
        self.line.flush()
    }

    /// Whether the channel took it: it is open and has room.
    pub fn send(
        &mut self,
        label: &str,
        is_binary: bool,
        payload: &[u8],
    ) -> Result<bool, PeerError> {
        let channel = self.channels.get(label).filter(|channel| channel.is_open);
        let Some(mut channel) = channel.and_then(|channel| self.line.rtc.channel(channel.id))
        else {
            return Ok(false);
        };
        let taken = channel.write(is_binary, payload)?;
        self.line.flush()?;
        Ok(taken)
    }

    /// Whether a channel of that name is open.
    pub fn is_open(&self, label: &str) -> bool {
        let channel = self.channels.get(label);
        channel.is_some_and(|channel| channel.is_open)
    }

    /// Bytes of messages that wait to be sent.
    pub fn waiting_bytes(&mut self) -> usize {
        let rtc = &mut self.line.rtc;
        let waiting = self.channels.values().map(|channel| {
            rtc.channel(channel.id)
                .map_or(0, |mut channel| channel.buffered_amount())
        });
        waiting.sum()
    }

    /// Asks the sender for a picture that a decoder can start with.
    pub fn request_keyframe(&mut self, section: Section) {
        if let Some(mut writer) = self.line.rtc.writer(section.0)
            && writer.is_request_keyframe_possible(KeyframeRequestKind::Pli)
        {
            // Its one error is that the section has no such feedback, which was asked just before.
            writer.request_keyframe(None, KeyframeRequestKind::Pli).ok();
            self.line.written = true;
        }
    }

    /// Ends the association, and says so at once where that is possible; else [`Peer::next`] does.
    pub fn close(&mut self) {
        self.line.rtc.disconnect();
        // Whatever is wrong with a connection that ends changes nothing any more.
        self.line.flush().ok();
    }

    /// Drives the connection until something happens. Cancel safe.
    pub async fn next(&mut self) -> Result<Event, PeerError> {
        loop {
            let event = self.line.next().await?;
            if let Some(event) = self.event(event) {
                return Ok(event);
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the engine tells more than a connection of frames has use for"
    )]
    fn event(&mut self, event: str0m::Event) -> Option<Event> {
        match event {
            str0m::Event::Connected => Some(Event::Connected),
            str0m::Event::Closed
            | str0m::Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                Some(Event::Closed)
            }
            str0m::Event::MediaData(data) => received(data).map(Event::Frame),
            str0m::Event::KeyframeRequest(request) => {
                Some(Event::KeyframeWanted(Section(request.mid)))
            }
            str0m::Event::ChannelOpen(id, label) => {
                let is_open = true;
                self.channels.insert(label.clone(), Channel { id, is_open });
                Some(Event::ChannelOpen(label))
            }
            str0m::Event::ChannelClose(id) => {
                self.channels.retain(|_, channel| channel.id != id);
                None
            }
            str0m::Event::ChannelData(data) => {
                let mut channels = self.channels.iter();
                let (label, _) = channels.find(|(_, channel)| channel.id == data.id)?;
                Some(Event::Data(Message {
                    label: label.clone(),
                    is_binary: data.binary,
                    payload: data.data,
                }))
            }
            str0m::Event::MediaEgressStats(stats) if self.sends => {
                self.statistics.loss = stats.loss.or(self.statistics.loss);
                None
            }
            str0m::Event::MediaIngressStats(stats) if !self.sends => {
                self.statistics.loss = stats.loss.or(self.statistics.loss);
                None
            }
            str0m::Event::PeerStats(stats) => {
                let pair = stats.selected_candidate_pair;
                let pair = pair.and_then(|pair| pair.current_round_trip_time);
                // What reports say of media has the pause of the reporter in it.
                let round_trip = pair.or(stats.rtt);
                self.statistics.round_trip = round_trip.or(self.statistics.round_trip);
                Some(Event::Statistics(self.statistics))
            }
            _ => None,
        }
    }
}

/// The one that says best how it is encoded; H.264 by `profile_idc`.
fn payload_type(writer: &Writer<'_>, codec: Codec, profile: Option<u32>) -> Result<Pt, PeerError> {
    let wanted = RtcCodec::from(codec);
    let fits = |params: &&PayloadParams| {
        let format = params.spec().format;
        let same = format.profile_level_id.map(|id| (id >> 16) & 0xff) == profile;
        (
            u8::from(profile.is_some() && same),
            format.packetization_mode,
        )
    };
    let params = writer.payload_params();
    let params = params.filter(|params| params.spec().codec == wanted);
    let best = params.max_by_key(fits).map(PayloadParams::pt);
    best.ok_or(PeerError::NotSending)
}

fn sending(changes: &mut SdpApi<'_>, kinds: &[Kind]) -> Vec<Section> {
    let add = |kind: &Kind| {
        let stream = Some("madang".to_owned());
        let mid = changes.add_media(kind.media(), Direction::SendOnly, stream, None, None);
        Section(mid)
    };
    kinds.iter().map(add).collect()
}

fn channels(wish: &Wish) -> impl Iterator<Item = ChannelConfig> {
    let config = |(label, number): (&String, u16)| ChannelConfig {
        label: label.clone(),
        negotiated: wish.are_numbered.then_some(number),
        ..ChannelConfig::default()
    };
    wish.channels.iter().zip(0..).map(config)
}

/// An answer that promises what the wish has and no more: the engine's takes and gives whatever was offered.
fn directed(answer: &str, wish: &Wish) -> (String, Vec<Option<Section>>) {
    let mut sections = vec![None; wish.send.len()];
    let mut text = String::with_capacity(answer.len());
    for part in split_sections(answer) {
        let kind = [Kind::Video, Kind::Audio].into_iter().find(|kind| {
            let name = match kind {
                Kind::Video => "m=video ",
                Kind::Audio => "m=audio ",
            };
            part.starts_with(name)
        });
        let mid = part.lines().find_map(|line| line.strip_prefix("a=mid:"));
        for line in part.lines() {
            let line = match (line, kind, mid) {
                ("a=sendrecv" | "a=sendonly", Some(kind), Some(mid)) => {
                    let receives = line == "a=sendrecv" && wish.receive.contains(&kind);
                    let mut places = sections.iter_mut().zip(&wish.send);
                    let place = places.find(|(place, of)| place.is_none() && **of == kind);
                    let sends = place.map(|(place, _)| *place = Some(Section(Mid::from(mid))));
                    match (sends.is_some(), receives) {
                        (true, true) => "a=sendrecv",
                        (true, false) => "a=sendonly",
                        (false, true) => "a=recvonly",
                        (false, false) => "a=inactive",
                    }
                }
                ("a=recvonly", Some(kind), _) if !wish.receive.contains(&kind) => "a=inactive",
                (line, _, _) => line,
            };
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    (text, sections)
}

/// The head of a description, and each of its sections.
fn split_sections(sdp: &str) -> Vec<&str> {
    let mut starts = vec![0];
    starts.extend(sdp.match_indices("\nm=").map(|(at, _)| at + 1));
    let ends = starts.iter().skip(1).copied().chain([sdp.len()]);
    let parts = starts.iter().zip(ends);
    parts
        .filter_map(|(start, end)| sdp.get(*start..end))
        .collect()
}

fn received(data: MediaData) -> Option<Received> {
    let is_key = data.is_keyframe();
    let mid: Mid = data.mid;
    let codec = [Codec::Opus, Codec::Vp8, Codec::H264]
        .into_iter()
        .find(|codec| RtcCodec::from(*codec) == data.params.spec().codec)?;
    Some(Received {
        section: Section(mid),
        codec,
        time: Duration::from(data.time),
        arrived: data.network_time,
        is_key: is_key || codec == Codec::Opus,
        is_next: data.contiguous,
        data: data.data,
    })
}

/// `profile_idc` of an access unit that begins with its sequence parameter set (ITU-T H.264 §7.3.2.1.1).
fn sequence_profile(frame: &Frame) -> Option<u32> {
    if frame.codec != Codec::H264 {
        return None;
    }
    let set = crate::media::annexb::units(&frame.data)
        .find(|unit| unit.first().is_some_and(|byte| byte & 0x1f == 7))?;
    set.get(1).copied().map(u32::from)
}

#[cfg(test)]
mod tests;
