//! One subscription's way through a track: which layer goes on, and under which numbers.

mod choice;
mod layers;
mod map;
mod rewrite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::api::{Codec, MediaKind};
use crate::codec::needs_descriptor;
use crate::connection::Vp8Rewrite;
use crate::packet::{LayerIndex, TrackPacket};

pub(crate) use choice::{choose, sort_layers};
use layers::Layers;
use map::{Map, Place};
use rewrite::{Clock, Frames, Pictures};

/// Packets, in words of 64, whose new numbers can still be told: 1,024, or several seconds of video.
const PACKETS_WORDS: usize = 16;
/// A packet that is further behind the newest one is of another numbering.
const WAITING_BACK_MAX: u64 = 1_024;
/// After so many packets in a row from before the window the sender has begun to number anew.
const OLD_IN_A_ROW_MAX: u16 = 64;

/// What a subscriber is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) encoding: LayerIndex,
    /// The highest one; 7: all.
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
}

/// Where the numbers of an outgoing stream begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) seq: u16,
    pub(crate) time: u32,
    pub(crate) picture_id: u16,
    pub(crate) tl0_pic_idx: u8,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    Send(Rewrite),
    /// Of another layer, or before the key frame that is waited for, or paused.
    Unwanted,
    /// Too old to be numbered, or a duplicate.
    Dropped,
}

/// What is different in the packet that is sent.
#[derive(Debug)]
pub(crate) struct Rewrite {
    pub(crate) seq: u64,
    pub(crate) time: u32,
    pub(crate) marker: bool,
    pub(crate) nackable: bool,
    pub(crate) vp8: Option<Vp8Rewrite>,
    /// In place of the packet's own dependency descriptor; None: as it is.
    pub(crate) descriptor: Option<Arc<[u8]>>,
    /// To be sent without a payload, like padding: only its number is needed, for one was kept free.
    pub(crate) empty: bool,
}

/// Every packet of every encoding of the track goes through `forward`, empty ones (padding) too: what it never saw would
/// be a gap.
#[derive(Debug)]
pub(crate) struct Forwarder {
    kind: MediaKind,
    target: Option<Target>,
    run: Option<Run>,
    waiting: Option<Waiting>,
    /// The number of the next packet, while there is no run.
    next_seq: u64,
    /// Of the last run.
    encoding: Option<LayerIndex>,
    clock: Clock,
    pictures: Pictures,
    frames: Frames,
}

/// An encoding that goes on, from a key frame to a switch or a pause.
#[derive(Debug)]
struct Run {
    encoding: LayerIndex,
    codec: Codec,
    packets: Map<PACKETS_WORDS>,
    layers: Layers,
    /// Of the newest packet.
    time: u64,
    /// The spatial layer of the newest packet, if that was left out as a part of a frame.
    left_out: Option<u8>,
    old_in_a_row: u16,
}

/// The newest packet of the encoding whose key frame is waited for. Of a key frame that comes later than its own later
/// packets too much is lost already.
#[derive(Debug)]
struct Waiting {
    encoding: LayerIndex,
    newest_seq: u64,
}

impl Forwarder {
    pub(crate) fn new(kind: MediaKind, start: Start) -> Self {
        Self {
            kind,
            target: None,
            run: None,
            waiting: None,
            next_seq: u64::from(start.seq),
            encoding: None,
            clock: Clock::new(start.time),
            pictures: Pictures::new(start),
            frames: Frames::default(),
        }
    }

    /// None: paused. Another encoding begins with its next key frame; until then the present one goes on.
    pub(crate) fn set_target(&mut self, target: Option<Target>) {
        self.target = target;
        if target.is_none() {
            self.end_run();
        }
    }

    pub(crate) fn target(&self) -> Option<Target> {
        self.target
    }

    /// The encoding that goes on at present.
    pub(crate) fn current(&self) -> Option<LayerIndex> {
        self.run.as_ref().map(|run| run.encoding)
    }

    /// The encoding whose key frame it is waiting for.
    pub(crate) fn keyframe_wanted(&self) -> Option<LayerIndex> {
        let target = self.target?;
        let is_waiting = match &self.run {
            Some(run) if run.encoding == target.encoding => run.layers.awaits_keyframe(target),
            Some(_) | None => true,
        };
        (self.kind == MediaKind::Video && is_waiting).then_some(target.encoding)
    }

    pub(crate) fn forward(&mut self, packet: &TrackPacket) -> Verdict {
        let Some(target) = self.target else {
            return Verdict::Unwanted;
        };
        if self.current() == Some(packet.encoding)
            && let Some(verdict) = self.go_on(packet, target)
        {
            return verdict;
        }
        if packet.encoding != target.encoding || !self.can_begin(packet) {
            return Verdict::Unwanted;
        }
        self.begin_run(packet, target);
        self.go_on(packet, target).unwrap_or(Verdict::Dropped)
    }

    /// The way to the receiver was rebuilt: start over at a key frame, with fresh numbers.
    pub(crate) fn restart(&mut self, start: Start) {
        let target = self.target;
        *self = Self::new(self.kind, start);
        self.target = target;
    }

    /// A packet of the present encoding. None: it is no continuation of it, the run has ended.
    fn go_on(&mut self, packet: &TrackPacket, target: Target) -> Option<Verdict> {
        let run = self.run.as_mut()?;
        if self.kind == MediaKind::Video && run.codec != packet.codec {
            self.end_run();
            return None;
        }
        match run.packets.place(packet.seq) {
            Place::New { gap } => {
                run.old_in_a_row = 0;
                Some(self.go_on_in_order(packet, target, gap))
            }
            // Its number was kept free, so it is sent, also if it is of a layer that is left out: else the receiver would
            // ask for it in vain.
            Place::Late => {
                let seq = run.packets.keep_late(packet.seq);
                if packet.payload.is_empty() || run.is_of_frame_left_out(packet) {
                    return Some(self.fill(packet, seq));
                }
                Some(self.send(packet, seq))
            }
            Place::LeftOut => Some(Verdict::Unwanted),
            Place::Duplicate => Some(Verdict::Dropped),
            Place::Old => {
                run.old_in_a_row += 1;
                if run.old_in_a_row < OLD_IN_A_ROW_MAX {
                    return Some(Verdict::Dropped);
                }
                self.end_run();
                None
            }
            Place::Jump => {
                self.end_run();
                None
            }
        }
    }

    fn go_on_in_order(&mut self, packet: &TrackPacket, target: Target, gap: u64) -> Verdict {
        let Some(run) = self.run.as_mut() else {
            return Verdict::Unwanted;
        };
        if packet.payload.is_empty() {
            run.packets.leave_out(packet.seq, 0);
            return Verdict::Unwanted;
        }
        let frame = &packet.frame;
        let is_new_picture = packet.time != run.time;
        if is_new_picture {
            run.time = packet.time;
            if target.encoding == run.encoding {
                run.layers.begin_picture(target, frame);
            }
        }
        if run.layers.accept(frame) {
            run.left_out = None;
            let seq = run.packets.keep(packet.seq);
            return self.send(packet, seq);
        }
        // What is missing inside a frame that is left out is a part of it.
        let is_same_frame = !is_new_picture && run.left_out == Some(frame.spatial);
        let before = match (is_same_frame, frame.start) {
            (true, _) => gap,
            (false, false) => gap.min(1),
            (false, true) => 0,
        };
        run.packets.leave_out(packet.seq, before);
        run.left_out = Some(frame.spatial);
        if let Some(ids) = &frame.vp8 {
            self.pictures.rewrite(ids, false);
        }
        Verdict::Unwanted
    }

    fn send(&mut self, packet: &TrackPacket, seq: u64) -> Verdict {
        let Some(run) = &self.run else {
            return Verdict::Unwanted;
        };
        let vp8 = match &packet.frame.vp8 {
            Some(ids) => self.pictures.rewrite(ids, true),
            None => None,
        };
        let descriptor = match needs_descriptor(packet.codec) {
            true => self.frames.rewrite(packet, &run.layers),
            false => None,
        };
        self.clock.advance(packet);
        Verdict::Send(Rewrite {
            seq,
            time: self.clock.rewrite(packet.time),
            marker: packet.marker || run.layers.ends_picture(&packet.frame),
            nackable: self.kind == MediaKind::Video,
            vp8,
            descriptor,
            empty: false,
        })
    }

    /// A number was kept free for a packet that is not to be sent.
    fn fill(&self, packet: &TrackPacket, seq: u64) -> Verdict {
        Verdict::Send(Rewrite {
            seq,
            time: self.clock.rewrite(packet.time),
            marker: false,
            nackable: self.kind == MediaKind::Video,
            vp8: None,
            descriptor: None,
            empty: true,
        })
    }

    /// Can the target's encoding be started with this packet?
    fn can_begin(&mut self, packet: &TrackPacket) -> bool {
        if self.kind == MediaKind::Audio {
            return !packet.payload.is_empty();
        }
        let newest = match &self.waiting {
            Some(waiting) if waiting.encoding == packet.encoding => Some(waiting.newest_seq),
            Some(_) | None => None,
        };
        // Far behind: the sender has begun to number anew.
        let newest = newest.filter(|newest| newest.saturating_sub(packet.seq) < WAITING_BACK_MAX);
        let is_newest = newest.is_none_or(|newest| packet.seq > newest);
        if is_newest {
            self.waiting = Some(Waiting {
                encoding: packet.encoding,
                newest_seq: packet.seq,
            });
        }
        is_newest && packet.frame.keyframe && !packet.payload.is_empty()
    }

    fn begin_run(&mut self, packet: &TrackPacket, target: Target) {
        self.end_run();
        let same = self.encoding == Some(packet.encoding);
        self.encoding = Some(packet.encoding);
        self.waiting = None;
        self.clock.begin(packet, same);
        if let Some(ids) = &packet.frame.vp8 {
            self.pictures.begin(ids);
        }
        if needs_descriptor(packet.codec) {
            self.frames.begin(packet, same);
        }
        self.run = Some(Run {
            encoding: packet.encoding,
            codec: packet.codec,
            packets: Map::new(packet.seq, self.next_seq),
            layers: Layers::new(target, &packet.frame),
            time: packet.time,
            left_out: None,
            old_in_a_row: 0,
        });
    }

    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            self.next_seq = run.packets.next();
            self.waiting = Some(Waiting {
                encoding: run.encoding,
                newest_seq: run.packets.newest(),
            });
        }
    }
}

impl Run {
    /// A late packet whose neighbour in the same frame is left out. What is left of such a frame must not look whole.
    fn is_of_frame_left_out(&self, packet: &TrackPacket) -> bool {
        let is_last = packet.marker || packet.frame.end;
        let before = packet.seq.wrapping_sub(1);
        let after = packet.seq.wrapping_add(1);
        !packet.frame.start && self.packets.is_left_out(before)
            || !is_last && self.packets.is_left_out(after)
    }
}
