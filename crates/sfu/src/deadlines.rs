//! Who is due when: a heap with one live entry per key.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

/// Beyond this many dead entries per live one the heap is rebuilt.
const DEAD_PER_LIVE_MAX: usize = 2;
/// Below this size a rebuild is not worth it.
const DEAD_MAX: usize = 64;

/// Entries in the heap that were overtaken by a later `set` are skipped when they come up.
#[derive(Debug)]
pub(crate) struct Deadlines<K: Ord> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
    live: BTreeMap<K, Instant>,
}

impl<K: Ord> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            live: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// In place of the key's deadline before; None: it has none.
    pub(crate) fn set(&mut self, key: K, at: Option<Instant>) {
        let Some(at) = at else {
            self.live.remove(&key);
            return self.clean();
        };
        if self.live.insert(key, at) != Some(at) {
            self.heap.push(Reverse((at, key)));
            self.clean();
        }
    }

    /// A key whose deadline has passed, the earliest first. It has none any more.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, key)) = self.heap.pop()?;
        self.live.remove(&key);
        Some(key)
    }

    pub(crate) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, key))) = self.heap.peek() {
            if self.live.get(key) == Some(at) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Keeps the heap in proportion to what is alive in it.
    fn clean(&mut self) {
        if self.heap.len() > DEAD_MAX + self.live.len() * (1 + DEAD_PER_LIVE_MAX) {
            self.heap = self
                .live
                .iter()
                .map(|(key, at)| Reverse((*at, *key)))
                .collect();
        }
    }
}
