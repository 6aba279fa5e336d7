//! Where clients are told to ask for their public address, and by which ways to come to the relay, the cheapest first.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::relays::{FarEnd, RelayConfig};

/// `apart`: the port of STUN and TURN beside that of media. `reached`: the address of ours that the client knows to work.
pub(super) fn urls(
    config: &RelayConfig,
    candidates: &[SocketAddr],
    apart: Option<u16>,
    reached: Option<IpAddr>,
    far: FarEnd,
) -> Vec<String> {
    let best = best(candidates, reached);
    let named = config.host.as_ref().map(|host| vec![bracketed(host)]);
    let hosts = |at: &[SocketAddr]| {
        let ips = if at.iter().all(|address| address.ip().is_loopback()) {
            at.iter().map(SocketAddr::ip).collect()
        } else {
            best.clone()
        };
        ips.iter().map(|ip| bracketed(&ip.to_string())).collect()
    };
    let told = |scheme: &str, transport: &str, at: &[SocketAddr], hosts: Vec<String>| {
        let port = at.first().map(SocketAddr::port);
        let hosts = hosts.into_iter().filter_map(|host| {
            let port = port?;
            Some(format!("{scheme}:{host}:{port}?transport={transport}"))
        });
        hosts.collect::<Vec<_>>()
    };
    let named_or = |at: &[SocketAddr]| named.clone().unwrap_or_else(|| hosts(at));
    let certified = config.tls_host.as_ref().map(|host| vec![bracketed(host)]);
    let at_apart = |port| {
        let at = candidates.iter().map(SocketAddr::ip);
        at.map(|ip| SocketAddr::new(ip, port)).collect()
    };
    let udp: Vec<SocketAddr> = match (apart, far) {
        (Some(port), _) => at_apart(port),
        (None, FarEnd::Members) => candidates.to_vec(),
        (None, FarEnd::Server) => Vec::new(),
    };
    // Browsers ask a relay over UDP for their address, too. Others ask nobody but who is named for it.
    let relays = told("turn", "udp", &udp, named_or(&udp));
    let mut all: Vec<String> = relays.iter().filter_map(|url| stun(url)).collect();
    all.extend(relays);
    all.extend(told("turn", "tcp", &config.tcp, named_or(&config.tcp)));
    let by_tls = certified.unwrap_or_else(|| named_or(&config.tls));
    all.extend(told("turns", "tcp", &config.tls, by_tls));
    all
}

/// The same place, as a server that tells by which address one is seen.
fn stun(relay: &str) -> Option<String> {
    let place = relay.strip_prefix("turn:")?.split('?').next()?;
    Some(format!("stun:{place}"))
}

/// The best of each family: the one that was reached, else the first.
fn best(candidates: &[SocketAddr], reached: Option<IpAddr>) -> Vec<IpAddr> {
    let ips = || candidates.iter().map(SocketAddr::ip);
    let of = |is: fn(&IpAddr) -> bool| {
        ips()
            .filter(is)
            .find(|ip| Some(*ip) == reached && !ip.is_loopback())
            .or_else(|| ips().find(is))
    };
    let chosen = [of(IpAddr::is_ipv4), of(IpAddr::is_ipv6)];
    let mut chosen: Vec<IpAddr> = chosen.into_iter().flatten().collect();
    // An address that only this machine has is of no use beside another one.
    if chosen.iter().any(|ip| !ip.is_loopback()) {
        chosen.retain(|ip| !ip.is_loopback());
    }
    chosen
}

/// As it is written in front of a port.
fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

#[cfg(test)]
mod tests;
