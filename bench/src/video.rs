//! The video that the clients send: packets of the right size and shape, with nothing to be seen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_client::{Codec, Outgoing, Peer, Section};

/// A key frame now and then, as encoders send them.
const KEYFRAME_EVERY: u32 = 300;

/// A camera's packets: frames at an even pace, a key frame when one is wanted.
#[derive(Debug)]
pub(crate) struct Video {
    interval: Duration,
    packets: u32,
    payload_bytes: usize,
    next: Instant,
    frame: u32,
    seq: u64,
    keyframe_wanted: bool,
}

impl Video {
    pub(crate) fn new(interval: Duration, packets: u32, payload_bytes: usize) -> Self {
        Self {
            interval,
            packets,
            payload_bytes,
            next: Instant::now(),
            frame: 0,
            seq: 1,
            keyframe_wanted: true,
        }
    }

    /// When the next frame is due.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    pub(crate) fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// One frame, all packets at once.
    pub(crate) fn send(&mut self, peer: &mut Peer, section: Section) -> anyhow::Result<()> {
        let keyframe =
            std::mem::take(&mut self.keyframe_wanted) || self.frame.is_multiple_of(KEYFRAME_EVERY);
        let ticks = u32::try_from(self.interval.as_micros() * 9 / 100)?;
        for packet in 0..self.packets {
            let outgoing = Outgoing {
                seq: self.seq,
                time: self.frame.wrapping_mul(ticks),
                marker: packet + 1 == self.packets,
                payload: payload(self.frame, packet == 0, keyframe, self.payload_bytes)?,
            };
            peer.write(section, Codec::Vp8, outgoing)?;
            self.seq += 1;
        }
        self.frame += 1;
        self.next += self.interval;
        Ok(())
    }
}

/// VP8 (RFC 7741 §4.2): a descriptor with a long picture id, the header of a key frame or of another.
fn payload(frame: u32, first: bool, keyframe: bool, length: usize) -> anyhow::Result<Arc<[u8]>> {
    let picture_id = 0x8000 | u16::try_from(frame & 0x7fff)?;
    let mut bytes = vec![0x80 | (u8::from(first) << 4), 0x80];
    bytes.extend(picture_id.to_be_bytes());
    if first {
        bytes.extend([
            u8::from(!keyframe),
            0,
            0,
            0x9d,
            0x01,
            0x2a,
            0x80,
            0x02,
            0xe0,
            0x01,
        ]);
    }
    bytes.resize(length, 0xab);
    Ok(bytes.into())
}
