//! How long to wait before the next try.

use std::time::Duration;

use crate::session::SessionError;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Retry {
    is_wanted: bool,
    next: Duration,
}

impl Retry {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            next: FIRST,
        }
    }

    /// It worked: after the next break, the first wait is short again.
    pub(super) fn worked(&mut self) {
        self.next = FIRST;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// None where another try is not wanted or would not help. `chance` from 0 to 1 spreads those who were cut off together.
    pub(super) fn after(&mut self, error: &SessionError, chance: f64) -> Option<Duration> {
        if !self.is_wanted || error.is_final() {
            return None;
        }
        Some(self.wait(chance))
    }

    pub(super) fn wait(&mut self, chance: f64) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait.mul_f64(0.75 + chance / 4.0)
    }
}

/// From 0 to 1, differing from program to program.
pub(super) fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new();
    let bits = random.build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
