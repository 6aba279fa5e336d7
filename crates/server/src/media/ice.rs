//! Media over TCP without a relay (RFC 6544, passive): each stream is of one connection, named by the first check on it, and
//! arrives at that one's shard.

use std::net::SocketAddr;

use madang_sfu::Slot;

use super::counters::PathCounters;
use super::framing::{Framing, Pieces, put};
use super::group::Group;
use super::stream::{Said, Streams};

/// Whose a stream is said to be. Its checks must prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IceLine {
    pub(crate) slot: Slot,
    /// A candidate of ours.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// Of one shard.
#[derive(Debug, Default)]
pub(super) struct IceStreams {
    /// By our address and the client's.
    streams: Streams<(SocketAddr, SocketAddr)>,
    /// Kept to save allocations.
    framed: Vec<u8>,
}

impl IceStreams {
    pub(super) fn hear(&mut self, line: IceLine, said: Said) -> Option<Pieces> {
        let ends = (line.local, line.remote);
        match said {
            Said::Opened(outbox) => self.streams.open(ends, outbox),
            Said::Frames { frames, place } => {
                // Hung up.
                if self.streams.has(&ends) {
                    return Some(Pieces::new(frames, Framing::Ice, place));
                }
            }
            Said::Idle => {
                if !self.streams.is_known(&ends) {
                    self.streams.hang_up(&ends);
                }
            }
            Said::Closed(outbox) => {
                self.streams.close(&ends, &outbox);
            }
        }
        None
    }

    /// A check on it was right.
    pub(super) fn admit(&mut self, local: SocketAddr, remote: SocketAddr) {
        self.streams.know(&(local, remote));
    }

    /// Its connection is gone.
    pub(super) fn hang_up(&mut self, local: SocketAddr, remote: SocketAddr) {
        self.streams.hang_up(&(local, remote));
    }

    pub(super) fn send(&mut self, group: &Group<'_>, counters: &mut PathCounters) {
        self.framed.clear();
        let segment = group.segment.unwrap_or(group.contents.len()).max(1);
        for datagram in group.contents.chunks(segment) {
            put(datagram, &mut self.framed);
        }
        let ends = (group.local.address(), group.remote);
        self.streams
            .send(&ends, &self.framed, group.count, counters);
    }

    /// At the end of a tick.
    pub(super) fn tell(&mut self) {
        self.streams.tell();
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }
}
