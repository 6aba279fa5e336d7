//! What was sent on a stream: enough to send it once more, and never anything else under the same number.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::connection::{Source, Vp8Rewrite};

/// What can be sent again: enough for two requests over a way of 250 ms there and back; older pictures have been shown.
pub(crate) const REPAIR_AGE_MAX_MS: u32 = 600;
const RING_MIN: usize = 128;
const RING_MAX: usize = 2_048;

const IN_USE: u8 = 1;
const MARKER: u8 = 1 << 1;
const VP8: u8 = 1 << 2;
const KEY_IDX: u8 = 1 << 3;
const EMPTY: u8 = 1 << 4;
const DESCRIBED: u8 = 1 << 5;
const RESENT: u8 = 1 << 6;

/// One packet as the receiver knows it. What it carried is in its track's history, once for all receivers; four of these
/// share two cache lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    seq: u32,
    pub(super) time: u32,
    source_seq: u32,
    pub(super) at_ms: u32,
    resent_ms: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    key_idx: u8,
    encoding: u8,
    pub(super) payload_type: u8,
    flags: u8,
}

/// What a packet becomes for a receiver, besides its header.
#[derive(Debug)]
pub(super) struct Form<'a> {
    pub(super) vp8: Option<Vp8Rewrite>,
    /// In place of the packet's own dependency descriptor.
    pub(super) descriptor: Option<&'a Arc<[u8]>>,
    pub(super) empty: bool,
}

impl Sent {
    pub(super) fn new(
        seq: u64,
        time: u32,
        marker: bool,
        payload_type: u8,
        source: Source,
        form: &Form<'_>,
        at_ms: u32,
    ) -> Self {
        let mut flags = IN_USE;
        let mut set = |flag, is: bool| flags |= if is { flag } else { 0 };
        set(MARKER, marker);
        set(EMPTY, form.empty);
        set(DESCRIBED, form.descriptor.is_some());
        set(VP8, form.vp8.is_some());
        let key_idx = form.vp8.and_then(|ids| ids.key_idx);
        set(KEY_IDX, key_idx.is_some());
        Self {
            seq: low(seq),
            time,
            source_seq: source.seq,
            at_ms,
            resent_ms: 0,
            picture_id: form.vp8.map_or(0, |ids| ids.picture_id),
            tl0_pic_idx: form.vp8.map_or(0, |ids| ids.tl0_pic_idx),
            key_idx: key_idx.unwrap_or(0),
            encoding: source.encoding,
            payload_type,
            flags,
        }
    }

    /// The packet of the track that it was made from.
    pub(crate) fn source(&self) -> Source {
        Source {
            encoding: self.encoding,
            seq: self.source_seq,
        }
    }

    /// As in its header.
    pub(super) fn number(&self) -> u16 {
        (self.seq & 0xffff) as u16
    }

    pub(super) fn marker(&self) -> bool {
        self.flags & MARKER != 0
    }

    /// It only took a number.
    pub(crate) fn is_empty(&self) -> bool {
        self.flags & EMPTY != 0
    }

    pub(super) fn vp8(&self) -> Option<Vp8Rewrite> {
        (self.flags & VP8 != 0).then_some(Vp8Rewrite {
            picture_id: self.picture_id,
            tl0_pic_idx: self.tl0_pic_idx,
            key_idx: (self.flags & KEY_IDX != 0).then_some(self.key_idx),
        })
    }
}

/// The last packets of a stream, by number.
#[derive(Debug, Default)]
pub(super) struct Record {
    ring: Vec<Sent>,
    /// Descriptors that were changed, oldest first.
    descriptors: VecDeque<(u32, Arc<[u8]>)>,
}

impl Record {
    pub(super) fn note(&mut self, sent: Sent, descriptor: Option<&Arc<[u8]>>) {
        if self.ring.is_empty() {
            self.ring = vec![Sent::default(); RING_MIN];
        }
        let old = self.place(sent.seq);
        let is_young = old.flags & IN_USE != 0
            && sent.at_ms.wrapping_sub(old.at_ms) < REPAIR_AGE_MAX_MS
            && old.seq != sent.seq;
        if is_young && self.ring.len() < RING_MAX {
            self.grow();
        }
        *self.place(sent.seq) = sent;
        if let Some(descriptor) = descriptor {
            if self.descriptors.len() >= self.ring.len() {
                self.descriptors.pop_front();
            }
            self.descriptors
                .push_back((sent.seq, Arc::clone(descriptor)));
        }
    }

    /// A packet that the receiver misses; None: too old, not known, or sent again less than `pause_ms` ago.
    pub(super) fn ask(&mut self, number: u16, now_ms: u32, pause_ms: u32) -> Option<Sent> {
        if self.ring.is_empty() {
            return None;
        }
        let sent = self.place(u32::from(number));
        let is_it = sent.flags & IN_USE != 0
            && sent.number() == number
            && now_ms.wrapping_sub(sent.at_ms) <= REPAIR_AGE_MAX_MS;
        let too_soon = sent.flags & RESENT != 0 && now_ms.wrapping_sub(sent.resent_ms) < pause_ms;
        if !is_it || too_soon {
            return None;
        }
        sent.flags |= RESENT;
        sent.resent_ms = now_ms;
        Some(*sent)
    }

    pub(super) fn descriptor(&self, sent: &Sent) -> Option<&Arc<[u8]>> {
        if sent.flags & DESCRIBED == 0 {
            return None;
        }
        let mut newest_first = self.descriptors.iter().rev();
        let found = newest_first.find(|(seq, _)| *seq == sent.seq);
        found.map(|(_, descriptor)| descriptor)
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.ring.len()
    }

    fn place(&mut self, seq: u32) -> &mut Sent {
        let mask = self.ring.len() - 1;
        &mut self.ring[seq as usize & mask]
    }

    fn grow(&mut self) {
        let twice = self.ring.len() * 2;
        let old = std::mem::replace(&mut self.ring, vec![Sent::default(); twice]);
        for sent in old {
            if sent.flags & IN_USE != 0 {
                *self.place(sent.seq) = sent;
            }
        }
    }
}

const SEALED_WORDS: usize = 16;
const SEALED_NUMBERS: u64 = 64 * SEALED_WORDS as u64;

/// Which numbers were used: a second packet under one would use its key stream twice, which gives both away (RFC 7714 §8.4).
#[derive(Debug, Default)]
pub(super) struct Used {
    /// One above the highest.
    next: u64,
    bits: [u64; SEALED_WORDS],
}

impl Used {
    /// False: used before, or too long ago to tell.
    pub(super) fn take(&mut self, number: u64) -> bool {
        if number >= self.next {
            if number - self.next >= SEALED_NUMBERS {
                self.bits = [0; SEALED_WORDS];
            } else {
                for fresh in self.next..number {
                    *self.word(fresh) &= !bit(fresh);
                }
            }
            *self.word(number) |= bit(number);
            self.next = number + 1;
            return true;
        }
        if self.next - number > SEALED_NUMBERS || *self.word(number) & bit(number) != 0 {
            return false;
        }
        *self.word(number) |= bit(number);
        true
    }

    fn word(&mut self, number: u64) -> &mut u64 {
        &mut self.bits[(number / 64) as usize % SEALED_WORDS]
    }
}

fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

fn low(seq: u64) -> u32 {
    (seq & u64::from(u32::MAX)) as u32
}

/// There may be two thousand for each stream of each viewer.
const _: () = assert!(size_of::<Sent>() == 28);
