//! Seeded randomness and links that lose, delay and reorder.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use madang_sfu::api::Entropy;

/// SplitMix64: the same seed, the same run.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }
}

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.draw().to_le_bytes()[0];
        }
    }
}

/// One way between a client and the server.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub delay: Duration,
    pub jitter: Duration,
    pub loss_permille: u64,
    /// So many are held back by another `delay`, and so overtaken.
    pub reorder_permille: u64,
}

impl Link {
    pub fn clean() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss_permille: 0,
            reorder_permille: 0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Net {
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    flying: std::collections::BTreeMap<u64, Datagram>,
    sent: u64,
    pub(crate) lost: u64,
    pub(crate) delivered: u64,
}

impl Net {
    pub(crate) fn send(
        &mut self,
        now: Instant,
        link: Link,
        random: &mut Random,
        datagram: Datagram,
    ) {
        self.sent += 1;
        if random.chance(link.loss_permille) {
            self.lost += 1;
            return;
        }
        let jitter = u64::try_from(link.jitter.as_micros()).unwrap_or(0);
        let mut at = now + link.delay;
        if jitter > 0 {
            at += Duration::from_micros(random.below(jitter));
        }
        if random.chance(link.reorder_permille) {
            at += link.delay;
        }
        self.queue.push(Reverse((at, self.sent)));
        self.flying.insert(self.sent, datagram);
    }

    pub(crate) fn due(&mut self, now: Instant) -> Option<Datagram> {
        let Reverse((at, id)) = *self.queue.peek()?;
        if at > now {
            return None;
        }
        self.queue.pop();
        self.delivered += 1;
        self.flying.remove(&id)
    }

    /// All that was ever sent is delivered, lost or under way.
    pub(crate) fn adds_up(&self) -> bool {
        let flying = u64::try_from(self.flying.len()).unwrap_or(u64::MAX);
        self.sent == self.delivered + self.lost + flying
    }
}
