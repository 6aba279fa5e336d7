//! Which addresses of this machine clients are told, and how they map to those of datagrams.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::config::{InterfaceFilter, Interfaces};

/// Host candidates told to a client: each costs it a pair to check.
pub const CANDIDATES_MAX: usize = 16;
/// How names of interfaces begin that Docker, Podman, CNI's plugins, LXC and makers of virtual machines choose.
const BRIDGES: [&str; 16] = [
    "docker",
    "podman",
    "cni",
    "flannel",
    "cali",
    "cilium",
    "lxc",
    "lxdbr",
    "virbr",
    "vmnet",
    "vboxnet",
    "kube-",
    "nodelocaldns",
    "weave",
    "nerdctl",
    "incusbr",
];

/// The addresses of the media port.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    candidates: Vec<SocketAddr>,
    /// Those of `candidates` that an interface has: only they can be the source of a datagram.
    own: Vec<IpAddr>,
    left_out: Vec<Present>,
}

/// What decides over the candidates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// Where the sockets listen.
    pub(crate) bound: &'a [IpAddr],
    /// What the operator says; none: what the interfaces have.
    pub(crate) announce: &'a [IpAddr],
    /// By which addresses others see us.
    pub(crate) found: &'a [IpAddr],
    pub(crate) interfaces: &'a Interfaces,
    pub(crate) port: u16,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) name: String,
    pub(crate) ip: IpAddr,
}

/// Of all interfaces that are up.
pub(crate) fn present() -> io::Result<Vec<Present>> {
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(interfaces
        .into_iter()
        .filter(|interface| interface.is_oper_up() || interface.is_loopback())
        .map(|interface| Present {
            ip: interface.ip(),
            name: interface.name,
        })
        .collect())
}

impl Addresses {
    pub(crate) fn find(plan: Plan<'_>) -> io::Result<Self> {
        Ok(Self::choose(&present()?, plan))
    }

    pub(crate) fn choose(present: &[Present], plan: Plan<'_>) -> Self {
        let reachable = present.iter().filter(|Present { ip, .. }| {
            let mut bound = plan.bound.iter();
            // Candidates have no place for the zone that such an address needs.
            let is_zoned = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            !is_zoned && bound.any(|b| b == ip || is_wildcard_for(*b, *ip))
        });
        let (told, left_out): (Vec<&Present>, Vec<&Present>) =
            reachable.partition(|present| is_told(present, plan.interfaces));
        let mut of_interfaces: Vec<IpAddr> = told.iter().map(|present| present.ip).collect();
        // Loopback last: of use only to a browser on this very machine.
        of_interfaces.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
        of_interfaces.dedup();
        let chosen: Vec<IpAddr> = if plan.announce.is_empty() {
            let found = plan.found.iter().copied();
            found.chain(of_interfaces.iter().copied()).collect()
        } else {
            plan.announce.to_vec()
        };
        let mut candidates: Vec<SocketAddr> = Vec::new();
        for ip in &chosen {
            let address = SocketAddr::new(*ip, plan.port);
            if !candidates.contains(&address) && candidates.len() < CANDIDATES_MAX {
                candidates.push(address);
            }
        }
        let mut own = of_interfaces;
        // One that is left out can be announced all the same.
        let named = left_out.iter().map(|present| present.ip);
        own.extend(named.filter(|ip| chosen.contains(ip)));
        let left_out = left_out.into_iter().cloned().collect();
        Self {
            candidates,
            own,
            left_out,
        }
    }

    /// What interfaces have and clients are not told.
    pub(crate) fn left_out(&self) -> &[Present] {
        &self.left_out
    }

    pub(crate) fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    /// The same over TCP. Loopback only where there is nothing else: who is on this machine has UDP.
    pub(crate) fn tcp_candidates(&self, ports: &[u16]) -> Vec<SocketAddr> {
        let ips = || self.candidates.iter().map(SocketAddr::ip);
        let is_told = |ip: &IpAddr| !ip.is_loopback() || ips().all(|ip| ip.is_loopback());
        let at = |port: &u16| {
            let port = *port;
            ips()
                .filter(is_told)
                .map(move |ip| SocketAddr::new(ip, port))
        };
        ports.iter().flat_map(at).collect()
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

/// Not of the special ranges that machines behind a router have (RFC 6890).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared)
        }
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local()),
    }
}

/// Is it the machine's end of a network of containers or virtual machines? Nobody outside of this machine reaches that.
pub(crate) fn is_bridge(name: &str) -> bool {
    let is_hex = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Docker's own networks, and the host's ends of pairs: others call theirs `br-lan` and `veth0`.
    let numbered = [("br-", 12), ("veth", 7)];
    BRIDGES.iter().any(|start| name.starts_with(start))
        || numbered.iter().any(|(start, digits_min)| {
            let rest = name.strip_prefix(start);
            rest.is_some_and(|rest| rest.len() >= *digits_min && is_hex(rest))
        })
}

/// What names the interface decides, and without it whether anybody could reach it.
fn is_told(Present { name, ip }: &Present, interfaces: &Interfaces) -> bool {
    let fits = |filters: &[InterfaceFilter]| filters.iter().any(|filter| filter.fits(name, *ip));
    if fits(&interfaces.exclude) {
        return false;
    }
    if interfaces.include.is_empty() {
        let is_link_local = matches!(ip, IpAddr::V4(ip) if ip.is_link_local());
        return !is_link_local && !is_bridge(name);
    }
    // A browser on this very machine is let in as before.
    fits(&interfaces.include) || ip.is_loopback()
}

fn is_wildcard_for(bound: IpAddr, ip: IpAddr) -> bool {
    bound.is_unspecified() && bound.is_ipv4() == ip.is_ipv4()
}

#[cfg(test)]
mod tests;
