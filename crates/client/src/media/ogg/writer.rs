//! Opus in Ogg, a page for each fragment.

use ::ogg::writing::{PacketWriteEndInfo, PacketWriter};

use super::{opus_duration, opus_head};
use crate::Codec;
use crate::media::writing::{self, Sample, Tracks};

const SERIAL: u32 = 1;
const SAMPLES_IN_MS: u128 = 48;

pub struct Writer {
    packets: PacketWriter<'static, Vec<u8>>,
    /// Its page says that it is the last, so it waits until it is known not to be.
    waiting: Option<Sample>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            packets: PacketWriter::new(Vec::new()),
            waiting: None,
        }
    }
}

impl Writer {
    fn put(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo, position: u64) {
        let written = self.packets.write_packet(packet, SERIAL, end, position);
        written.expect("a vector takes everything");
    }

    fn put_sample(&mut self, sample: &Sample, end: PacketWriteEndInfo) {
        let over = sample.time + opus_duration(&sample.data);
        let position = over.as_micros() * SAMPLES_IN_MS / 1000;
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        self.put(sample.data.to_vec(), end, position);
    }

    fn written(&mut self) -> Vec<u8> {
        std::mem::take(self.packets.inner_mut())
    }
}

impl writing::Writer for Writer {
    fn header(&mut self, _: &Tracks) -> Vec<u8> {
        let mut tags = b"OpusTags\x06\0\0\0madang".to_vec();
        tags.extend_from_slice(&[0; 4]);
        for packet in [opus_head(), tags] {
            self.put(packet, PacketWriteEndInfo::EndPage, 0);
        }
        self.written()
    }

    fn fragment(&mut self, samples: Vec<Sample>) -> Vec<u8> {
        let mut sound = samples
            .into_iter()
            .filter(|sample| sample.codec == Codec::Opus);
        let Some(first) = sound.next() else {
            return Vec::new();
        };
        let first = self.waiting.replace(first);
        if let Some(sample) = first {
            self.put_sample(&sample, PacketWriteEndInfo::NormalPacket);
        }
        let mut sound = sound.peekable();
        while let Some(sample) = sound.next() {
            let end = if sound.peek().is_none() {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            if let Some(waited) = self.waiting.replace(sample) {
                self.put_sample(&waited, end);
            }
        }
        self.written()
    }

    fn end(&mut self) -> Vec<u8> {
        if let Some(sample) = self.waiting.take() {
            self.put_sample(&sample, PacketWriteEndInfo::EndStream);
        }
        self.written()
    }
}
