//! Datagrams that can share a system call (UDP GSO): consecutive ones of the same pair of addresses and size, the last
//! may be shorter. Nothing is waited for: a group holds what one tick gave.

use std::net::SocketAddr;

use madang_sfu::{Local, Transmit, Transmits};

/// Longer bursts gain little and are lost together (a switch's buffer is short).
pub(crate) const SEGMENTS_MAX: usize = 4;
/// A UDP payload over IPv4.
const GROUP_BYTES_MAX: usize = 65_507;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group<'a> {
    pub(crate) local: Local,
    pub(crate) remote: SocketAddr,
    pub(crate) contents: &'a [u8],
    /// Size of each segment but the last; none: a single datagram.
    pub(crate) segment: Option<usize>,
    pub(crate) count: usize,
}

/// All of them, in order.
pub(crate) fn groups(transmits: &Transmits, mut send: impl FnMut(Group<'_>)) {
    let mut rest = transmits.all();
    while let Some(first) = rest.first() {
        let (group, later) = rest.split_at(length(first, rest));
        rest = later;
        send(Group {
            local: first.local,
            remote: first.remote,
            contents: transmits.bytes(group),
            segment: (group.len() > 1).then_some(first.size()),
            count: group.len(),
        });
    }
}

/// How many of those that start with `first` can go with it.
fn length(first: &Transmit, all: &[Transmit]) -> usize {
    let mut bytes = first.size();
    let mut last = first.size();
    let others = all.iter().skip(1).take(SEGMENTS_MAX - 1);
    let fitting = others.take_while(|next| {
        bytes += next.size();
        let fits = next.remote == first.remote
            && next.local == first.local
            && last == first.size()
            && (1..=last).contains(&next.size())
            && bytes <= GROUP_BYTES_MAX;
        last = next.size();
        fits
    });
    1 + fitting.count()
}

#[cfg(test)]
mod tests;
