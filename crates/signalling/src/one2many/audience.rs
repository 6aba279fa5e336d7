//! How many watch, told to who wants to know: not more often than once a second, as each who comes would else be told to
//! all of many.

use std::time::{Duration, Instant};

use madang_sfu::api::Now;

const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Audience {
    told: Option<(usize, Instant)>,
    due: Option<Instant>,
}

impl Audience {
    /// What to tell now.
    pub(super) fn tell(&mut self, now: Now, count: usize) -> Option<usize> {
        if let Some((told, at)) = self.told {
            if told == count {
                self.due = None;
                return None;
            }
            if now.instant < at + PAUSE {
                self.due = Some(at + PAUSE);
                return None;
            }
        }
        self.told = Some((count, now.instant));
        self.due = None;
        Some(count)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}
