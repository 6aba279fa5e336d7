//! One stream of media to the client: an SSRC with its numbers, and what of it can be sent again (RFC 4588).

use std::time::{Duration, Instant};

use str0m::media::Mid;
use str0m::rtp::ExtensionMap;

use super::header::{Common, ExtensionIds, Header};
use super::sent::{Form, Record, Sent, Used};
use super::{Way, red_primary, vp8};
use crate::Transmits;
use crate::api::Codec;
use crate::connection::codecs::Payloads;
use crate::connection::{DownPacket, Extensions};
use crate::rtcp::{self, SenderReport};

/// The first sequence number stays below that, so that no loss near it can be taken for a roll-over.
const FIRST_SEQ_MASK: u64 = 0x7fff;
/// No more than that part of what is sent may be repairs: a client that asks for everything twice is no amplifier.
const REPAIR_PART: usize = 4;
/// What may be repaired at once, at first and at most.
const REPAIR_START_BYTES: usize = 64 * 1024;
const REPAIR_MAX_BYTES: usize = 256 * 1024;
/// What a repair costs besides its payload: header, extensions, the number that it had, tag, UDP and IP. Without it, packets
/// that only took a number could be had for nothing.
const REPAIR_OVERHEAD_BYTES: usize = 100;
/// A packet is not sent again sooner.
const REPAIR_PAUSE_MIN: Duration = Duration::from_millis(10);

/// What the client is told of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) struct Ssrcs {
    pub(in crate::connection) main: u32,
    pub(in crate::connection) repair: Option<u32>,
}

#[derive(Debug)]
pub(in crate::connection) struct Stream {
    ssrcs: Ssrcs,
    mid: Mid,
    headers: Common,
    payloads: Payloads,
    /// What is taken off the sequence numbers: a receiver takes the first to be of roll-over count 0 (RFC 3711 §3.3.1).
    seq_base: Option<u64>,
    used: Used,
    repair_seq: u64,
    repair_budget_bytes: usize,
    record: Record,
    clock: Option<Clock>,
    packets: u32,
    octets: u32,
    /// Something was sent since the last report.
    unreported: bool,
    counted: u64,
    /// Of the client's last report, if it was not asked for yet.
    lost_part: Option<f32>,
}

/// The newest packet.
#[derive(Debug, Clone, Copy)]
struct Clock {
    time: u32,
    captured: Instant,
    hz: u32,
}

impl Stream {
    pub(super) fn new(
        mid: Mid,
        ssrcs: Ssrcs,
        payloads: Payloads,
        extensions: &ExtensionMap,
    ) -> Self {
        let repaired = payloads.has_repair();
        Self {
            ssrcs: Ssrcs {
                repair: ssrcs.repair.filter(|_| repaired),
                ..ssrcs
            },
            mid,
            headers: Common::new(&mid, ExtensionIds::new(extensions)),
            payloads,
            seq_base: None,
            used: Used::default(),
            // Of no meaning (RFC 4588 §4), but not to be guessed either.
            repair_seq: u64::from(ssrcs.main) & FIRST_SEQ_MASK,
            repair_budget_bytes: REPAIR_START_BYTES,
            record: Record::default(),
            clock: None,
            packets: 0,
            octets: 0,
            unreported: false,
            counted: 0,
            lost_part: None,
        }
    }

    /// The section was described anew; the stream goes on.
    pub(in crate::connection) fn redescribe(
        &mut self,
        payloads: Payloads,
        extensions: &ExtensionMap,
    ) {
        if self.payloads != payloads {
            // Under the old payload types the client may understand something else now.
            self.forget();
        }
        self.payloads = payloads;
        self.headers = Common::new(&self.mid, ExtensionIds::new(extensions));
    }

    /// What was sent cannot be sent again: it was of another track, or was described otherwise.
    pub(in crate::connection) fn forget(&mut self) {
        self.record = Record::default();
    }

    pub(in crate::connection) fn ssrcs(&self) -> Ssrcs {
        self.ssrcs
    }

    /// At the end of `out`. False: the client has no decoder for it, or it is too old to have a number.
    pub(super) fn write(
        &mut self,
        packet: &DownPacket<'_>,
        way: &Way<'_>,
        out: &mut Transmits,
    ) -> bool {
        let Some((payload_type, payload)) = self.payload(packet) else {
            return false;
        };
        let base = *self.seq_base.get_or_insert(packet.seq & !FIRST_SEQ_MASK);
        // From before the first one: the client could not place it.
        let Some(seq) = packet.seq.checked_sub(base) else {
            return false;
        };
        if !self.used.take(seq) {
            return false;
        }
        let form = Form {
            vp8: packet.vp8,
            descriptor: packet.descriptor.as_ref(),
            empty: payload.is_empty(),
        };
        let header = Header {
            payload_type,
            marker: packet.marker,
            seq: (seq & 0xffff) as u16,
            time: packet.time,
            ssrc: self.ssrcs.main,
        };
        let own = packet.extensions.dependency_descriptor();
        let descriptor = form.descriptor.or(own).map(|bytes| &**bytes);
        let start = out.begin();
        let bytes = out.bytes_mut();
        header.write(bytes, &self.headers, packet.extensions, descriptor);
        let header_bytes = bytes.len() - start;
        append(bytes, payload, packet.vp8);
        if !way
            .sealer
            .seal_rtp(bytes, start, header_bytes, header.ssrc, seq)
        {
            return false;
        }
        out.commit(way.path.local, way.path.remote, start);
        if packet.nackable && self.ssrcs.repair.is_some() {
            let sent = Sent::new(
                seq,
                packet.time,
                packet.marker,
                payload_type,
                packet.source,
                &form,
                way.now_ms,
            );
            self.record.note(sent, packet.descriptor.as_ref());
        }
        self.count(packet, payload.len(), way.now);
        true
    }

    fn count(&mut self, packet: &DownPacket<'_>, payload_bytes: usize, now: Instant) {
        self.clock = Some(Clock {
            time: packet.time,
            // A sender report must not come from the future.
            captured: packet.captured.min(now),
            hz: packet.codec.clock_hz(),
        });
        self.packets = self.packets.wrapping_add(1);
        // Both wrap (RFC 3550 §6.4.1).
        let octets = u32::try_from(payload_bytes).unwrap_or(u32::MAX);
        self.octets = self.octets.wrapping_add(octets);
        self.unreported = true;
        self.counted += 1;
        let budget = self.repair_budget_bytes + payload_bytes / REPAIR_PART;
        self.repair_budget_bytes = budget.min(REPAIR_MAX_BYTES);
    }

    /// What of those can be sent once more.
    pub(super) fn missed(
        &mut self,
        numbers: impl Iterator<Item = u16>,
        now_ms: u32,
        round_trip: Option<Duration>,
    ) -> Vec<Sent> {
        if self.ssrcs.repair.is_none() {
            return Vec::new();
        }
        let pause = round_trip.map_or(REPAIR_PAUSE_MIN, |rtt| (rtt / 2).max(REPAIR_PAUSE_MIN));
        let pause_ms = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
        numbers
            .filter_map(|number| self.record.ask(number, now_ms, pause_ms))
            .collect()
    }

    /// False: it would be more than repairs may take.
    pub(super) fn resend(
        &mut self,
        sent: &Sent,
        payload: &[u8],
        extensions: &Extensions,
        way: &Way<'_>,
        out: &mut Transmits,
    ) -> bool {
        let Some(ssrc) = self.ssrcs.repair else {
            return false;
        };
        let Some(payload_type) = self.payloads.repair_of(sent.payload_type) else {
            return false;
        };
        let cost = payload.len() + REPAIR_OVERHEAD_BYTES;
        let Some(budget) = self.repair_budget_bytes.checked_sub(cost) else {
            return false;
        };
        self.repair_budget_bytes = budget;
        let seq = self.repair_seq;
        self.repair_seq += 1;
        let header = Header {
            payload_type,
            marker: sent.marker(),
            seq: (seq & 0xffff) as u16,
            time: sent.time,
            ssrc,
        };
        let own = extensions.dependency_descriptor();
        let descriptor = self.record.descriptor(sent).or(own).map(|bytes| &**bytes);
        let start = out.begin();
        let bytes = out.bytes_mut();
        header.write(bytes, &self.headers, extensions, descriptor);
        let header_bytes = bytes.len() - start;
        bytes.extend_from_slice(&sent.number().to_be_bytes());
        append(bytes, payload, sent.vp8());
        if !way.sealer.seal_rtp(bytes, start, header_bytes, ssrc, seq) {
            return false;
        }
        out.commit(way.path.local, way.path.remote, start);
        true
    }

    /// A report of this stream at the end of a compound packet, if there is anything new to tell.
    pub(super) fn report(&mut self, out: &mut Vec<u8>, now: Instant, ntp: u64, name: &str) {
        let Some(clock) = self.clock.filter(|_| self.unreported) else {
            return;
        };
        self.unreported = false;
        let passed = now.saturating_duration_since(clock.captured);
        let ticks = passed.as_nanos() * u128::from(clock.hz) / 1_000_000_000;
        let report = SenderReport {
            ssrc: self.ssrcs.main,
            ntp,
            rtp_time: clock
                .time
                .wrapping_add((ticks & u128::from(u32::MAX)) as u32),
            packets: self.packets,
            octets: self.octets,
        };
        rtcp::write_sender_report(out, &report);
        rtcp::write_cname(out, self.ssrcs.main, name);
    }

    pub(super) fn lost(&mut self, part: f32) {
        self.lost_part = Some(part);
    }

    /// Packets since it was asked last, and what part of them the client says it lost.
    pub(super) fn take_counts(&mut self) -> (u64, Option<f32>) {
        (std::mem::take(&mut self.counted), self.lost_part.take())
    }

    fn payload<'a>(&self, packet: &DownPacket<'a>) -> Option<(u8, &'a [u8])> {
        if let Some(payload_type) = self.payloads.get(packet.codec) {
            return Some((*payload_type, packet.payload));
        }
        if packet.codec != Codec::Red {
            return None;
        }
        let payload_type = self.payloads.get(Codec::Opus)?;
        Some((*payload_type, red_primary(packet.payload)?))
    }
}

fn append(out: &mut Vec<u8>, payload: &[u8], ids: Option<super::Vp8Rewrite>) {
    let start = out.len();
    out.extend_from_slice(payload);
    if let (Some(new), Some(payload)) = (ids, out.get_mut(start..)) {
        vp8::patch(payload, new);
    }
}
