//! What crosses the edge of the core: datagrams, routes, configuration.

use std::net::SocketAddr;
use std::time::Duration;

use crate::api::ShardId;

/// A connection's place in its shard; printed into our ICE user fragment, so that any shard can tell whose a STUN
/// message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// One of our addresses, and over what a client reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Local {
    Udp(SocketAddr),
    /// Datagrams in a stream (RFC 6544, passive).
    Tcp(SocketAddr),
}

impl Local {
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Udp(address) | Self::Tcp(address) => address,
        }
    }
}

impl From<SocketAddr> for Local {
    fn from(address: SocketAddr) -> Self {
        Self::Udp(address)
    }
}

/// A datagram as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    pub slot: Slot,
    pub remote: SocketAddr,
    /// One of [`Config::candidates`] or [`Config::tcp_candidates`].
    pub local: Local,
    pub bytes: &'a [u8],
}

/// Where a datagram is to go, from which of our addresses, and its place in [`Transmits`].
#[derive(Debug, Clone, Copy)]
pub struct Transmit {
    pub local: Local,
    pub remote: SocketAddr,
    start: usize,
    end: usize,
}

impl Transmit {
    pub fn size(&self) -> usize {
        self.end - self.start
    }
}

/// Datagrams to send, one after the other in one buffer. Those of one stream come together, so that equal sizes can share
/// a GSO group as they stand.
#[derive(Debug, Default)]
pub struct Transmits {
    bytes: Vec<u8>,
    all: Vec<Transmit>,
}

impl Transmits {
    pub fn all(&self) -> &[Transmit] {
        &self.all
    }

    /// Of datagrams that follow one another.
    pub fn bytes(&self, transmits: &[Transmit]) -> &[u8] {
        match transmits {
            [first, .., last] => self.bytes.get(first.start..last.end),
            [one] => self.bytes.get(one.start..one.end),
            [] => None,
        }
        .unwrap_or_default()
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.all.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub fn push(&mut self, local: impl Into<Local>, remote: SocketAddr, bytes: &[u8]) {
        let start = self.begin();
        self.bytes.extend_from_slice(bytes);
        self.commit(local.into(), remote, start);
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        for transmit in &other.all {
            let bytes = other.bytes(std::slice::from_ref(transmit));
            self.push(transmit.local, transmit.remote, bytes);
        }
        *other = Self::default();
    }

    /// Where the next one starts; what was begun and not committed is forgotten.
    pub(crate) fn begin(&mut self) -> usize {
        let start = self.all.last().map_or(0, |last| last.end);
        self.bytes.truncate(start);
        start
    }

    /// To write at the end of.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was written since `start` is a datagram.
    pub(crate) fn commit(&mut self, local: Local, remote: SocketAddr, start: usize) {
        let end = self.bytes.len();
        self.all.push(Transmit {
            local,
            remote,
            start,
            end,
        });
    }
}

/// A remote address passed an authenticated STUN check for this connection, or its connection is gone. Datagrams that
/// are not STUN are accepted from such addresses only. A stream is one connection's for as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Add {
        remote: SocketAddr,
        slot: Slot,
    },
    Remove {
        remote: SocketAddr,
        slot: Slot,
    },
    /// The stream from there to one of [`Config::tcp_candidates`] is that client's.
    Stream {
        local: SocketAddr,
        remote: SocketAddr,
    },
    StreamOver {
        local: SocketAddr,
        remote: SocketAddr,
    },
}

#[derive(Debug, Clone)]
pub struct Config {
    pub shard: ShardId,
    /// Host addresses that clients can reach this server's media port at.
    pub candidates: Vec<SocketAddr>,
    /// The same over TCP.
    pub tcp_candidates: Vec<SocketAddr>,
    pub connections_max: u32,
    pub peers_per_room_max: u32,
    pub publications_per_peer_max: usize,
    pub subscriptions_per_peer_max: usize,
    /// Queued towards one client's reliable channels; beyond it the client is let go as too slow.
    pub data_queue_bytes_max: usize,
    pub sdp_bytes_max: usize,
    /// A peer whose main connection is not up by then is let go.
    pub connect_timeout: Duration,
    /// A connection that broke may come back within this time.
    pub reconnect_timeout: Duration,
}

impl Config {
    pub fn new(shard: ShardId, candidates: Vec<SocketAddr>) -> Self {
        Self {
            shard,
            candidates,
            tcp_candidates: Vec::new(),
            connections_max: 20_000,
            peers_per_room_max: 10_000,
            publications_per_peer_max: 64,
            subscriptions_per_peer_max: 2_000,
            data_queue_bytes_max: 4 * 1024 * 1024,
            sdp_bytes_max: 2 * 1024 * 1024,
            connect_timeout: Duration::from_secs(60),
            reconnect_timeout: Duration::from_secs(30),
        }
    }
}
