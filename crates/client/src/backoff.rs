//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Tries are further and further apart, until one works.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// It worked: after the next break, the first wait is short again.
    pub(crate) fn worked(&mut self) {
        self.next = FIRST;
    }

    /// `chance` from 0 to 1 spreads those who were cut off together.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let wait = self.next.mul_f64(0.75 + chance / 4.0);
        self.next = (self.next * 2).min(LONGEST);
        wait
    }
}

/// From 0 to 1, differing from program to program.
pub(crate) fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new();
    let bits = random.build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
