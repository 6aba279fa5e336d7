//! What crosses the edge of the core: datagrams, routes, configuration.

use std::net::SocketAddr;
use std::time::Duration;

use crate::api::ShardId;

/// A connection's place in its shard; printed into our ICE user fragment, so that any shard can tell whose a STUN
/// message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A datagram as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    pub slot: Slot,
    pub remote: SocketAddr,
    /// One of [`Config::candidates`].
    pub local: SocketAddr,
    pub bytes: &'a [u8],
}

/// A datagram to send. Those of one connection come one after the other, so that equal sizes can share a GSO group.
#[derive(Debug)]
pub struct Transmit {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub bytes: Vec<u8>,
}

/// A remote address passed an authenticated STUN check for this connection, or its connection is gone. Datagrams that
/// are not STUN are accepted from such addresses only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Add { remote: SocketAddr, slot: Slot },
    Remove { remote: SocketAddr, slot: Slot },
}

#[derive(Debug, Clone)]
pub struct Config {
    pub shard: ShardId,
    /// Host addresses that clients can reach this server's media port at.
    pub candidates: Vec<SocketAddr>,
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
