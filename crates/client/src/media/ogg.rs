//! Opus in Ogg (RFC 7845). Pages and checksums are the crate `ogg`'s; times are those that the packets say themselves.

use std::time::Duration;

use ::ogg::reading::{BasePacketReader, OggReadError, PageParser};

use super::FormatError;
use crate::Codec;
use crate::frames::Frame;

mod writer;

pub use writer::Writer;

const PAGE_HEADER_BYTES: usize = 27;
/// Identification and comments come before the sound.
const HEADERS: u32 = 2;

pub struct Reader {
    bytes: Vec<u8>,
    page: Page,
    packets: BasePacketReader,
    count: u32,
    time: Duration,
}

#[derive(Default)]
enum Page {
    #[default]
    Header,
    Segments(PageParser, usize),
    Data(PageParser, usize),
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("count", &self.count)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            page: Page::Header,
            packets: BasePacketReader::new(),
            count: 0,
            time: Duration::ZERO,
        }
    }
}

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn next_frame(&mut self) -> Result<Option<Frame>, FormatError> {
        loop {
            while let Some(packet) = self.packets.read_packet() {
                self.count += 1;
                if self.count == 1 && !packet.data.starts_with(b"OpusHead") {
                    return Err(FormatError::Codec("something other than Opus".to_owned()));
                }
                if self.count > HEADERS && !packet.data.is_empty() {
                    let time = self.time;
                    self.time += opus_duration(&packet.data);
                    return Ok(Some(Frame {
                        codec: Codec::Opus,
                        time,
                        data: packet.data,
                    }));
                }
            }
            if !self.read_page()? {
                return Ok(None);
            }
        }
    }

    pub fn finish(&mut self) -> Result<(), FormatError> {
        match self.page {
            Page::Header if self.bytes.is_empty() => Ok(()),
            Page::Header | Page::Segments(..) | Page::Data(..) => Err(FormatError::Cut),
        }
    }

    /// One step of a page; false when there are not enough bytes for it.
    fn read_page(&mut self) -> Result<bool, FormatError> {
        let wanted = match &self.page {
            Page::Header => PAGE_HEADER_BYTES,
            Page::Segments(_, length) | Page::Data(_, length) => *length,
        };
        if self.bytes.len() < wanted {
            return Ok(false);
        }
        let bytes: Vec<u8> = self.bytes.drain(..wanted).collect();
        self.page = match std::mem::take(&mut self.page) {
            Page::Header => {
                let header = bytes
                    .first_chunk()
                    .copied()
                    .unwrap_or([0; PAGE_HEADER_BYTES]);
                let (parser, segments) =
                    PageParser::new(header).map_err(|error| damaged(&error))?;
                Page::Segments(parser, segments)
            }
            Page::Segments(mut parser, _) => {
                let length = parser.parse_segments(bytes);
                Page::Data(parser, length)
            }
            Page::Data(parser, _) => {
                let page = parser
                    .parse_packet_data(bytes)
                    .map_err(|error| damaged(&error))?;
                self.packets
                    .push_page(page)
                    .map_err(|error| damaged(&error))?;
                Page::Header
            }
        };
        Ok(true)
    }
}

fn damaged(error: &OggReadError) -> FormatError {
    FormatError::Damaged(error.to_string())
}

/// The identification header: two channels, and nothing to leave out at the beginning (RFC 7845 §5.1).
pub(super) fn opus_head() -> Vec<u8> {
    let mut bytes = b"OpusHead\x01\x02\0\0".to_vec();
    bytes.extend_from_slice(&48_000_u32.to_le_bytes());
    bytes.extend_from_slice(&[0; 3]);
    bytes
}

/// RFC 6716 §3.1: the first byte says how long a frame is, and it or the second how many there are.
pub(super) fn opus_duration(packet: &[u8]) -> Duration {
    let toc = packet.first().copied().unwrap_or_default();
    let configuration = toc >> 3;
    let frame_us = match configuration {
        0..12 => [10_000, 20_000, 40_000, 60_000][usize::from(configuration & 3)],
        12..16 => [10_000, 20_000][usize::from(configuration & 1)],
        _ => [2_500, 5_000, 10_000, 20_000][usize::from(configuration & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(1, |byte| u32::from(byte & 0x3f)),
    };
    Duration::from_micros(frame_us) * frames
}
