//! Messages and channel data on a stream (RFC 8656 §12.5, RFC 8489 §6.2.2): each tells its length, and is padded to four
//! bytes.

use crate::codec::{CHANNEL_HEADER_BYTES, HEADER_BYTES};

/// What a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// More must arrive. At most 65,556 bytes are ever waited for.
    Partial,
    /// `content` bytes are one for [`crate::Turn::handle_packet`]; the next begins after `whole`.
    Complete { content: usize, whole: usize },
    /// Nothing that we speak: the stream cannot be read any further.
    Broken,
}

/// Looks at the beginning of what has arrived.
pub fn frame(bytes: &[u8]) -> Frame {
    let [first, _, high, low, ..] = bytes else {
        return match bytes.first() {
            Some(4..=63 | 128..) => Frame::Broken,
            Some(_) | None => Frame::Partial,
        };
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (content, whole) = match first {
        0..=3 => (HEADER_BYTES + length, HEADER_BYTES + length),
        64..=127 => {
            let content = CHANNEL_HEADER_BYTES + length;
            (content, content.next_multiple_of(4))
        }
        4..=63 | 128.. => return Frame::Broken,
    };
    // A message's length is a multiple of four: nothing after another one can be found again.
    if *first <= 3 && !length.is_multiple_of(4) {
        return Frame::Broken;
    }
    if bytes.len() < whole {
        return Frame::Partial;
    }
    Frame::Complete { content, whole }
}

#[cfg(test)]
mod tests;
