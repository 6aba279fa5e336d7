//! A publisher, a network and a receiver, small and exact: what the random tests are made of.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::testing::Rng;

const TICKS_PER_FRAME: u64 = 3_000;
pub(super) const MS_PER_FRAME: u64 = 33;

/// Temporal layer of each frame in turn, and which of the frames before it needs (L1T3).
const PATTERN: [(u8, Option<u64>); 4] = [(0, Some(4)), (2, Some(1)), (1, Some(2)), (2, Some(1))];

/// Which frame a packet is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FrameId {
    pub(super) encoding: u8,
    pub(super) index: u64,
}

/// What is known of a packet besides what the forwarder sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    pub(super) frame: FrameId,
    pub(super) temporal: u8,
    pub(super) keyframe: bool,
    pub(super) first: bool,
    pub(super) last: bool,
    /// Packets of the frame.
    pub(super) count: u64,
    /// The frame it needs.
    pub(super) needs: Option<FrameId>,
    pub(super) padding: bool,
}

/// One VP8 encoding of three temporal layers.
#[derive(Debug)]
pub(super) struct Publisher {
    encoding: u8,
    seq: u64,
    time: u64,
    index: u64,
    since_key: u64,
    picture_id: u16,
    tl0: u8,
    key_idx: u8,
    long_ids: bool,
    key_wanted: bool,
}

impl Publisher {
    pub(super) fn new(encoding: u8, rng: &mut Rng) -> Self {
        Self {
            encoding,
            seq: (1 << 20) + rng.below(1 << 17),
            time: (1 << 33) + rng.below(1 << 33),
            index: 0,
            since_key: 0,
            picture_id: rng.next() as u16,
            tl0: rng.next() as u8,
            key_idx: rng.next() as u8,
            long_ids: rng.percent(70),
            key_wanted: true,
        }
    }

    pub(super) fn want_key(&mut self) {
        self.key_wanted = true;
    }

    /// The packets of the next frame, and padding now and then.
    pub(super) fn frame(&mut self, rng: &mut Rng, at: Instant) -> Vec<(TrackPacket, Truth)> {
        let keyframe = std::mem::take(&mut self.key_wanted);
        self.since_key = if keyframe { 0 } else { self.since_key + 1 };
        self.index += 1;
        self.time += TICKS_PER_FRAME;
        let place = (self.since_key % 4) as usize;
        let (temporal, back) = PATTERN[place];
        self.picture_id =
            self.picture_id.wrapping_add(1) & if self.long_ids { 0x7fff } else { 0x7f };
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        self.key_idx = self.key_idx.wrapping_add(u8::from(keyframe)) & 31;
        let needs = back.filter(|_| !keyframe).map(|back| FrameId {
            encoding: self.encoding,
            index: self.index - back,
        });
        let count = 1 + rng.below(if keyframe { 6 } else { 4 });
        let mut packets: Vec<_> = (0..count)
            .map(|number| {
                let (first, last) = (number == 0, number + 1 == count);
                let mut packet = self.packet(at);
                packet.marker = last;
                packet.frame = FrameInfo {
                    keyframe: keyframe && first,
                    start: first,
                    temporal,
                    spatial_count: 1,
                    // The first two frames after one of the base layer need that one only.
                    switch_up: keyframe && first || place == 1 || place == 2,
                    vp8: Some(Vp8Ids {
                        picture_id: Some(self.picture_id),
                        picture_id_is_15_bit: self.long_ids,
                        tl0_pic_idx: Some(self.tl0),
                        key_idx: Some(self.key_idx),
                    }),
                    ..FrameInfo::default()
                };
                let truth = Truth {
                    frame: self.id(),
                    temporal,
                    keyframe,
                    first,
                    last,
                    count,
                    needs,
                    padding: false,
                };
                (packet, truth)
            })
            .collect();
        if rng.percent(5) {
            packets.extend((0..rng.below(4)).map(|_| self.padding(at)));
        }
        packets
    }

    fn id(&self) -> FrameId {
        FrameId {
            encoding: self.encoding,
            index: self.index,
        }
    }

    fn packet(&mut self, at: Instant) -> TrackPacket {
        self.seq += 1;
        let mut packet = packet(self.encoding, self.seq, 0, at);
        packet.time = self.time;
        packet
    }

    fn padding(&mut self, at: Instant) -> (TrackPacket, Truth) {
        let mut packet = self.packet(at);
        packet.payload = Arc::from([]);
        packet.frame = FrameInfo::default();
        let truth = Truth {
            frame: self.id(),
            temporal: 0,
            keyframe: false,
            first: false,
            last: false,
            count: 1,
            needs: None,
            padding: true,
        };
        (packet, truth)
    }
}

/// Loss, doubling and reordering.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) loss_percent: u64,
    pub(super) double_percent: u64,
    pub(super) late_percent: u64,
    /// How many packets a late one is overtaken by, at most.
    pub(super) late_packets: u64,
    pub(super) held: Vec<(u64, TrackPacket, Truth)>,
    pub(super) lost: u64,
}

impl Network {
    /// What arrives when this is sent, in order.
    pub(super) fn pass(
        &mut self,
        rng: &mut Rng,
        packet: &TrackPacket,
        truth: Truth,
    ) -> Vec<(TrackPacket, Truth)> {
        let mut arrived = Vec::new();
        if rng.percent(self.loss_percent) {
            self.lost += 1;
        } else {
            let copies = 1 + usize::from(rng.percent(self.double_percent));
            for _ in 0..copies {
                if rng.percent(self.late_percent) {
                    let after = 1 + rng.below(self.late_packets);
                    self.held.push((after, packet.clone(), truth));
                } else {
                    arrived.push((packet.clone(), truth));
                }
            }
        }
        let mut still_held = Vec::new();
        for (after, packet, truth) in self.held.drain(..) {
            if after == 0 {
                arrived.push((packet, truth));
            } else {
                still_held.push((after - 1, packet, truth));
            }
        }
        self.held = still_held;
        arrived
    }
}

/// Everything that was sent, by its number.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    pub(super) packets: BTreeMap<u64, (Rewrite, Truth)>,
    inputs: BTreeSet<(u8, u64)>,
}

impl Receiver {
    pub(super) fn take(&mut self, packet: &TrackPacket, truth: Truth, rewrite: Rewrite) {
        assert!(
            self.inputs.insert((packet.encoding.0, packet.seq)),
            "sent twice: {packet:?}"
        );
        let seq = rewrite.seq;
        let before = self.packets.insert(seq, (rewrite, truth));
        assert!(
            before.is_none(),
            "two packets have the number {seq}: {before:?}"
        );
    }

    /// Numbers that are missing between the first and the last.
    pub(super) fn gaps(&self) -> u64 {
        match (
            self.packets.first_key_value(),
            self.packets.last_key_value(),
        ) {
            (Some((first, _)), Some((last, _))) => last - first + 1 - self.packets.len() as u64,
            _ => 0,
        }
    }

    /// What must hold however bad the network was.
    pub(super) fn check(&self) {
        let whole = self.whole_frames();
        let mut before: Option<&(Rewrite, Truth)> = None;
        let mut picture_before = None;
        for now in self.packets.values().filter(|(rewrite, _)| !rewrite.empty) {
            let (rewrite, truth) = now;
            assert!(!truth.padding);
            let Some((rewrite_before, truth_before)) = before.replace(now) else {
                assert!(truth.keyframe && truth.first, "begins with {truth:?}");
                continue;
            };
            if truth.frame == truth_before.frame {
                assert_eq!(rewrite.time, rewrite_before.time);
                assert_eq!(rewrite.vp8, rewrite_before.vp8);
                continue;
            }
            let step = rewrite.time.wrapping_sub(rewrite_before.time).cast_signed();
            assert!(
                step > 0,
                "time steps by {step} from {truth_before:?} to {truth:?}"
            );
            if truth.frame.encoding != truth_before.frame.encoding {
                assert!(truth.keyframe && truth.first, "switched to at {truth:?}");
            }
            if whole.contains(&truth.frame) {
                let picture = Some(picture_id(rewrite));
                assert_ne!(picture, picture_before, "at {truth:?}");
                picture_before = picture;
            }
        }
    }

    /// Those that a receiver will take as such: from a first to a last packet without a gap.
    fn whole_frames(&self) -> BTreeSet<FrameId> {
        let mut open: Option<(FrameId, u64)> = None;
        let mut whole = BTreeSet::new();
        for (seq, (rewrite, truth)) in &self.packets {
            if rewrite.empty {
                open = None;
                continue;
            }
            if truth.first {
                open = Some((truth.frame, *seq));
            }
            if let Some((frame, first)) = open
                && frame == truth.frame
                && rewrite.marker
            {
                if (first..=*seq).all(|seq| self.packets.contains_key(&seq)) {
                    assert_eq!(
                        seq - first + 1,
                        truth.count,
                        "{truth:?} looks whole but is not"
                    );
                    whole.insert(frame);
                }
                open = None;
            }
        }
        whole
    }

    /// What must hold when nothing was lost: every frame is whole and what it needs is there, ids go on one by one.
    pub(super) fn check_whole(&self) {
        assert_eq!(self.gaps(), 0);
        let mut frames = BTreeSet::new();
        let mut before: Option<&(Rewrite, Truth)> = None;
        for now in self.packets.values() {
            let (rewrite, truth) = now;
            assert!(!truth.padding && !rewrite.empty);
            if let Some(needed) = truth.needs {
                assert!(
                    frames.contains(&needed),
                    "{truth:?} needs what was not sent"
                );
            }
            if let Some((rewrite_before, truth_before)) = before.replace(now)
                && truth.frame != truth_before.frame
            {
                assert!(truth.first, "{truth:?} has no beginning");
                let (ids, ids_before) =
                    (rewrite.vp8.expect("ids"), rewrite_before.vp8.expect("ids"));
                let step = ids.picture_id.wrapping_sub(ids_before.picture_id) & 0x7f;
                assert_eq!(step, 1, "picture id at {truth:?}");
                let step = ids.tl0_pic_idx.wrapping_sub(ids_before.tl0_pic_idx);
                assert_eq!(step, u8::from(truth.temporal == 0), "TL0 at {truth:?}");
                let step = ids
                    .key_idx
                    .expect("given")
                    .wrapping_sub(ids_before.key_idx.expect("given"))
                    & 31;
                assert_eq!(step, u8::from(truth.keyframe), "key index at {truth:?}");
            }
            if truth.last {
                assert!(rewrite.marker);
                frames.insert(truth.frame);
            }
        }
    }
}

/// The lowest bits, which all widths have.
fn picture_id(rewrite: &Rewrite) -> u16 {
    rewrite.vp8.expect("ids").picture_id & 0x7f
}
