//! What receivers see besides sequence numbers: time, VP8 picture ids, frame numbers and decode targets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::map::{Map, Place};
use super::{Layers, Start};
use crate::codec::descriptor::{DecodeTargets, Descriptor, Head, active_of, rewrite};
use crate::connection::Vp8Rewrite;
use crate::packet::{TrackPacket, Vp8Ids};

/// Pictures, in words of 64, whose new ids can still be told.
const PICTURES_WORDS: usize = 2;
/// Two ways to continue the time that differ by less are taken as the same: then the sender's own clock is kept.
const TIME_SLACK_PER_S: i64 = 4;
/// A frame is never taken as longer than this part of a second.
const FRAME_PART_OF_S: u32 = 5;
/// Seconds that one step of time can bridge; longer pauses look like this long.
const STEP_MAX_S: u64 = 1 << 40;

/// The outgoing RTP time, continued over switches.
#[derive(Debug)]
pub(super) struct Clock {
    sent: Option<SentTime>,
    /// Where a stream begins.
    start: u32,
    offset: u32,
    /// Between the last two pictures.
    frame_ticks: u32,
}

/// The newest packet sent.
#[derive(Debug, Clone, Copy)]
struct SentTime {
    received: u64,
    sent: u32,
    captured: Instant,
    /// How much `sent` is ahead of what the time of capture would make it: each switch needs room for a frame.
    excess: i64,
}

impl Clock {
    pub(super) fn new(start: u32) -> Self {
        Self {
            sent: None,
            start,
            offset: 0,
            frame_ticks: 0,
        }
    }

    /// The packet is the first of an encoding, or of the same one (`same`) after a pause.
    pub(super) fn begin(&mut self, packet: &TrackPacket, same: bool) {
        let clock_hz = packet.codec.clock_hz();
        let begin = match self.sent {
            None => self.start,
            Some(sent) => {
                let elapsed = ticks_between(sent.captured, packet.captured, clock_hz);
                let by_capture = elapsed - sent.excess;
                let by_sender = signed_difference(packet.time, sent.received);
                let slack = i64::from(clock_hz) / TIME_SLACK_PER_S;
                let is_same_clock = same && by_sender > 0 && (by_sender - by_capture).abs() < slack;
                let step = if is_same_clock {
                    by_sender
                } else {
                    by_capture.max(self.frame(clock_hz))
                };
                let begin = sent.sent.wrapping_add(low_bits(step));
                self.sent = Some(SentTime {
                    received: packet.time,
                    sent: begin,
                    captured: packet.captured,
                    excess: sent.excess + step - elapsed,
                });
                begin
            }
        };
        self.offset = begin.wrapping_sub(packet.time as u32);
    }

    pub(super) fn rewrite(&self, time: u64) -> u32 {
        (time as u32).wrapping_add(self.offset)
    }

    /// A packet was sent; late ones change nothing.
    pub(super) fn advance(&mut self, packet: &TrackPacket) {
        let sent = self.rewrite(packet.time);
        let excess = match self.sent {
            None => 0,
            Some(last) => {
                let step = signed_difference(packet.time, last.received);
                if step <= 0 {
                    return;
                }
                let longest = packet.codec.clock_hz() / FRAME_PART_OF_S;
                if let Ok(step) = u32::try_from(step)
                    && step <= longest
                {
                    self.frame_ticks = step;
                }
                last.excess
            }
        };
        self.sent = Some(SentTime {
            received: packet.time,
            sent,
            captured: packet.captured,
            excess,
        });
    }

    fn frame(&self, clock_hz: u32) -> i64 {
        let usual = clock_hz / 30;
        i64::from(if self.frame_ticks == 0 {
            usual
        } else {
            self.frame_ticks
        })
    }
}

fn ticks_between(from: Instant, to: Instant, clock_hz: u32) -> i64 {
    let ticks = |elapsed: Duration| {
        let whole = elapsed.as_secs().min(STEP_MAX_S) * u64::from(clock_hz);
        let part = u64::from(elapsed.subsec_nanos()) * u64::from(clock_hz) / 1_000_000_000;
        i64::try_from(whole + part).unwrap_or(i64::MAX / 4)
    };
    match to.checked_duration_since(from) {
        Some(elapsed) => ticks(elapsed),
        None => -ticks(from.saturating_duration_since(to)),
    }
}

fn signed_difference(a: u64, b: u64) -> i64 {
    a.wrapping_sub(b).cast_signed()
}

/// RTP time wraps.
fn low_bits(ticks: i64) -> u32 {
    ticks.cast_unsigned() as u32
}

/// The ids of VP8 payload descriptors (RFC 7741 §4.2), continued over switches and pauses.
#[derive(Debug)]
pub(super) struct Pictures {
    map: Map<PICTURES_WORDS>,
    /// The newest id received, extended.
    newest: u64,
    is_begun: bool,
    tl0_offset: u8,
    tl0_last: u8,
    key_offset: u8,
    key_last: u8,
}

/// Room to go back from the first id.
const PICTURES_BASE: u64 = 1 << 32;

impl Pictures {
    pub(super) fn new(start: Start) -> Self {
        Self {
            map: Map::new(PICTURES_BASE, PICTURES_BASE | u64::from(start.picture_id)),
            newest: PICTURES_BASE,
            is_begun: false,
            tl0_offset: 0,
            tl0_last: start.tl0_pic_idx.wrapping_sub(1),
            key_offset: 0,
            key_last: u8::MAX,
        }
    }

    /// With this packet an encoding begins, or goes on after a pause.
    pub(super) fn begin(&mut self, ids: &Vp8Ids) {
        if let Some(id) = ids.picture_id {
            self.newest = PICTURES_BASE | u64::from(id);
            self.map = Map::new(self.newest, self.map.next());
        }
        if let Some(tl0) = ids.tl0_pic_idx {
            self.tl0_offset = self.tl0_last.wrapping_add(1).wrapping_sub(tl0);
        }
        if let Some(key) = ids.key_idx {
            self.key_offset = self.key_last.wrapping_add(1).wrapping_sub(key);
        }
        self.is_begun = true;
    }

    /// A packet's picture is kept or left out.
    pub(super) fn rewrite(&mut self, ids: &Vp8Ids, keep: bool) -> Option<Vp8Rewrite> {
        if !self.is_begun {
            self.begin(ids);
        }
        let picture_id = ids
            .picture_id
            .map(|id| self.picture(id, ids.picture_id_is_15_bit, keep));
        if !keep || (picture_id, ids.tl0_pic_idx, ids.key_idx) == (None, None, None) {
            return None;
        }
        let tl0_pic_idx = ids
            .tl0_pic_idx
            .map_or(0, |tl0| tl0.wrapping_add(self.tl0_offset));
        let key_idx = ids
            .key_idx
            .map(|key| key.wrapping_add(self.key_offset) & KEY_IDX_MASK);
        if ids.tl0_pic_idx.is_some() && tl0_pic_idx.wrapping_sub(self.tl0_last) < 1 << 7 {
            self.tl0_last = tl0_pic_idx;
        }
        if let Some(key) = key_idx
            && key.wrapping_sub(self.key_last) & KEY_IDX_MASK < 1 << 4
        {
            self.key_last = key;
        }
        Some(Vp8Rewrite {
            picture_id: picture_id.unwrap_or(0),
            tl0_pic_idx,
            key_idx,
        })
    }

    fn picture(&mut self, id: u16, is_15_bit: bool, keep: bool) -> u16 {
        let width = if is_15_bit { 15 } else { 7 };
        let full = self.extend(id, width);
        match self.map.place(full) {
            Place::New { .. } if keep => {
                self.map.keep(full);
            }
            Place::New { .. } => self.map.leave_out(full, 0),
            // Another stream's numbers: go on from here.
            Place::Jump => {
                self.map = Map::new(full, self.map.next());
                if keep {
                    self.map.keep(full);
                } else {
                    self.map.leave_out(full, 0);
                }
            }
            Place::Late | Place::LeftOut | Place::Duplicate | Place::Old => {}
        }
        self.newest = self.newest.max(full);
        (self.map.renumbered(full) & mask(width)) as u16
    }

    /// The extended id that is nearest to the newest one.
    fn extend(&self, id: u16, width: u32) -> u64 {
        let span = 1_u64 << width;
        let ahead = u64::from(id).wrapping_sub(self.newest) & mask(width);
        if ahead < span / 2 {
            self.newest + ahead
        } else {
            self.newest - (span - ahead)
        }
    }
}

const KEY_IDX_MASK: u8 = 0x1f;

fn mask(width: u32) -> u64 {
    (1 << width) - 1
}

/// Frame numbers and active decode targets of dependency descriptors.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Of the key frame in force.
    targets: DecodeTargets,
    /// What the sender makes, and what the receiver was told to expect.
    active: u32,
    told: u32,
    offset: u16,
    /// The newest one sent.
    last: Option<u16>,
}

impl Frames {
    /// With this packet an encoding begins, or goes on after a pause.
    pub(super) fn begin(&mut self, packet: &TrackPacket, same: bool) {
        let head = packet
            .extensions
            .dependency_descriptor()
            .and_then(|bytes| Head::parse(bytes));
        let (Some(head), Some(last)) = (head, self.last) else {
            return;
        };
        let next = last.wrapping_add(1);
        let is_ahead = |number: u16| number.wrapping_sub(next) < 1 << 15;
        if !(same && is_ahead(head.frame_number.wrapping_add(self.offset))) {
            self.offset = next.wrapping_sub(head.frame_number);
        }
    }

    /// None: as it is.
    pub(super) fn rewrite(&mut self, packet: &TrackPacket, layers: &Layers) -> Option<Arc<[u8]>> {
        // Structures come on first packets of frames; masks on any, but they are only of interest where layers are left out.
        let is_limited = self.told != self.active;
        if !packet.frame.start && self.offset == 0 && !is_limited {
            return None;
        }
        let bytes = packet.extensions.dependency_descriptor()?;
        let head = Head::parse(bytes)?;
        let number = head.frame_number.wrapping_add(self.offset);
        let is_newer = self
            .last
            .is_none_or(|last| number.wrapping_sub(last) < 1 << 15);
        if is_newer {
            self.last = Some(number);
        }
        let mut announced = self.told;
        if head.has_structure {
            let structure = Descriptor::parse(bytes, None)?;
            self.targets = structure.structure?.targets;
            self.active = structure.active.unwrap_or(self.targets.all());
            announced = self.active;
        } else if head.has_active {
            self.active = active_of(bytes, &self.targets)?;
            announced = self.active;
        }
        let limit = self.active & self.targets.up_to(layers.spatial, layers.temporal);
        let wanted = if limit == 0 { self.active } else { limit };
        self.told = wanted;
        let mask = (announced != wanted).then_some(wanted);
        if mask.is_none() && self.offset == 0 {
            return None;
        }
        rewrite(bytes, number, mask, self.targets.count())
    }
}
