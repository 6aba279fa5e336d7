//! The way of a packet inside a room: in from a publisher's connection or a link, out to subscriptions and links.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::api::{MediaKind, PeerId, TrackId};
use crate::connection::{
    DownKey, DownPacket, Extensions, REPAIR_AGE_MAX_MS, Sent, Source, UpPacket,
};
use crate::connections::Up;
use crate::context::Context;
use crate::forwarder::Verdict;
use crate::io::Slot;
use crate::link::LinkBody;
use crate::packet::{FrameInfo, LayerIndex, TrackPacket};

use super::Room;
use super::track::{Origin, Subscription, Track};

/// Packets of one track that a batch may bring; the receive batch is smaller.
const PENDING_MAX: usize = 256;
/// What is kept for subscribers that ask again: a little longer than they may.
const HISTORY_AGE_MAX: Duration = Duration::from_millis(REPAIR_AGE_MAX_MS as u64 + 100);
const HISTORY_MAX: usize = 2_048;

impl Room {
    /// From the publisher's own connection: named, read once, and put with the others of its batch. True: this track
    /// has work now.
    pub(crate) fn packet_in(
        &mut self,
        publisher: PeerId,
        up: &Up,
        packet: UpPacket,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(track) = self.tracks.get_mut(&up.track) else {
            cx.counters.rtp_dropped += 1;
            return false;
        };
        let encoding = match packet.rid {
            Some(rid) => up.rids.iter().position(|known| *known == rid).unwrap_or(0),
            None => 0,
        };
        let Some(state) = track.encodings.get_mut(encoding) else {
            cx.counters.rtp_dropped += 1;
            return false;
        };
        let frame = state.inspector.inspect(
            packet.codec,
            &packet.payload,
            packet.extensions.dependency_descriptor().map(|d| &**d),
        );
        if let Some(level) = packet.extensions.audio_level() {
            self.speakers
                .observe(publisher, up.track, level, cx.now.instant);
        }
        let packet = TrackPacket {
            track: up.track,
            encoding: LayerIndex(u8::try_from(encoding).unwrap_or(u8::MAX)),
            codec: packet.codec,
            seq: packet.seq,
            time: packet.time,
            marker: packet.marker,
            payload: packet.payload,
            extensions: if crate::codec::needs_descriptor(packet.codec) {
                packet.extensions
            } else {
                packet.extensions.without_descriptor()
            },
            frame,
            arrived: packet.arrived,
            captured: packet.captured,
        };
        self.take_in(packet, cx)
    }

    /// A packet of a local or remote track joins its batch.
    pub(super) fn take_in(&mut self, packet: TrackPacket, cx: &mut Context<'_>) -> bool {
        let id = packet.track;
        let Some(track) = self.tracks.get_mut(&id) else {
            cx.counters.rtp_dropped += 1;
            return false;
        };
        let woke = track.observe(&packet);
        if track.pending.len() >= PENDING_MAX {
            cx.counters.rtp_dropped += 1;
            return true;
        }
        track.pending.push(packet);
        // It may be the key frame that the new choice needs: `forward` asks if it was not.
        if woke {
            self.aim(id, cx);
        }
        true
    }

    /// What the batch brought for one track: to each subscriber from `first` on all of it, as long as any are `left`; in the
    /// end to each shard once. Gives the subscriber to go on with.
    pub(crate) fn forward(
        &mut self,
        id: TrackId,
        first: usize,
        left: &mut usize,
        cx: &mut Context<'_>,
    ) -> Option<usize> {
        let track = self.tracks.get_mut(&id)?;
        let mut next = first;
        while let Some(subscription) = track.subscriptions.get_mut(next) {
            if *left == 0 {
                return Some(next);
            }
            *left -= 1;
            next += 1;
            write_all(subscription, &track.pending, cx);
        }
        self.hand_on(id, cx);
        None
    }

    /// The batch is with all subscribers: now to the other shards, and into the history.
    fn hand_on(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let room = self.id();
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let mut packets = std::mem::take(&mut track.pending);
        if let Origin::Local { wants, .. } = &track.origin {
            for (shard, wants) in wants.clone() {
                let wanted: Vec<TrackPacket> = packets
                    .iter()
                    .filter(|packet| wants.contain(packet.encoding))
                    .cloned()
                    .collect();
                if !wanted.is_empty() {
                    cx.counters.link_packets_out += u64::try_from(wanted.len()).unwrap_or(0);
                    cx.link(shard, room, LinkBody::Packets(wanted));
                }
            }
        }
        track.remember(&mut packets);
        track.pending = packets;
        if track.needs_keyframe() {
            self.ask_keyframes(id, cx);
        }
    }
}

impl Room {
    /// A subscriber asks for packets once more.
    pub(crate) fn resend(
        &self,
        id: TrackId,
        slot: Slot,
        key: DownKey,
        packets: &[Sent],
        cx: &mut Context<'_>,
    ) {
        // A track that is gone has no packets.
        let track = self.tracks.get(&id);
        let nothing = Extensions::default();
        let now = cx.now;
        let counters = &mut *cx.counters;
        let out = &mut cx.out.transmits;
        let Some(entry) = cx.connections.get_mut(slot) else {
            return;
        };
        let step = entry.guard(|connection| {
            for sent in packets {
                let found = track.and_then(|track| track.recall(sent.source()));
                let (payload, extensions) = match found {
                    _ if sent.is_empty() => (&[][..], found.map_or(&nothing, |p| &p.extensions)),
                    Some(packet) => (&*packet.payload, &packet.extensions),
                    None => {
                        counters.rtp_resend_refused += 1;
                        continue;
                    }
                };
                if connection.resend(now, key, sent, payload, extensions, out) {
                    counters.rtp_resent += 1;
                    counters.datagrams_out += 1;
                } else {
                    counters.rtp_resend_refused += 1;
                }
            }
        });
        if step.is_none() {
            cx.connections.mark(slot);
        }
    }
}

impl Track {
    /// Keeps what subscribers may ask for again, once for all of them. Empties `packets`.
    fn remember(&mut self, packets: &mut Vec<TrackPacket>) {
        if self.publication.kind != MediaKind::Video || self.subscriptions.is_empty() {
            packets.clear();
            for encoding in &mut self.encodings {
                encoding.history.clear();
            }
            return;
        }
        for packet in packets.drain(..) {
            if let Some(encoding) = self.encodings.get_mut(usize::from(packet.encoding.0)) {
                let history = &mut encoding.history;
                let is_old = |old: &TrackPacket| {
                    packet.arrived.saturating_duration_since(old.arrived) > HISTORY_AGE_MAX
                };
                while history.len() >= HISTORY_MAX || history.front().is_some_and(is_old) {
                    history.pop_front();
                }
                history.push_back(packet);
            }
        }
    }

    fn recall(&self, source: Source) -> Option<&TrackPacket> {
        let encoding = self.encodings.get(usize::from(source.encoding))?;
        find(&encoding.history, source.seq)
    }

    /// Notes what the packet says of its encoding. True: it was silent before, so layers may be chosen anew.
    fn observe(&mut self, packet: &TrackPacket) -> bool {
        let was_live = self.is_live_by_packets(packet.encoding, packet.arrived);
        let FrameInfo {
            keyframe,
            spatial_count,
            ..
        } = packet.frame;
        if let Some(encoding) = self.encodings.get_mut(usize::from(packet.encoding.0)) {
            if encoding.last_packet.is_none() {
                encoding.throttle.can_ask();
            }
            encoding.last_packet = Some(packet.arrived);
            if keyframe {
                encoding.throttle.satisfied();
            }
        }
        let grew = spatial_count > self.spatial_count;
        self.spatial_count = self.spatial_count.max(spatial_count);
        !was_live || grew
    }

    fn is_live_by_packets(&self, encoding: LayerIndex, now: std::time::Instant) -> bool {
        self.encodings
            .get(usize::from(encoding.0))
            .is_some_and(|e| e.last_packet.is_some())
            && self.is_live(encoding, now)
    }

    fn needs_keyframe(&self) -> bool {
        self.subscriptions.iter().any(|subscription| {
            subscription.ready && subscription.forwarder.keyframe_wanted().is_some()
        })
    }
}

/// One subscriber's share of a batch.
fn write_all(subscription: &mut Subscription, packets: &[TrackPacket], cx: &mut Context<'_>) {
    let count = u64::try_from(packets.len()).unwrap_or(0);
    cx.counters.forwards += count;
    if !subscription.ready {
        cx.counters.rtp_unwanted += count;
        return;
    }
    let slot = subscription.slot;
    let key = subscription.key;
    let forwarder = &mut subscription.forwarder;
    let Some(entry) = cx.connections.get_mut(slot).filter(|entry| !entry.faulted) else {
        cx.counters.rtp_unforwarded += count;
        return;
    };
    let now = cx.now;
    let counters = &mut *cx.counters;
    let out = &mut cx.out.transmits;
    let woken = entry.guard(|connection| {
        let mut writer = connection.writer(now, key);
        for packet in packets {
            let rewrite = match forwarder.forward(packet) {
                Verdict::Send(rewrite) => rewrite,
                Verdict::Unwanted => {
                    counters.rtp_unwanted += 1;
                    continue;
                }
                Verdict::Dropped => {
                    counters.rtp_unforwarded += 1;
                    continue;
                }
            };
            let down = DownPacket {
                codec: packet.codec,
                seq: rewrite.seq,
                time: rewrite.time,
                marker: rewrite.marker,
                payload: if rewrite.empty { &[] } else { &packet.payload },
                source: Source {
                    encoding: packet.encoding.0,
                    seq: low(packet.seq),
                },
                extensions: &packet.extensions,
                captured: packet.captured,
                nackable: rewrite.nackable,
                vp8: rewrite.vp8,
                descriptor: rewrite.descriptor,
            };
            let writer = writer.as_mut();
            if writer.is_some_and(|writer| writer.write(&down, out)) {
                counters.rtp_out += 1;
                counters.datagrams_out += 1;
                counters.rtp_out_bytes += u64::try_from(packet.payload.len()).unwrap_or(0);
            } else {
                counters.rtp_unforwarded += 1;
            }
        }
        connection.take_woken()
    });
    // A fault is looked at there, too.
    if woken != Some(false) {
        cx.connections.mark(slot);
    }
}

/// As many requests may come as there are packets: it is looked for where it is if none was lost on the way here, then after
/// that, then everywhere.
fn find(history: &VecDeque<TrackPacket>, seq: u32) -> Option<&TrackPacket> {
    let behind = low(history.back()?.seq).wrapping_sub(seq);
    let behind = usize::try_from(behind).unwrap_or(usize::MAX);
    let likely = (history.len() - 1).saturating_sub(behind);
    let is_it = |packet: &&TrackPacket| low(packet.seq) == seq;
    let mut after = history.range(likely..);
    after
        .find(is_it)
        .or_else(|| history.range(..likely).find(is_it))
}

fn low(seq: u64) -> u32 {
    (seq & u64::from(u32::MAX)) as u32
}

/// Keeps the hot path's packet small enough to be copied to several shards.
const _: () = assert!(size_of::<TrackPacket>() <= 512 && size_of::<Arc<[u8]>>() == 16);

#[cfg(test)]
mod tests;
