//! Looking: at this machine, and at whom we were told to ask. Nothing is judged here.

mod certificate;
mod clock;
mod network;
mod ports;
mod system;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

pub(super) use certificate::certificate;
pub(super) use clock::clock;
pub(super) use network::{anywhere, ask, largest_payload};
pub(super) use ports::ports;
pub(super) use system::{buffers, container, descriptors};

#[cfg(test)]
mod tests;

/// Where a name leads: the first of each family.
pub(super) fn resolve(host_and_port: &str, usual_port: u16) -> io::Result<Vec<SocketAddr>> {
    let is_bare_v6 = host_and_port.parse::<std::net::Ipv6Addr>().is_ok();
    let has_port = host_and_port
        .rsplit_once(':')
        .is_some_and(|(_, port)| !is_bare_v6 && port.parse::<u16>().is_ok());
    let found: Vec<SocketAddr> = if has_port {
        host_and_port.to_socket_addrs()?.collect()
    } else {
        (host_and_port.trim_matches(['[', ']']), usual_port)
            .to_socket_addrs()?
            .collect()
    };
    let first = |is_ipv4| {
        found
            .iter()
            .find(move |at| at.is_ipv4() == is_ipv4)
            .copied()
    };
    let both: Vec<SocketAddr> = [first(true), first(false)].into_iter().flatten().collect();
    if both.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    Ok(both)
}
