//! How datagrams are parted in a stream.

use std::ops::Range;

use bytes::Bytes;
use madang_turn::{Frame, frame};
use tokio::sync::OwnedSemaphorePermit;

/// What begins STUN, from its fifth byte on (RFC 8489 §5).
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const LENGTH_BYTES: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Messages and channels say their length themselves (RFC 8656 §12.5).
    Turn,
    /// Each comes after its length (RFC 4571).
    Ice,
}

/// What is at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// A frame of so many bytes, and where in it the datagram is.
    Whole(usize, Range<usize>),
    Partial,
    /// Nothing after it can be read.
    Broken,
}

impl Framing {
    /// By what comes first, which is STUN in both. None: more is needed.
    pub(crate) fn of(bytes: &[u8]) -> Option<Result<Self, Unknown>> {
        let has_magic = |at: usize| bytes.get(at..at + MAGIC.len()).map(|found| found == MAGIC);
        if has_magic(4)? {
            return Some(Ok(Self::Turn));
        }
        let is_ice = has_magic(4 + LENGTH_BYTES)?;
        Some(if is_ice { Ok(Self::Ice) } else { Err(Unknown) })
    }

    pub(crate) fn next(self, bytes: &[u8]) -> Next {
        match self {
            Self::Turn => match frame(bytes) {
                Frame::Complete { content, whole } => Next::Whole(whole, 0..content),
                Frame::Partial => Next::Partial,
                Frame::Broken => Next::Broken,
            },
            Self::Ice => {
                let Some(length) = bytes.first_chunk() else {
                    return Next::Partial;
                };
                let whole = LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
                if bytes.len() < whole {
                    return Next::Partial;
                }
                Next::Whole(whole, LENGTH_BYTES..whole)
            }
        }
    }
}

/// Neither of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unknown;

/// As a frame of [`Framing::Ice`]. One that is too long for it cannot have come by UDP either.
pub(super) fn put(datagram: &[u8], out: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(datagram.len()) {
        out.extend(length.to_be_bytes());
        out.extend_from_slice(datagram);
    }
}

/// What a stream brought at one time. While it is here, its connection waits.
#[derive(Debug)]
pub(super) struct Pieces {
    frames: Bytes,
    framing: Framing,
    _place: OwnedSemaphorePermit,
}

impl Pieces {
    pub(super) fn new(frames: Bytes, framing: Framing, place: OwnedSemaphorePermit) -> Self {
        Self {
            frames,
            framing,
            _place: place,
        }
    }

    /// What is in each frame.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.frames;
        std::iter::from_fn(move || {
            let Next::Whole(whole, content) = self.framing.next(rest) else {
                return None;
            };
            let this = rest.get(content)?;
            rest = rest.get(whole..)?;
            Some(this)
        })
    }
}

#[cfg(test)]
mod tests;
