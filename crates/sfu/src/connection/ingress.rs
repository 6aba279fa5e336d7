//! Packets from the client: whose they are, and when what they carry was captured.

use std::collections::HashMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use str0m::Rtc;
use str0m::bwe::Bitrate;
use str0m::rtp::{RtpPacket, Ssrc};

use super::Extensions;
use super::codecs::Incoming;
use super::types::{RidName, Section, UpPacket};

/// Known SSRCs; beyond that, all are looked up again.
const SOURCES_MAX: usize = 1024;
/// By so much the first number of another SSRC is ahead of what came before: further than any gap that forwarders take for
/// loss, so that nobody takes it for a continuation.
const SSRC_STEP: u64 = 1 << 14;
/// A sender's clock that jumped is followed at once.
const CLOCK_JUMP_NS: i128 = 10_000_000_000;
/// How fast the shortest way seen so far is forgotten: faster than any two clocks drift apart (200 parts per million).
const CLOCK_DRIFT_DIVISOR: i128 = 5_000;
const NS_PER_S: i128 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Ingress {
    incoming: Incoming,
    sources: HashMap<Ssrc, usize>,
    lanes: Vec<Lane>,
    /// Of video, to be told how much they may send.
    pictures: Vec<Ssrc>,
    clock: SenderClock,
}

impl Ingress {
    pub(super) fn new(rtc: &Rtc, now: Instant) -> Self {
        Self {
            incoming: Incoming::new(rtc.codec_config()),
            sources: HashMap::new(),
            lanes: Vec::new(),
            pictures: Vec::new(),
            clock: SenderClock {
                base: now,
                offset: None,
            },
        }
    }

    pub(super) fn renegotiated(&mut self, rtc: &Rtc) {
        self.incoming = Incoming::new(rtc.codec_config());
        self.sources.clear();
        self.pictures.clear();
    }

    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb): for senders without transport-cc the only word.
    pub(super) fn limit(&self, rtc: &mut Rtc, bitrate_max_bps: u64) {
        let mut api = rtc.direct_api();
        for ssrc in &self.pictures {
            if let Some(stream) = api.stream_rx(ssrc) {
                stream.request_remb(Bitrate::bps(bitrate_max_bps));
            }
        }
    }

    pub(super) fn packet(&mut self, rtc: &mut Rtc, packet: RtpPacket) -> Option<UpPacket> {
        let lane = self.lane(rtc, &packet)?;
        let codec = self.incoming.codec(packet.header.payload_type)?;
        let lane = self.lanes.get_mut(lane)?;
        let (section, rid) = (lane.section, lane.rid);
        let seq = lane.number(packet.header.ssrc, *packet.seq_no);
        let arrived = packet.timestamp;
        let captured = self.clock.captured(&packet);
        Some(UpPacket {
            section,
            rid,
            codec,
            seq,
            time: packet.time.numer(),
            marker: packet.header.marker,
            payload: packet.payload,
            extensions: Extensions::forwarded(&packet.header.ext_vals),
            arrived,
            captured,
        })
    }

    /// The SSRC that sends it at present.
    pub(super) fn sender(&self, section: Section, rid: Option<RidName>) -> Option<Ssrc> {
        let exact = self.lanes.iter().find(|lane| lane.is(section, rid));
        let any = || self.lanes.iter().find(|lane| lane.section == section);
        let one = rid.is_none().then(any).flatten();
        exact.or(one).map(|lane| lane.ssrc)
    }

    /// Whose packet it is, as a place among the lanes. Asking str0m makes it look at everything again, so what it said is
    /// kept.
    fn lane(&mut self, rtc: &mut Rtc, packet: &RtpPacket) -> Option<usize> {
        let ssrc = packet.header.ssrc;
        let named = packet.header.ext_vals.mid.map(Section);
        let known = self.sources.get(&ssrc).copied();
        let section_of = |lane: usize| self.lanes.get(lane).map(|lane| lane.section);
        if let Some(lane) = known
            && named.is_none_or(|section| section_of(lane) == Some(section))
        {
            return Some(lane);
        }
        let mut api = rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let (section, rid) = (Section(stream.mid()), stream.rid().map(RidName));
        if self.sources.len() >= SOURCES_MAX || self.lanes.len() >= SOURCES_MAX {
            self.sources.clear();
            self.lanes.clear();
            self.pictures.clear();
        }
        let is_picture = rtc
            .media(section.0)
            .is_some_and(|media| media.kind().is_video());
        if is_picture && !self.pictures.contains(&ssrc) {
            self.pictures.push(ssrc);
        }
        let place = self.lanes.iter().position(|lane| lane.is(section, rid));
        let place = place.unwrap_or_else(|| {
            self.lanes.push(Lane::new(section, rid, ssrc));
            self.lanes.len() - 1
        });
        self.sources.insert(ssrc, place);
        Some(place)
    }
}

/// One encoding of a section. Its packets are numbered on over a change of its SSRC, of which nobody else knows: the new one
/// begins to count anywhere, also shortly before the old one's numbers, where all of it would be taken for late.
#[derive(Debug)]
struct Lane {
    section: Section,
    rid: Option<RidName>,
    /// Of the last packet.
    ssrc: Ssrc,
    newest: u64,
    shift: u64,
}

impl Lane {
    fn new(section: Section, rid: Option<RidName>, ssrc: Ssrc) -> Self {
        Self {
            section,
            rid,
            ssrc,
            newest: 0,
            shift: 0,
        }
    }

    fn is(&self, section: Section, rid: Option<RidName>) -> bool {
        self.section == section && self.rid == rid
    }

    fn number(&mut self, ssrc: Ssrc, seq: u64) -> u64 {
        if self.ssrc != ssrc {
            self.ssrc = ssrc;
            self.shift = (self.newest + SSRC_STEP).wrapping_sub(seq);
        }
        let numbered = seq.wrapping_add(self.shift);
        self.newest = self.newest.max(numbered);
        numbered
    }
}

/// Maps the wall clock in the client's sender reports to ours. One offset for all of its streams, so that they stay in
/// step (RFC 3550 §6.4.1). The offset is that of the packet that came fastest.
#[derive(Debug)]
struct SenderClock {
    base: Instant,
    /// Our nanoseconds since `base` less the client's since 1970, and when that was found.
    offset: Option<(i128, Instant)>,
}

impl SenderClock {
    fn captured(&mut self, packet: &RtpPacket) -> Instant {
        let arrived = packet.timestamp;
        let Some(report) = packet.last_sender_info else {
            return arrived;
        };
        let Ok(reported) = report.ntp_time.duration_since(UNIX_EPOCH) else {
            return arrived;
        };
        // Both are extended, but not from the same start.
        let ticks = low(packet.time.numer()).wrapping_sub(low(report.rtp_time.numer()));
        let ticks = i128::from(ticks.cast_signed());
        let hz = i128::from(packet.time.frequency().get());
        let sent_ns = ns(reported) + ticks * NS_PER_S / hz;
        let arrived_ns = ns(arrived.saturating_duration_since(self.base));
        let ideal = arrived_ns - sent_ns;
        let offset = match self.offset {
            Some((offset, at)) if (ideal - offset).abs() < CLOCK_JUMP_NS => {
                let passed = ns(arrived.saturating_duration_since(at));
                ideal.min(offset + passed / CLOCK_DRIFT_DIVISOR)
            }
            _ => ideal,
        };
        self.offset = Some((offset, arrived));
        u64::try_from(sent_ns + offset)
            .ok()
            .and_then(|ns| self.base.checked_add(Duration::from_nanos(ns)))
            .unwrap_or(arrived)
            .min(arrived)
    }
}

fn ns(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

fn low(extended: u64) -> u32 {
    u32::try_from(extended & u64::from(u32::MAX)).expect("masked")
}
