//! Addresses that are not an ordinary host somewhere in the internet (the IANA special-purpose registries of RFC 6890),
//! whatever they are spelled as.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    Unspecified,
    Loopback,
    LinkLocal,
    Private,
    Multicast,
    /// Documentation, benchmarks, protocol assignments, what is reserved.
    Reserved,
}

/// None: global unicast.
pub fn special(ip: IpAddr) -> Option<Special> {
    match ip {
        IpAddr::V4(ip) => special_ipv4(ip),
        IpAddr::V6(ip) => special_ipv6(ip),
    }
}

fn special_ipv4(ip: Ipv4Addr) -> Option<Special> {
    match ip.octets() {
        [0, ..] => Some(Special::Unspecified),
        [127, ..] => Some(Special::Loopback),
        [169, 254, ..] => Some(Special::LinkLocal),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            Some(Special::Private)
        }
        [224..=239, ..] => Some(Special::Multicast),
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => Some(Special::Reserved),
        _ => None,
    }
}

fn special_ipv6(ip: Ipv6Addr) -> Option<Special> {
    let segments = ip.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => return Some(Special::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => return Some(Special::Loopback),
        [0xff00..=0xffff, ..] => return Some(Special::Multicast),
        [0xfe80..=0xfebf, ..] => return Some(Special::LinkLocal),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => return Some(Special::Private),
        _ => {}
    }
    if let Some(inner) = embedded(segments) {
        // A way around by another spelling is special even if what it leads to is not.
        return Some(special_ipv4(inner).unwrap_or(Special::Reserved));
    }
    match segments {
        // What is not global unicast space, the discard-only prefix in it.
        [0x2000..=0x3fff, ..] if !is_reserved(segments) => None,
        _ => Some(Special::Reserved),
    }
}

fn is_reserved(segments: [u16; 8]) -> bool {
    match segments {
        // Protocol assignments, Teredo and ORCHID among them; documentation.
        [0x2001, second, ..] => second < 0x0200 || second == 0x0db8,
        [0x3fff, second, ..] => second < 0x1000,
        _ => false,
    }
}

/// The IPv4 address inside: mapped, compatible, translated (RFC 6052, RFC 8215), 6to4.
pub(crate) fn embedded(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0 | 0xffff, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
