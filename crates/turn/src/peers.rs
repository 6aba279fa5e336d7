//! Which addresses elsewhere may be sent to, and heard from: hosts of the internet, and nothing of the network that this
//! server stands in.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::special::{Special, special};

/// A network: `10.1.0.0/16`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    bits: u8,
}

/// Why a network is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANetwork {
    Address,
    /// More bits than an address has.
    Bits,
    /// Bits after those that count: the network meant is the one given.
    Host(Network),
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| NotANetwork::Address)?;
        let bits_max = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| NotANetwork::Bits)?,
            None => bits_max,
        };
        if bits > bits_max {
            return Err(NotANetwork::Bits);
        }
        let network = Self {
            ip: masked(ip, bits),
            bits,
        };
        if network.ip == ip {
            Ok(network)
        } else {
            Err(NotANetwork::Host(network))
        }
    }
}

impl Network {
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.ip.is_ipv4() == ip.is_ipv4() && masked(ip, self.bits) == self.ip
    }

    /// What of it may never be allowed, if all of it is that.
    pub fn is_never_allowed(&self) -> Option<Special> {
        let widest = match special(self.ip)? {
            Special::Unspecified | Special::Loopback | Special::LinkLocal => 8,
            Special::Multicast => 4,
            Special::Private | Special::Reserved => return None,
        };
        special(self.ip).filter(|_| self.bits >= widest)
    }
}

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4((u32::from(ip) & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6((u128::from(ip) & mask).into())
        }
    }
}

/// Who may be a peer besides our own media port and members of the room.
#[derive(Debug, Clone, Default)]
pub enum Elsewhere {
    /// Nobody.
    #[default]
    Nobody,
    Public(Public),
    /// Everybody: for development on one machine.
    Everybody,
}

/// Hosts of the internet.
#[derive(Debug, Clone, Default)]
pub struct Public {
    /// Of this machine, whatever the port: what listens there is not for clients of a relay.
    pub own: Vec<IpAddr>,
    /// Exceptions, for private networks.
    pub allow: Vec<Network>,
    /// It wins over `allow`.
    pub deny: Vec<Network>,
}

impl Elsewhere {
    pub fn is_anybody(&self) -> bool {
        !matches!(self, Self::Nobody)
    }

    pub fn lets(&self, peer: SocketAddr) -> bool {
        match self {
            Self::Nobody => false,
            Self::Public(public) => public.lets(peer.ip()),
            Self::Everybody => true,
        }
    }
}

impl Public {
    fn lets(&self, ip: IpAddr) -> bool {
        let in_one = |networks: &[Network]| networks.iter().any(|network| network.contains(ip));
        if self.own.contains(&ip) || in_one(&self.deny) {
            return false;
        }
        match special(ip) {
            None => true,
            // Another spelling of an IPv4 address is no member of an IPv6 network that is private here.
            Some(Special::Private | Special::Reserved) if !is_other_spelling(ip) => {
                in_one(&self.allow) && !is_broadcast(ip)
            }
            Some(_) => false,
        }
    }
}

fn is_other_spelling(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => crate::special::embedded(ip.segments()).is_some(),
    }
}

fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

#[cfg(test)]
mod tests;
