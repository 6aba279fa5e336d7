//! Sections that are answered ahead of their tracks: the client reads of one stream for each section that it receives on,
//! and tracks come and go on it without another description. To the client it stays one stream: its numbers go on over
//! every change.

use std::time::{Duration, Instant};

use super::egress::Stream;
use super::sdp_text::Sending;
use super::sections::Binding;
use super::types::{DownPacket, Vp8Rewrite};
use super::{Connection, egress};

/// A longer pause of a stream looks like this long to the client.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
const FRAMES_PER_S: u32 = 30;
const PICTURE_ID_MASK: u16 = 0x7fff;
const KEY_IDX_MASK: u8 = 0x1f;

/// What the client was told of a section's stream, and where the last track on it left off.
#[derive(Debug)]
pub(super) struct Ahead {
    sending: Sending,
    /// None: a track has it.
    stream: Option<Stream>,
    splice: Splice,
}

/// Makes one stream of tracks that follow one another.
#[derive(Debug, Clone, Default)]
pub(super) struct Splice {
    /// The newest packet that was sent.
    last: Option<Last>,
    /// By which the present track's numbers are changed. None: nothing was sent of it yet.
    shift: Option<Shift>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    seq: u64,
    time: u32,
    captured: Instant,
    /// How much `time` is ahead of what the time of capture would make it: each change needs room for a frame.
    excess: u32,
    vp8: Option<Vp8Rewrite>,
}

#[derive(Debug, Clone, Copy)]
struct Shift {
    /// The first number of the track: what comes before it has no place any more.
    first: u64,
    seq: u64,
    time: u32,
    excess: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    key_idx: u8,
}

impl Connection {
    /// Before the answer: each section that can receive gets the stream that the answer tells of.
    pub(super) fn prepare_ahead(&mut self) {
        if !self.answers_ahead {
            return;
        }
        for (mid, entry) in &mut self.sections.entries {
            if !entry.usable() || entry.ahead.is_some() || entry.carries.is_some() {
                continue;
            }
            let ssrcs = self.egress.fresh_ssrcs(&mut self.rtc, entry.kind);
            let stream = egress::stream(&self.rtc, *mid, ssrcs, entry.payloads);
            let Some(stream) = stream else { continue };
            let ssrcs = stream.ssrcs();
            let stream_id = self
                .client
                .ahead_stream
                .get_or_insert_with(|| format!("stream-{}", ssrcs.main));
            entry.ahead = Some(Ahead {
                sending: Sending {
                    stream_id: stream_id.clone(),
                    track_id: format!("{stream_id}-{mid}"),
                    ssrcs,
                },
                stream: Some(stream),
                splice: Splice::default(),
            });
        }
    }

    /// After the answer: tracks that wait take their sections at once.
    pub(super) fn bind_ahead(&mut self) {
        if !self.answers_ahead || !self.client.is_settled() {
            return;
        }
        self.bind_waiting();
        for down in self.sections.downs.values_mut() {
            if let Some(binding) = &mut down.binding {
                binding.negotiated = true;
            }
        }
        self.announce_ready();
    }
}

impl Ahead {
    pub(super) fn sending(&self) -> &Sending {
        &self.sending
    }

    /// For a track that takes it over.
    pub(super) fn lend(&mut self) -> Option<Stream> {
        self.stream.take()
    }

    pub(super) fn continue_in(&self, binding: &mut Binding) {
        binding.splice = Some(Splice {
            last: self.splice.last,
            shift: None,
        });
    }

    /// The track is gone, the stream stays.
    pub(super) fn take_back(&mut self, mut binding: Binding) {
        // Its packets are in the history of that track; the next one has others under the same numbers.
        binding.stream.forget();
        self.stream = Some(binding.stream);
        self.splice = binding.splice.unwrap_or_default();
    }

    /// The client described the section anew.
    pub(super) fn stream_mut(&mut self) -> Option<&mut Stream> {
        self.stream.as_mut()
    }
}

impl Splice {
    /// The packet under the stream's own numbers. None: it is from before the first one of its track.
    pub(super) fn apply<'a>(&mut self, packet: &DownPacket<'a>) -> Option<DownPacket<'a>> {
        let last = self.last;
        let shift = *self.shift.get_or_insert_with(|| Shift::after(last, packet));
        if packet.seq < shift.first {
            return None;
        }
        let seq = packet.seq.wrapping_add(shift.seq);
        let time = packet.time.wrapping_add(shift.time);
        let vp8 = packet.vp8.map(|ids| shift.vp8(ids));
        if last.is_none_or(|last| last.seq < seq) {
            self.last = Some(Last {
                seq,
                time,
                captured: packet.captured,
                excess: shift.excess,
                vp8: vp8.or(last.and_then(|last| last.vp8)),
            });
        }
        Some(DownPacket {
            codec: packet.codec,
            seq,
            time,
            marker: packet.marker,
            payload: packet.payload,
            source: packet.source,
            extensions: packet.extensions,
            captured: packet.captured,
            nackable: packet.nackable,
            vp8,
            descriptor: packet.descriptor.clone(),
        })
    }
}

impl Shift {
    fn after(last: Option<Last>, packet: &DownPacket<'_>) -> Self {
        let mut shift = Self {
            first: packet.seq,
            seq: 0,
            time: 0,
            excess: 0,
            picture_id: 0,
            tl0_pic_idx: 0,
            key_idx: 0,
        };
        let Some(last) = last else {
            return shift;
        };
        let elapsed = ticks_since(last.captured, packet);
        let frame = packet.codec.clock_hz() / FRAMES_PER_S;
        let step = elapsed.saturating_sub(last.excess).max(frame);
        shift.excess = last.excess.saturating_add(step).saturating_sub(elapsed);
        shift.seq = last.seq.wrapping_add(1).wrapping_sub(packet.seq);
        shift.time = last.time.wrapping_add(step).wrapping_sub(packet.time);
        if let (Some(before), Some(ids)) = (last.vp8, packet.vp8) {
            shift.picture_id = before
                .picture_id
                .wrapping_add(1)
                .wrapping_sub(ids.picture_id);
            shift.tl0_pic_idx = before
                .tl0_pic_idx
                .wrapping_add(1)
                .wrapping_sub(ids.tl0_pic_idx);
            shift.key_idx = before
                .key_idx
                .unwrap_or(0)
                .wrapping_add(1)
                .wrapping_sub(ids.key_idx.unwrap_or(0));
        }
        shift
    }

    fn vp8(&self, ids: Vp8Rewrite) -> Vp8Rewrite {
        Vp8Rewrite {
            picture_id: ids.picture_id.wrapping_add(self.picture_id) & PICTURE_ID_MASK,
            tl0_pic_idx: ids.tl0_pic_idx.wrapping_add(self.tl0_pic_idx),
            key_idx: ids
                .key_idx
                .map(|key| key.wrapping_add(self.key_idx) & KEY_IDX_MASK),
        }
    }
}

/// Of the packet's clock, by the times of capture: so the stream's time and ours keep step, and with them its sender reports.
fn ticks_since(captured: Instant, packet: &DownPacket<'_>) -> u32 {
    let pause = packet.captured.saturating_duration_since(captured);
    let ticks = pause.min(PAUSE_MAX).as_micros() * u128::from(packet.codec.clock_hz()) / 1_000_000;
    // An hour is 324,000,000 ticks of the fastest clock.
    u32::try_from(ticks).unwrap_or(u32::MAX)
}
