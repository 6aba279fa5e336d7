use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::crypto::{CryptoProvider, from_feature_flags};
use str0m::media::{Direction, MediaKind as RtcKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap, ExtensionValues, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output as RtcOutput, Rtc, RtcConfig};

use crate::api::{
    Codec, ConnectionOptions, Entropy, MediaKind, Now, Offerer, SectionMap, ShardId, TrackId,
};
use crate::connection::egress::{nominates, provider};
use crate::connection::extensions::{DESCRIPTOR_URI, DescriptorSerializer};
use crate::connection::{
    Connection, DownKey, DownPacket, DownTrack, Extensions, Output, RemoteSection, Report, Said,
    Shared, Source, UpPacket,
};
use crate::io::Slot;
use crate::ufrag::Credentials;
use crate::{Config, Transmits};

pub(super) const SLOT: Slot = Slot(0x1234);
pub(super) const SHARD: ShardId = ShardId(3);

struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(7);
        }
    }
}

pub(super) fn credentials(seed: u8) -> Credentials {
    Credentials::new(SHARD, SLOT, &mut Counting(seed))
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(super) fn options(offerer: Offerer) -> ConnectionOptions {
    ConnectionOptions {
        offerer,
        publish: true,
        subscribe: true,
        primary: true,
        publish_unannounced: true,
        answers_ahead: false,
        bitrate_max_bps: None,
        channels: Vec::new(),
    }
}

pub(super) fn down(track: u64, kind: MediaKind, codec: Option<Codec>) -> DownTrack {
    DownTrack {
        track: TrackId(track),
        kind,
        stream_id: format!("PA_{track}|TR_{track}"),
        track_id: format!("TR_{track}"),
        codec,
    }
}

/// A browser, more or less.
pub(super) struct Client {
    pub(super) rtc: Rtc,
    /// As the server sees it.
    pub(super) address: SocketAddr,
    /// As it knows itself.
    inner: SocketAddr,
    others: Vec<SocketAddr>,
    pub(super) packets: Vec<RtpPacket>,
    pub(super) channels: Vec<(ChannelId, String)>,
    pub(super) data: Vec<(ChannelId, bool, Vec<u8>)>,
    pub(super) keyframes_asked: Vec<(Mid, Option<Rid>)>,
    /// From, to, what.
    transmits: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    deadline: Instant,
    pub(super) receivers: Vec<Mid>,
    now: Instant,
    /// How long ago what it writes was captured.
    pub(super) delay: Duration,
}

/// What is to be offered besides what is there.
#[derive(Default)]
pub(super) struct Adds {
    pub(super) media: Vec<(RtcKind, Direction)>,
    pub(super) simulcast: Vec<&'static [&'static str]>,
    pub(super) channels: Vec<&'static str>,
    pub(super) restart: bool,
}

impl Client {
    fn new(now: Instant, crypto: CryptoProvider) -> Self {
        let mut map = ExtensionMap::standard();
        map.set(
            12,
            Extension::with_serializer(DESCRIPTOR_URI, DescriptorSerializer),
        );
        map.set(5, Extension::AbsoluteCaptureTime);
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(Arc::new(crypto))
            .set_rtp_mode(true)
            .set_extension_map(map)
            .build(now);
        let address = address("10.0.0.2:5000");
        let candidate = Candidate::host(address, "udp").expect("a good address");
        rtc.add_local_candidate(candidate);
        Self {
            rtc,
            address,
            inner: address,
            others: Vec::new(),
            packets: Vec::new(),
            channels: Vec::new(),
            data: Vec::new(),
            keyframes_asked: Vec::new(),
            transmits: VecDeque::new(),
            deadline: now,
            receivers: Vec::new(),
            now,
            delay: Duration::ZERO,
        }
    }

    /// One more; paths from it have less priority.
    pub(super) fn add_address(&mut self, address: SocketAddr) {
        let candidate = Candidate::host(address, "udp").expect("a good address");
        self.rtc.add_local_candidate(candidate);
        self.others.push(address);
    }

    /// What it says now, which then nobody hears.
    pub(super) fn unsent(&mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let due = Input::Timeout(self.now + Duration::from_millis(500));
        self.rtc.handle_input(due).expect("the client works");
        self.drain();
        self.transmits.drain(..).collect()
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().expect("the client works") {
                RtcOutput::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                RtcOutput::Transmit(transmit) => self.transmits.push_back((
                    transmit.source,
                    transmit.destination,
                    transmit.contents.into(),
                )),
                RtcOutput::Event(Event::RtpPacket(packet)) => self.packets.push(packet),
                RtcOutput::Event(Event::ChannelOpen(id, label)) => self.channels.push((id, label)),
                RtcOutput::Event(Event::ChannelData(data)) => {
                    self.data.push((data.id, data.binary, data.data));
                }
                RtcOutput::Event(Event::KeyframeRequest(asked)) => {
                    self.keyframes_asked.push((asked.mid, asked.rid));
                }
                RtcOutput::Event(_) => {}
            }
        }
    }

    /// Like a browser, it offers its receivers again each time.
    pub(super) fn offer(&mut self, adds: &Adds) -> (String, SdpPendingOffer, Vec<Mid>) {
        let mut api = self.rtc.sdp_api();
        for mid in &self.receivers {
            api.set_direction(*mid, Direction::RecvOnly);
        }
        if adds.restart {
            api.ice_restart(true);
        }
        let mut mids = Vec::new();
        for (kind, direction) in &adds.media {
            let mid = api.add_media(
                *kind,
                *direction,
                Some("stream".to_owned()),
                Some(format!("track{}", mids.len())),
                None,
            );
            if *direction == Direction::RecvOnly {
                self.receivers.push(mid);
            }
            mids.push(mid);
        }
        for rids in &adds.simulcast {
            let mut simulcast = Simulcast::new();
            for rid in *rids {
                simulcast.add_send_layer(SimulcastLayer::new(rid));
            }
            mids.push(api.add_media(
                RtcKind::Video,
                Direction::SendOnly,
                Some("stream".to_owned()),
                Some("simulcast".to_owned()),
                Some(simulcast),
            ));
        }
        for label in &adds.channels {
            api.add_channel_with_config(ChannelConfig {
                label: (*label).to_owned(),
                ..ChannelConfig::default()
            });
        }
        let (offer, pending) = api.apply().unwrap_or_else(|| {
            // Nothing changes, yet browsers can offer that.
            let mut api = self.rtc.sdp_api();
            let first = *self.receivers.first().expect("something to offer");
            api.set_direction(first, Direction::Inactive);
            api.set_direction(first, Direction::RecvOnly);
            api.apply().expect("a change")
        });
        (offer.to_sdp_string(), pending, mids)
    }

    pub(super) fn take_answer(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("the answer can be read");
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .expect("the answer fits");
    }

    pub(super) fn answer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).expect("the offer can be read");
        self.rtc
            .sdp_api()
            .accept_offer(offer)
            .expect("the offer fits")
            .to_sdp_string()
    }

    pub(super) fn write(
        &mut self,
        mid: Mid,
        rid: Option<&str>,
        seq: u64,
        values: ExtensionValues,
        payload: &[u8],
    ) {
        let kind = self.rtc.media(mid).expect("a section").kind();
        // A packet every 20 ms.
        let (wanted, ticks) = match kind {
            RtcKind::Audio => (str0m::format::Codec::Opus, 960),
            RtcKind::Video => (str0m::format::Codec::Vp8, 1800),
        };
        let payload_type = self
            .rtc
            .codec_config()
            .params()
            .iter()
            .find(|params| params.spec().codec == wanted)
            .expect("the codec")
            .pt();
        let captured = self.now.checked_sub(self.delay).expect("long after zero");
        let mut api = self.rtc.direct_api();
        let stream = api
            .stream_tx_by_mid(mid, rid.map(Rid::from))
            .expect("a sending section");
        let time = u32::try_from(seq * ticks % (1 << 32)).expect("in range");
        stream.write_rtp(
            RtpWrite::new(payload_type, seq.into(), time, captured, payload)
                .marker(true)
                .nackable(kind == RtcKind::Video)
                .ext_vals(values),
        );
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "picks what it is asked for")]
mod pick {
    use super::Output;
    use crate::api::SectionMap;
    use crate::connection::{DownKey, Report, UpPacket};

    pub(super) fn ready(output: &Output) -> Option<DownKey> {
        match output {
            Output::OfTrack(key, super::Said::Ready) => Some(*key),
            _ => None,
        }
    }

    pub(super) fn wish(output: &Output) -> Option<(u32, u32)> {
        match output {
            Output::SectionsWanted { audio, video } => Some((*audio, *video)),
            _ => None,
        }
    }

    pub(super) fn packet(output: &Output) -> Option<&UpPacket> {
        match output {
            Output::Packet(packet) => Some(packet),
            _ => None,
        }
    }

    pub(super) fn report(output: &Output) -> Option<&Report> {
        match output {
            Output::Report(report) => Some(report),
            _ => None,
        }
    }

    pub(super) fn offer(output: Output) -> Option<(String, u32, SectionMap)> {
        match output {
            Output::Offer {
                sdp,
                number,
                sections,
            } => Some((sdp, number, sections)),
            _ => None,
        }
    }

    pub(super) fn data(output: &Output) -> Option<(String, bool, bytes::Bytes)> {
        match output {
            Output::ChannelData {
                label,
                binary,
                payload,
            } => Some((label.to_string(), *binary, payload.clone())),
            _ => None,
        }
    }
}

/// A datagram for the client.
pub(super) struct Wire {
    pub(super) at: Instant,
    pub(super) remote: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

impl Wire {
    pub(super) fn is_rtp(&self) -> bool {
        matches!(self.bytes[..], [128..=191, kind, ..] if !(192..=223).contains(&kind))
    }

    /// A compound packet that begins with one.
    pub(super) fn is_sender_report(&self) -> bool {
        matches!(self.bytes[..], [128..=191, 200, ..])
    }

    pub(super) fn payload_type(&self) -> u8 {
        self.bytes[1] & 0x7f
    }

    pub(super) fn ssrc(&self) -> u32 {
        u32::from_be_bytes(self.bytes[8..12].try_into().expect("four bytes"))
    }

    pub(super) fn seq(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }
}

pub(super) struct Pair {
    pub(super) now: Now,
    pub(super) server: Connection,
    pub(super) client: Client,
    /// What the connection said, but for datagrams.
    pub(super) said: Vec<Output>,
    /// Nothing arrives any more.
    pub(super) cut: bool,
    /// An address of the client's that nothing comes from or goes to.
    pub(super) blocked: Option<SocketAddr>,
    /// By checks that came, in their order.
    pub(super) nominated: Vec<SocketAddr>,
    /// Every so many-th datagram to the client is lost.
    pub(super) lose_every: Option<u32>,
    datagrams: u32,
    /// So many packets of media to the client are lost next.
    pub(super) lose_next: u32,
    /// What was sent to the client, lost or not.
    pub(super) wire: Vec<Wire>,
    /// What is missed stays missed.
    pub(super) unrepaired: bool,
    /// Written, and not carried yet.
    pub(super) out: Transmits,
    /// What was written, to be found when the client misses it.
    pub(super) history: BTreeMap<u32, (Arc<[u8]>, Extensions)>,
}

impl Pair {
    pub(super) fn new(options: &ConnectionOptions) -> Self {
        Self::with_crypto(options, provider(), from_feature_flags())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "some instant must be the first of the virtual ones"
    )]
    pub(super) fn with_crypto(
        options: &ConnectionOptions,
        ours: CryptoProvider,
        theirs: CryptoProvider,
    ) -> Self {
        let now = Now {
            instant: Instant::now() + Duration::from_secs(100),
            wall: Duration::from_secs(1_800_000_000),
        };
        let mut config = Config::new(SHARD, vec![address("10.0.0.1:7000")]);
        config.sdp_bytes_max = 300_000;
        config.tcp_candidates.clone_from(&config.candidates);
        let shared = Shared::with_crypto(&config, ours);
        Self {
            now,
            server: Connection::new(now, &shared, credentials(1), options),
            client: Client::new(now.instant, theirs),
            said: Vec::new(),
            cut: false,
            blocked: None,
            nominated: Vec::new(),
            lose_every: None,
            datagrams: 0,
            lose_next: 0,
            wire: Vec::new(),
            unrepaired: false,
            out: Transmits::default(),
            history: BTreeMap::new(),
        }
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        let end = self.now.instant + Duration::from_millis(ms);
        loop {
            self.exchange();
            let soonest = Some(self.client.deadline)
                .into_iter()
                .chain(self.server.deadline())
                .min()
                .expect("the client's");
            let next = soonest.max(self.now.instant + Duration::from_millis(1));
            if next > end {
                self.set_now(end);
                self.tick();
                self.exchange();
                return;
            }
            self.set_now(next);
            self.tick();
        }
    }

    pub(super) fn set_now(&mut self, instant: Instant) {
        self.now.wall += instant - self.now.instant;
        self.now.instant = instant;
        self.client.now = instant;
    }

    fn tick(&mut self) {
        self.server.handle_timeout(self.now);
        self.client
            .rtc
            .handle_input(Input::Timeout(self.now.instant))
            .expect("the client works");
    }

    /// Lets both talk until they have no more to say.
    pub(super) fn exchange(&mut self) {
        loop {
            self.client.drain();
            let mut silent = true;
            while let Some((from, to, bytes)) = self.client.transmits.pop_front() {
                silent = false;
                let seen = if from == self.client.inner {
                    self.client.address
                } else {
                    from
                };
                if !self.cut && self.blocked != Some(seen) {
                    if bytes.first().is_some_and(|first| *first < 2) && nominates(&bytes) {
                        self.nominated.push(seen);
                    }
                    self.server.handle_packet(self.now, seen, to, &bytes);
                }
            }
            let mut transmits = std::mem::take(&mut self.out);
            while let Some(output) = self.server.poll(self.now, &mut transmits) {
                silent = false;
                if let Output::OfTrack(key, Said::Missed(packets)) = &output
                    && !self.unrepaired
                {
                    for sent in packets {
                        let (payload, extensions) = &self.history[&sent.source().seq];
                        self.server.resend(
                            self.now,
                            *key,
                            sent,
                            payload,
                            extensions,
                            &mut transmits,
                        );
                    }
                }
                self.said.push(output);
            }
            for transmit in transmits.all() {
                silent = false;
                let bytes = transmits.bytes(std::slice::from_ref(transmit));
                self.carry(transmit.local.address(), transmit.remote, bytes);
            }
            if silent {
                return;
            }
        }
    }

    fn carry(&mut self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        assert_eq!(local, address("10.0.0.1:7000"));
        self.datagrams += 1;
        let wire = Wire {
            at: self.now.instant,
            remote,
            bytes: bytes.to_vec(),
        };
        let unlucky = self.lose_next > 0 && wire.is_rtp();
        self.lose_next -= u32::from(unlucky);
        self.wire.push(wire);
        let lost = self
            .lose_every
            .is_some_and(|every| self.datagrams.is_multiple_of(every));
        let to = if remote == self.client.address {
            self.client.inner
        } else {
            remote
        };
        let known = remote == self.client.address || self.client.others.contains(&remote);
        if self.cut || lost || unlucky || !known || self.blocked == Some(remote) {
            return;
        }
        let received = Receive::new(Protocol::Udp, local, to, bytes).expect("a good datagram");
        self.client
            .rtc
            .handle_input(Input::Receive(self.now.instant, received))
            .expect("the client works");
        self.client.drain();
    }

    pub(super) fn try_offer(
        &mut self,
        sdp: &str,
    ) -> Result<Vec<RemoteSection>, crate::api::Refusal> {
        self.server.handle_offer(self.now, sdp, 1)
    }

    /// The client offers, we answer.
    pub(super) fn negotiate(&mut self, adds: &Adds) -> Round {
        let (offer, pending, mids) = self.client.offer(adds);
        let sections = self.try_offer(&offer).expect("a good offer");
        let (answer, map) = self.server.answer(self.now).expect("an answer");
        self.client.take_answer(pending, &answer);
        Round {
            mids,
            sections,
            answer,
            map,
        }
    }

    /// We offer (it must be said already), the client answers.
    pub(super) fn answer_offer(&mut self) -> (String, SectionMap) {
        let (sdp, number, map) = self.take_offer().expect("an offer");
        let answer = self.client.answer(&sdp);
        self.server
            .handle_answer(self.now, &answer, number)
            .expect("a good answer");
        (sdp, map)
    }

    pub(super) fn take_offer(&mut self) -> Option<(String, u32, SectionMap)> {
        let at = self
            .said
            .iter()
            .position(|output| matches!(output, Output::Offer { .. }))?;
        pick::offer(self.said.remove(at))
    }

    pub(super) fn ready(&self) -> Vec<DownKey> {
        self.said.iter().filter_map(pick::ready).collect()
    }

    pub(super) fn count(&self, wanted: impl Fn(&Output) -> bool) -> usize {
        self.said.iter().filter(|output| wanted(output)).count()
    }

    pub(super) fn wishes(&self) -> Vec<(u32, u32)> {
        self.said.iter().filter_map(pick::wish).collect()
    }

    pub(super) fn packets(&self) -> Vec<&UpPacket> {
        self.said.iter().filter_map(pick::packet).collect()
    }

    pub(super) fn data(&self) -> Vec<(String, bool, Bytes)> {
        self.said.iter().filter_map(pick::data).collect()
    }

    pub(super) fn reports(&self) -> Vec<&Report> {
        self.said.iter().filter_map(pick::report).collect()
    }

    pub(super) fn write(&mut self, key: DownKey, codec: Codec, seq: u64, payload: &[u8]) -> bool {
        self.write_with(key, codec, seq, payload, &Extensions::default())
    }

    pub(super) fn write_with(
        &mut self,
        key: DownKey,
        codec: Codec,
        seq: u64,
        payload: &[u8],
        extensions: &Extensions,
    ) -> bool {
        let source = source(seq);
        self.write_packet(
            key,
            &DownPacket {
                codec,
                seq,
                time: u32::try_from(seq * 3000 % (1 << 32)).expect("in range"),
                marker: true,
                payload,
                source,
                extensions,
                captured: self.now.instant,
                nackable: true,
                vp8: None,
                descriptor: None,
            },
        )
    }

    pub(super) fn write_packet(&mut self, key: DownKey, packet: &DownPacket<'_>) -> bool {
        let kept = (Arc::from(packet.payload), packet.extensions.clone());
        self.history.insert(packet.source.seq, kept);
        let written = self.server.write(self.now, key, packet, &mut self.out);
        self.server.handle_timeout(self.now);
        written
    }
}

pub(super) fn source(seq: u64) -> Source {
    Source {
        encoding: 0,
        seq: u32::try_from(seq % (1 << 32)).expect("in range"),
    }
}

pub(super) struct Round {
    pub(super) mids: Vec<Mid>,
    pub(super) sections: Vec<RemoteSection>,
    pub(super) answer: String,
    pub(super) map: SectionMap,
}

/// The lines of one section.
pub(super) fn section<'a>(sdp: &'a str, mid: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = sdp.lines().collect();
    let starts: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with("m="))
        .map(|(at, _)| at)
        .chain([lines.len()])
        .collect();
    starts
        .windows(2)
        .map(|pair| lines.get(pair[0]..pair[1]).expect("within").to_vec())
        .find(|section| section.contains(&format!("a=mid:{mid}").as_str()))
        .expect("the section is there")
}

/// The SSRCs of a section's FID group.
pub(super) fn ssrcs(section: &[&str]) -> (u32, u32) {
    let group = section
        .iter()
        .find_map(|line| line.strip_prefix("a=ssrc-group:FID "))
        .expect("a group");
    let (main, repair) = group.split_once(' ').expect("two");
    (
        main.parse().expect("a number"),
        repair.parse().expect("a number"),
    )
}
