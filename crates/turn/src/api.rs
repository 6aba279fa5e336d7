//! What crosses the edge: flows, whom we believe, where they may send to.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::ports::Ports;

#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub instant: Instant,
    /// Since 1970.
    pub wall: Duration,
}

/// Between the client and us. Between us and peers it is always UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// The five things that name an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub transport: Transport,
    pub client: SocketAddr,
    pub local: SocketAddr,
}

/// Who uses an allocation, and the room that they are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    pub participant: u64,
    pub room: u64,
}

/// How a client names itself (RFC 8489 §14.3, §14.4).
#[derive(Debug, Clone, Copy)]
pub enum User<'a> {
    Name(&'a [u8]),
    Hash(&'a [u8]),
}

/// Somebody we know.
#[derive(Debug, Clone)]
pub struct Account {
    pub username: Vec<u8>,
    pub password: String,
    pub who: Principal,
}

/// Whom we believe.
pub trait Auth {
    /// None: not known, or not any more.
    fn account(&self, now: Now, user: User<'_>) -> Option<Account>;
}

/// Of an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    pub ipv4: bool,
    pub ipv6: bool,
}

impl Families {
    pub(crate) fn has(self, address: SocketAddr) -> bool {
        if address.is_ipv4() {
            self.ipv4
        } else {
            self.ipv6
        }
    }
}

/// Where somebody may send to.
pub trait Policy {
    /// One more allocation, at this port of the relayed addresses. It counts until `close`. Where peers elsewhere are let
    /// in, its sockets are opened now.
    fn open(&self, who: Principal, port: u16, families: Families) -> Result<(), Refused>;

    fn close(&self, who: Principal, port: u16);

    /// None: not to be sent to, nor received from.
    fn peer(&self, who: Principal, peer: SocketAddr) -> Option<PeerClass>;

    /// May they have a permission? It holds for all ports of an address (RFC 8656 §9), so that nothing may pass by it
    /// alone: [`Policy::peer`] is asked as well.
    fn permits(&self, who: Principal, peer: SocketAddr) -> bool;
}

/// Why there is no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not in a room any more.
    Gone,
    /// This participant has enough.
    Quota,
    /// Everybody together has enough.
    Full,
    /// Another program has this port.
    PortInUse,
}

/// What a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerClass {
    /// Our own media port.
    Sfu,
    /// The relayed address of another member of the room.
    Member,
    /// Elsewhere: by a socket.
    Elsewhere,
}

/// What becomes of a datagram from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// For our own media port `to`, as if it had come from `from`.
    ToSfu {
        from: SocketAddr,
        to: SocketAddr,
        payload: &'a [u8],
    },
    /// For another relayed address: [`crate::Turn::handle_relayed`] where that is.
    ToRelay {
        from: SocketAddr,
        to: SocketAddr,
        payload: &'a [u8],
    },
    /// From the socket of the allocation at `port`.
    ToPeer {
        port: u16,
        to: SocketAddr,
        payload: &'a [u8],
    },
    /// [`crate::Turn::reply`], back on the same flow.
    Reply,
    Drop(Dropped),
}

/// Why nothing becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    Malformed,
    /// Neither a request nor something to relay.
    Ignored,
    /// Not from a client with an allocation, or not to one.
    NoAllocation,
    NoPermission,
    /// Not a peer that may be sent to.
    Denied,
    /// More than this allocation may relay.
    Bandwidth,
    /// Its source has had enough answers for this second.
    Suppressed,
}

#[derive(Debug, Clone)]
pub struct Config {
    /// Told to everybody who asks without credentials: a short one keeps that answer small.
    pub realm: String,
    /// Makes nonces.
    pub secret: [u8; 32],
    /// The addresses of all allocations; none: allocations of that family are refused. Without any, only STUN is answered.
    pub relay_ipv4: Option<Ipv4Addr>,
    pub relay_ipv6: Option<Ipv6Addr>,
    pub ports: Ports,
    /// Relayed addresses have real ports, drawn by chance from these. None: they are entries of a table, and lead nowhere else.
    pub real_ports: Option<RangeInclusive<u16>>,
    pub permissions_max: usize,
    pub channels_max: usize,
    /// Of each allocation, each way.
    pub bytes_per_second: u64,
    /// To one address (IPv4) or one network of 64 bits (IPv6) that has not shown credentials.
    pub replies_per_source_per_second: u16,
}

impl Config {
    pub fn new(secret: [u8; 32], ports: Ports) -> Self {
        Self {
            realm: "room".to_owned(),
            secret,
            relay_ipv4: None,
            relay_ipv6: None,
            ports,
            real_ports: None,
            permissions_max: 64,
            channels_max: 256,
            bytes_per_second: 20_000_000 / 8,
            replies_per_source_per_second: 10,
        }
    }
}
