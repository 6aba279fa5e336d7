//! H.264 as a stream of bytes (ITU-T H.264 annex B): units, each behind a start code, and no times.

use std::collections::VecDeque;
use std::time::Duration;

use super::{FRAME_BYTES_MAX, FormatError};
use crate::Codec;
use crate::frames::Frame;

/// A slice of a picture that needs no other.
pub const IDR: u8 = 5;
const SLICE: u8 = 1;
/// The first of the three parts that a slice may come in.
const PARTITION: u8 = 2;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Of a unit: `nal_unit_type`.
pub fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte & 0x1f)
}

/// The units of an access unit, without their start codes.
pub fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(start_code(bytes, 0).map_or(bytes.len(), |at| at + 3)..);
    std::iter::from_fn(move || {
        let now = rest.filter(|rest| !rest.is_empty())?;
        let end = start_code(now, 0).unwrap_or(now.len());
        rest = now.get(end + 3..);
        now.get(..end).map(without_zeros)
    })
    .filter(|unit| !unit.is_empty())
}

/// Cuts a stream into access units. The end of one is known when the next begins: a live picture is passed on one picture later.
#[derive(Debug)]
pub struct Reader {
    bytes: Vec<u8>,
    /// The unit that is being read begins there, behind its start code.
    unit_at: Option<usize>,
    scanned: usize,
    access: Vec<u8>,
    has_picture: bool,
    ready: VecDeque<Vec<u8>>,
    interval: Duration,
    count: u32,
}

impl Reader {
    /// There are no times in the stream: the pictures come that often.
    pub fn new(interval: Duration) -> Self {
        Self {
            bytes: Vec::new(),
            unit_at: None,
            scanned: 0,
            access: Vec::new(),
            has_picture: false,
            ready: VecDeque::new(),
            interval,
            count: 0,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // A unit is judged by its first two bytes.
        while let Some(at) = start_code(&self.bytes, self.scanned)
            && let Some([first, second]) = self.bytes.get(at + 3..).and_then(<[u8]>::first_chunk)
        {
            let (first, second) = (*first, *second);
            let begins_access = self.begins_access(first, second);
            self.take_unit(at);
            if begins_access {
                self.take_access();
            }
            self.has_picture |= matches!(first & 0x1f, SLICE | PARTITION | IDR);
            self.bytes.drain(..at + 3);
            self.unit_at = Some(0);
            self.scanned = 0;
        }
        if start_code(&self.bytes, self.scanned).is_none() {
            // A start code may be half there.
            self.scanned = self.scanned.max(self.bytes.len().saturating_sub(2));
        }
    }

    pub fn next_frame(&mut self) -> Result<Option<Frame>, FormatError> {
        if let Some(data) = self.ready.pop_front() {
            return Ok(Some(self.frame(data)));
        }
        if self.bytes.len() + self.access.len() > FRAME_BYTES_MAX {
            let what = format!("no picture ends within {FRAME_BYTES_MAX} bytes");
            return Err(FormatError::Damaged(what));
        }
        Ok(None)
    }

    /// What is there at the end is the last picture.
    pub fn finish(&mut self) -> Option<Frame> {
        self.take_unit(self.bytes.len());
        self.bytes.clear();
        if self.has_picture {
            self.take_access();
        }
        let data = self.ready.pop_front()?;
        Some(self.frame(data))
    }

    fn frame(&mut self, data: Vec<u8>) -> Frame {
        let time = self.interval * self.count;
        self.count += 1;
        Frame {
            codec: Codec::H264,
            time,
            data,
        }
    }

    /// ITU-T H.264 §7.4.1.2.3, as far as encoders need it: sets, delimiters and information come before a picture, and its
    /// first slice begins with the first macroblock, which is a one in the first bit.
    fn begins_access(&self, first: u8, second: u8) -> bool {
        self.has_picture
            && match first & 0x1f {
                SLICE | PARTITION | IDR => second & 0x80 != 0,
                6..=9 | 14..=18 => true,
                _ => false,
            }
    }

    fn take_unit(&mut self, end: usize) {
        let unit = self.unit_at.take().and_then(|at| self.bytes.get(at..end));
        let unit = without_zeros(unit.unwrap_or_default());
        if !unit.is_empty() {
            self.access.extend_from_slice(&START_CODE);
            self.access.extend_from_slice(unit);
        }
    }

    fn take_access(&mut self) {
        self.has_picture = false;
        let access = std::mem::take(&mut self.access);
        if !access.is_empty() {
            self.ready.push_back(access);
        }
    }
}

/// Where the next three bytes of a start code are.
fn start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let at = rest.windows(3).position(|three| three == [0, 0, 1])?;
    Some(from + at)
}

/// No unit ends in zeros: they are filling, or the first byte of a long start code.
fn without_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0);
    unit.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}
