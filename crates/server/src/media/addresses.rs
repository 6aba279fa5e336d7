//! Which addresses of this machine clients are told, and how they map to those of datagrams.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Host candidates told to a client: each costs it a pair to check.
pub const CANDIDATES_MAX: usize = 16;

/// The addresses of the media port.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    candidates: Vec<SocketAddr>,
    /// Those of `candidates` that an interface has: only they can be the source of a datagram.
    own: Vec<IpAddr>,
}

impl Addresses {
    /// `bound`: where the sockets listen; `announce`: what the operator says, none: what the interfaces have.
    pub(crate) fn find(bound: &[IpAddr], announce: &[IpAddr], port: u16) -> io::Result<Self> {
        let interfaces = if_addrs::get_if_addrs()?;
        let present: Vec<IpAddr> = interfaces
            .iter()
            .filter(|interface| interface.is_oper_up() || interface.is_loopback())
            .map(if_addrs::Interface::ip)
            .collect();
        Ok(Self::choose(&present, bound, announce, port))
    }

    pub(crate) fn choose(
        present: &[IpAddr],
        bound: &[IpAddr],
        announce: &[IpAddr],
        port: u16,
    ) -> Self {
        let reachable = present.iter().copied().filter(|ip| {
            let on_socket = bound.iter().any(|b| b == ip || is_wildcard_for(*b, *ip));
            on_socket && !is_link_local(*ip)
        });
        let mut own: Vec<IpAddr> = reachable.collect();
        // Loopback last: of use only to a browser on this very machine.
        own.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
        own.dedup();
        let chosen = if announce.is_empty() { &own } else { announce };
        let mut candidates: Vec<SocketAddr> = Vec::new();
        for ip in chosen {
            let address = SocketAddr::new(*ip, port);
            if !candidates.contains(&address) && candidates.len() < CANDIDATES_MAX {
                candidates.push(address);
            }
        }
        Self { candidates, own }
    }

    pub(crate) fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    /// The candidate that a datagram arrived at. Behind a NAT its destination is none of them: then the first of its
    /// family.
    pub(crate) fn arrived_at(&self, destination: IpAddr) -> Option<SocketAddr> {
        let mut of_family = None;
        for candidate in &self.candidates {
            if candidate.ip() == destination {
                return Some(*candidate);
            }
            if of_family.is_none() && candidate.is_ipv4() == destination.is_ipv4() {
                of_family = Some(*candidate);
            }
        }
        of_family
    }

    /// The source to send from; none: the system chooses, as for an announced address that no interface has.
    pub(crate) fn source(&self, local: SocketAddr) -> Option<IpAddr> {
        Some(local.ip()).filter(|ip| self.own.contains(ip))
    }
}

fn is_wildcard_for(bound: IpAddr, ip: IpAddr) -> bool {
    bound.is_unspecified() && bound.is_ipv4() == ip.is_ipv4()
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::is_link_local(&ip),
        IpAddr::V6(ip) => Ipv6Addr::is_unicast_link_local(&ip),
    }
}

#[cfg(test)]
mod tests;
