//! Opening the reports of the other side.

use std::fmt;

use super::cipher::Suite;

/// Senders of reports that are told apart. Only authentic packets make one, so the other side alone can fill it.
const SENDERS_MAX: usize = 64;
/// How far behind the newest a packet may come (RFC 3711 §3.3.2).
const WINDOW: u32 = u64::BITS;

/// Opens the other side's SRTCP.
pub(crate) struct Opener {
    rtcp: Suite,
    /// The one heard last is last.
    senders: Vec<Sender>,
}

impl Opener {
    pub(super) fn new(rtcp: Suite) -> Opener {
        Opener {
            rtcp,
            senders: Vec::new(),
        }
    }

    /// Opens an SRTCP packet into `plain`, which is cleared first. False, and `plain` empty, when the packet is too
    /// short, damaged, seen before, or too old to know. A packet that its sender authenticated without encrypting it
    /// is as good as another (RFC 3711 §3.4).
    #[must_use]
    pub(crate) fn open_rtcp(&mut self, datagram: &[u8], plain: &mut Vec<u8>) -> bool {
        plain.clear();
        let Some(sealed) = self.rtcp.split_rtcp(datagram) else {
            return false;
        };
        let (ssrc, index) = (sealed.ssrc(), sealed.index());
        let known = self.senders.iter().position(|sender| sender.ssrc == ssrc);
        let is_fresh = known
            .and_then(|place| self.senders.get(place))
            .is_none_or(|sender| sender.is_fresh(index));
        if !is_fresh || !self.rtcp.open_rtcp(&sealed, plain) {
            plain.clear();
            return false;
        }
        self.note(known, ssrc, index);
        true
    }

    /// An authentic packet came.
    fn note(&mut self, known: Option<usize>, ssrc: u32, index: u32) {
        let mut sender = match known {
            Some(place) => self.senders.remove(place),
            None => Sender::new(ssrc, index),
        };
        sender.note(index);
        if self.senders.len() >= SENDERS_MAX {
            self.senders.remove(0);
        }
        self.senders.push(sender);
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("senders", &self.senders)
            .finish_non_exhaustive()
    }
}

/// Which packets of a sender came.
#[derive(Debug)]
struct Sender {
    ssrc: u32,
    newest: u32,
    /// Bit n: the packet n before the newest came.
    seen: u64,
}

impl Sender {
    fn new(ssrc: u32, newest: u32) -> Sender {
        Sender {
            ssrc,
            newest,
            seen: 0,
        }
    }

    fn is_fresh(&self, index: u32) -> bool {
        let Some(behind) = self.newest.checked_sub(index) else {
            return true;
        };
        behind < WINDOW && self.seen & (1 << behind) == 0
    }

    fn note(&mut self, index: u32) {
        if let Some(ahead) = index.checked_sub(self.newest) {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = index;
        } else if let Some(bit) = 1_u64.checked_shl(self.newest - index) {
            self.seen |= bit;
        }
    }
}
