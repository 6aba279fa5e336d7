//! Where relayed addresses are, and whom they reach besides our own media port and members of the room.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use madang_turn::{Elsewhere, Network, Public, special};

/// The relayed addresses of all clients: no datagram comes from there, or goes there, but by our own tables. RFC 7600's
/// dummy address, and one of the prefix that discards (RFC 6666).
pub(super) const RELAY_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
pub(super) const RELAY_IPV6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8);

/// Who may be a peer besides our own media port and members of the room.
#[derive(Debug, Clone, Default)]
pub enum Peers {
    #[default]
    Room,
    /// Hosts of the internet, and of networks that are allowed.
    Public {
        allow: Vec<Network>,
        deny: Vec<Network>,
    },
    Any,
}

/// One family's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) told: IpAddr,
    pub(super) bound: IpAddr,
}

/// What is ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) candidates: &'a [SocketAddr],
    /// Of STUN and TURN alone.
    pub(super) udp_port: Option<u16>,
    /// Of the interfaces.
    pub(super) own: &'a [IpAddr],
    /// Of the media port.
    pub(super) bound: &'a [IpAddr],
}

/// Of a client of ours, and not on any network.
pub(super) fn is_of_table(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(address) => *address.ip() == RELAY_IPV4,
        SocketAddr::V6(address) => *address.ip() == RELAY_IPV6,
    }
}

pub(super) fn elsewhere(peers: &Peers, place: Place<'_>) -> Elsewhere {
    match peers {
        Peers::Room => Elsewhere::Nobody,
        Peers::Any => Elsewhere::Everybody,
        Peers::Public { allow, deny } => {
            let candidates = place.candidates.iter().map(SocketAddr::ip);
            Elsewhere::Public(Public {
                own: candidates.chain(place.own.iter().copied()).collect(),
                allow: allow.clone(),
                deny: deny.clone(),
            })
        }
    }
}

/// Where clients of a family are relayed, if it has candidates. `of_table` is of that family.
pub(super) fn ends(peers: &Peers, place: Place<'_>, of_table: IpAddr) -> Option<Ends> {
    let is_of_family = |ip: &IpAddr| ip.is_ipv4() == of_table.is_ipv4();
    let candidates = || {
        place
            .candidates
            .iter()
            .map(SocketAddr::ip)
            .filter(is_of_family)
    };
    let told = match peers {
        Peers::Room => candidates().next().map(|_| of_table),
        Peers::Any => candidates().next(),
        // The one that the internet sees, and never one that leads to its own machine.
        Peers::Public { .. } => candidates()
            .find(|ip| special(*ip).is_none())
            .or_else(|| candidates().find(|ip| !ip.is_loopback())),
    }?;
    let wildcard = || match of_table {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    // Behind address translation no interface has what is told.
    let has = place.own.contains(&told);
    let bound = || place.bound.iter().copied().find(is_of_family);
    Some(Ends {
        told,
        bound: Some(told)
            .filter(|_| has)
            .or_else(bound)
            .unwrap_or_else(wildcard),
    })
}
