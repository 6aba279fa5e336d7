//! Which network interfaces clients may be told of: by name, or by the network their address is in.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

/// As Linux limits it (IFNAMSIZ).
const NAME_CHARS_MAX: usize = 15;

/// What is said of interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interfaces {
    /// Empty: all but those that nobody outside of this machine reaches.
    pub include: Vec<InterfaceFilter>,
    /// Wins over `include`.
    pub exclude: Vec<InterfaceFilter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum InterfaceFilter {
    /// Exactly, or with `*` at the end.
    Name(String),
    Network(Network),
}

/// `10.0.0.0/8`; an address alone is the network of it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    prefix_bits: u8,
}

impl InterfaceFilter {
    pub(crate) fn fits(&self, name: &str, ip: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(ip),
            Self::Name(of) => match of.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == of,
            },
        }
    }
}

impl TryFrom<String> for InterfaceFilter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let looks_like_address =
            text.contains(['/', ':']) || text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if looks_like_address {
            return network(&text).map(Self::Network);
        }
        let start = text.strip_suffix('*').unwrap_or(&text);
        let is_name = !text.is_empty()
            && text.len() <= NAME_CHARS_MAX
            && !start.contains(|c: char| c == '*' || c.is_whitespace());
        if is_name {
            Ok(Self::Name(text))
        } else {
            Err(format!(
                "{text:?} names no interface: write a name such as \"eth0\" or \"docker*\", or a network such as \"10.0.0.0/8\""
            ))
        }
    }
}

fn network(text: &str) -> Result<Network, String> {
    let wrong = |why: &str| {
        format!(
            "{text:?} is no network: {why}. Write one such as \"10.0.0.0/8\" or \"2001:db8::/32\""
        )
    };
    let (ip, prefix) = text
        .split_once('/')
        .map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let ip: IpAddr = ip
        .parse()
        .map_err(|_| wrong("what is before the slash is no address"))?;
    let bits_max = if ip.is_ipv4() { 32 } else { 128 };
    let prefix_bits = match prefix {
        None => bits_max,
        Some(prefix) => prefix
            .parse()
            .ok()
            .filter(|bits| *bits <= bits_max && prefix.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| {
                wrong(&format!(
                    "after the slash stands a number from 0 to {bits_max}"
                ))
            })?,
    };
    let first = masked(ip, prefix_bits);
    if first != ip {
        return Err(wrong(&format!("it begins at {first}/{prefix_bits}")));
    }
    Ok(Network { ip, prefix_bits })
}

impl Network {
    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.ip.is_ipv4() && masked(ip, self.prefix_bits) == self.ip
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_bits)
    }
}

fn masked(ip: IpAddr, prefix_bits: u8) -> IpAddr {
    let bits = u32::from(prefix_bits);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests;
