//! IVF: a header of 32 bytes; each frame with its length and time before it.

use std::time::Duration;

use super::{FRAME_BYTES_MAX, FormatError};
use crate::Codec;
use crate::frames::Frame;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 12;
/// Of the times that we write.
const RATE_HZ: u32 = 90_000;

#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    header: Option<Header>,
    first: Option<u64>,
    time: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    codec: Codec,
    /// Units of time in a second, and how many of them one step is.
    rate: u32,
    scale: u32,
}

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn next_frame(&mut self) -> Result<Option<Frame>, FormatError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(bytes) = self.bytes.get(..HEADER_BYTES) else {
                    return Ok(None);
                };
                let (header, length) = read_header(bytes)?;
                if self.bytes.len() < length {
                    return Ok(None);
                }
                self.bytes.drain(..length);
                *self.header.insert(header)
            }
        };
        let (Some(length), Some(time)) = (read_u32(&self.bytes, 0), read_u64(&self.bytes, 4))
        else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            let what = format!("a frame of {length} bytes");
            return Err(FormatError::Damaged(what));
        }
        let end = FRAME_HEADER_BYTES + length;
        let Some(data) = self.bytes.get(FRAME_HEADER_BYTES..end) else {
            return Ok(None);
        };
        let data = data.to_vec();
        self.bytes.drain(..end);
        self.advance(header, time);
        Ok(Some(Frame {
            codec: header.codec,
            time: self.time,
            data,
        }))
    }

    pub fn finish(&mut self) -> Result<(), FormatError> {
        match self.header {
            Some(_) if self.bytes.is_empty() => Ok(()),
            Some(_) | None => Err(FormatError::Cut),
        }
    }

    /// Time does not run backwards, whatever the file says.
    fn advance(&mut self, header: Header, time: u64) {
        let first = *self.first.get_or_insert(time);
        let steps = u128::from(time.saturating_sub(first)) * u128::from(header.scale);
        let micros = steps * 1_000_000 / u128::from(header.rate);
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.time = self.time.max(Duration::from_micros(micros));
    }
}

fn read_header(bytes: &[u8]) -> Result<(Header, usize), FormatError> {
    let damaged = |what: &str| FormatError::Damaged(what.to_owned());
    if !bytes.starts_with(b"DKIF") {
        return Err(FormatError::Unknown);
    }
    let length = usize::from(read_u16(bytes, 6).unwrap_or_default());
    if length < HEADER_BYTES {
        return Err(damaged("its header is too short"));
    }
    let name = bytes.get(8..12).unwrap_or_default();
    let codec = match name {
        b"VP80" => Codec::Vp8,
        b"H264" => Codec::H264,
        _ => {
            return Err(FormatError::Codec(
                String::from_utf8_lossy(name).into_owned(),
            ));
        }
    };
    let rate = read_u32(bytes, 16).unwrap_or_default();
    let scale = read_u32(bytes, 20).unwrap_or_default();
    if rate == 0 || scale == 0 {
        return Err(damaged("its times have no unit"));
    }
    Ok((Header { codec, rate, scale }, length))
}

/// The header. The size may be unknown.
pub fn header(codec: Codec, size: Option<(u16, u16)>) -> Vec<u8> {
    let (width, height) = size.unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(b"DKIF\0\0\x20\0");
    bytes.extend_from_slice(match codec {
        Codec::Vp8 => b"VP80",
        Codec::H264 => b"H264",
        Codec::Opus => b"Opus",
    });
    bytes.extend_from_slice(&width.to_le_bytes());
    bytes.extend_from_slice(&height.to_le_bytes());
    bytes.extend_from_slice(&RATE_HZ.to_le_bytes());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    // How many frames: not known before the end, and nobody needs it.
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

/// A frame, with what goes before it.
pub fn frame(time: Duration, data: &[u8]) -> Vec<u8> {
    let steps = time.as_micros() * u128::from(RATE_HZ) / 1_000_000;
    let steps = u64::try_from(steps).unwrap_or(u64::MAX);
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(FRAME_HEADER_BYTES + data.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&steps.to_le_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// Width and height that a key frame of VP8 says (RFC 6386 §9.1).
pub fn vp8_size(data: &[u8]) -> Option<(u16, u16)> {
    if data.first()? & 1 != 0 || data.get(3..6)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    Some((read_u16(data, 6)? & 0x3fff, read_u16(data, 8)? & 0x3fff))
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}
