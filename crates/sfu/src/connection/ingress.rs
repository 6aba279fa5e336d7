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
/// A sender's clock that jumped is followed at once.
const CLOCK_JUMP_NS: i128 = 10_000_000_000;
/// How fast the shortest way seen so far is forgotten: faster than any two clocks drift apart (200 parts per million).
const CLOCK_DRIFT_DIVISOR: i128 = 5_000;
const NS_PER_S: i128 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Ingress {
    incoming: Incoming,
    sources: HashMap<Ssrc, (Section, Option<RidName>)>,
    /// Of video, to be told how much they may send.
    pictures: Vec<Ssrc>,
    clock: SenderClock,
}

impl Ingress {
    pub(super) fn new(rtc: &Rtc, now: Instant) -> Self {
        Self {
            incoming: Incoming::new(rtc.codec_config()),
            sources: HashMap::new(),
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
        let (section, rid) = self.source(rtc, &packet)?;
        let codec = self.incoming.codec(packet.header.payload_type)?;
        let arrived = packet.timestamp;
        let captured = self.clock.captured(&packet);
        Some(UpPacket {
            section,
            rid,
            codec,
            seq: *packet.seq_no,
            time: packet.time.numer(),
            marker: packet.header.marker,
            payload: packet.payload,
            extensions: Extensions::forwarded(&packet.header.ext_vals),
            arrived,
            captured,
        })
    }

    /// Asking str0m makes it look at everything again, so what it said is kept.
    fn source(&mut self, rtc: &mut Rtc, packet: &RtpPacket) -> Option<(Section, Option<RidName>)> {
        let ssrc = packet.header.ssrc;
        let named = packet.header.ext_vals.mid.map(Section);
        if let Some(known) = self.sources.get(&ssrc)
            && named.is_none_or(|section| section == known.0)
        {
            return Some(*known);
        }
        let mut api = rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let source = (Section(stream.mid()), stream.rid().map(RidName));
        if self.sources.len() >= SOURCES_MAX {
            self.sources.clear();
            self.pictures.clear();
        }
        let is_picture = rtc
            .media(source.0.0)
            .is_some_and(|media| media.kind().is_video());
        if is_picture && !self.pictures.contains(&ssrc) {
            self.pictures.push(ssrc);
        }
        self.sources.insert(ssrc, source);
        Some(source)
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
