//! Datagrams that can share a system call (UDP GSO): consecutive ones of the same pair of addresses and size, the last
//! may be shorter. Nothing is waited for: a group holds what one tick gave.

use std::net::SocketAddr;

use madang_sfu::Transmit;

/// Longer bursts gain little and are lost together (a switch's buffer is short).
pub(crate) const SEGMENTS_MAX: usize = 4;
/// A UDP payload over IPv4.
const GROUP_BYTES_MAX: usize = 65_507;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group<'a> {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) contents: &'a [u8],
    /// Size of each segment but the last; none: a single datagram.
    pub(crate) segment: Option<usize>,
    pub(crate) count: usize,
}

#[derive(Debug)]
pub(crate) struct Grouper {
    open: Vec<Transmit>,
    bytes: usize,
    scratch: Vec<u8>,
}

impl Grouper {
    pub(crate) fn new() -> Self {
        Self {
            open: Vec::with_capacity(SEGMENTS_MAX),
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// Sends the open group if `next` does not fit it.
    pub(crate) fn push(&mut self, next: Transmit, mut send: impl FnMut(Group<'_>)) {
        if !self.fits(&next) {
            self.finish(&mut send);
        }
        self.bytes += next.bytes.len();
        self.open.push(next);
    }

    /// Sends the open group.
    pub(crate) fn finish(&mut self, mut send: impl FnMut(Group<'_>)) {
        if let Some(first) = self.open.first() {
            let single = self.open.len() == 1;
            self.scratch.clear();
            if !single {
                for datagram in &self.open {
                    self.scratch.extend_from_slice(&datagram.bytes);
                }
            }
            send(Group {
                local: first.local,
                remote: first.remote,
                contents: if single { &first.bytes } else { &self.scratch },
                segment: (!single).then_some(first.bytes.len()),
                count: self.open.len(),
            });
        }
        self.open.clear();
        self.bytes = 0;
    }

    fn fits(&self, next: &Transmit) -> bool {
        let (Some(first), Some(last)) = (self.open.first(), self.open.last()) else {
            return true;
        };
        self.open.len() < SEGMENTS_MAX
            && self.bytes + next.bytes.len() <= GROUP_BYTES_MAX
            && first.remote == next.remote
            && first.local == next.local
            && first.bytes.len() == last.bytes.len()
            && next.bytes.len() <= first.bytes.len()
            && !next.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests;
