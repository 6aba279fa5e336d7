//! Which ports of the relayed addresses are whose: one for each allocation, shared out over parts (threads) so that a port
//! tells its part. Neighbours, an even one and the odd one after it, are of one part.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use aws_lc_rs::hmac;

const PORT_MIN: u16 = 1_024;
const PAIRS: u16 = (u16::MAX - PORT_MIN) / 2 + 1;

/// One part's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    part: u16,
    parts: u16,
}

impl Ports {
    /// `part` is below `parts`.
    pub fn new(part: u16, parts: u16) -> Self {
        debug_assert!(part < parts, "{part} of {parts}");
        Self {
            part,
            parts: parts.max(1),
        }
    }

    /// The part that a port belongs to.
    pub fn part_of(&self, port: u16) -> Option<u16> {
        Some(port.checked_sub(PORT_MIN)? / 2 % self.parts)
    }

    pub(crate) fn index(self, port: u16) -> Option<usize> {
        if self.part_of(port)? != self.part {
            return None;
        }
        let pair = (port - PORT_MIN) / 2 / self.parts;
        Some(usize::from(pair) * 2 + usize::from(port & 1))
    }

    fn port(self, pair: u16, odd: bool) -> Option<u16> {
        let pair = pair.checked_mul(self.parts)?.checked_add(self.part)?;
        (pair < PAIRS).then(|| PORT_MIN + pair * 2 + u16::from(odd))
    }
}

/// The free ones. One that was in use waits as long as possible for its next use: somebody may still send there.
#[derive(Debug)]
pub(crate) struct Free {
    ports: Ports,
    /// Of even ports, and of odd ones.
    fresh: [u16; 2],
    used: [VecDeque<u16>; 2],
}

impl Free {
    pub(crate) fn new(ports: Ports) -> Self {
        Self {
            ports,
            fresh: [0; 2],
            used: [VecDeque::new(), VecDeque::new()],
        }
    }

    /// Real ones, in an order that nobody can tell who does not have the secret (RFC 6056).
    pub(crate) fn drawn(ports: Ports, range: RangeInclusive<u16>, secret: &[u8]) -> Self {
        let own = range.filter(|port| ports.index(*port).is_some());
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut all: Vec<([u8; 8], u16)> = own
            .map(|port| {
                let tag = hmac::sign(&key, &[b"port", &port.to_be_bytes()[..]].concat());
                let mut place = [0; 8];
                place.copy_from_slice(&tag.as_ref()[..8]);
                (place, port)
            })
            .collect();
        all.sort_unstable();
        let of = |odd: u16| {
            all.iter()
                .map(|(_, port)| *port)
                .filter(move |port| port & 1 == odd)
        };
        Self {
            ports,
            fresh: [PAIRS; 2],
            used: [of(0).collect(), of(1).collect()],
        }
    }

    pub(crate) fn take(&mut self, must_be_even: bool) -> Option<u16> {
        let has_more_odd = self.fresh[1] < self.fresh[0]
            || (self.fresh == [PAIRS; 2] && self.used[1].len() > self.used[0].len());
        let odd_first = !must_be_even && has_more_odd;
        let parities: &[bool] = match (must_be_even, odd_first) {
            (true, _) => &[false],
            (false, true) => &[true, false],
            (false, false) => &[false, true],
        };
        let fresh = parities.iter().find_map(|odd| self.take_fresh(*odd));
        fresh.or_else(|| {
            parities
                .iter()
                .find_map(|odd| self.used[usize::from(*odd)].pop_front())
        })
    }

    pub(crate) fn give_back(&mut self, port: u16) {
        self.used[usize::from(port & 1)].push_back(port);
    }

    fn take_fresh(&mut self, odd: bool) -> Option<u16> {
        let next = &mut self.fresh[usize::from(odd)];
        let port = self.ports.port(*next, odd)?;
        *next += 1;
        Some(port)
    }
}

#[cfg(test)]
mod tests;
