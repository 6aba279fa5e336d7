//! Which ports of the relayed addresses are whose: one for each allocation, shared out over parts (threads) so that a port
//! tells its part. Neighbours, an even one and the odd one after it, are of one part.

use std::collections::VecDeque;

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

    pub(crate) fn take(&mut self, must_be_even: bool) -> Option<u16> {
        let odd_first = !must_be_even && self.fresh[1] < self.fresh[0];
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
