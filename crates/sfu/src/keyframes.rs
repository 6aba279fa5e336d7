//! Asks a publisher for key frames, but not more often than it can bear.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(500);

/// The key frame wishes for one encoding of a track.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last_asked: Option<Instant>,
    /// A wish that came too soon after the last question.
    wish: bool,
}

impl Throttle {
    /// Somebody needs a key frame: true if the publisher is to be asked now. Otherwise the wish is kept for `due`.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        self.wish = true;
        self.due(now)
    }

    /// Is there a wish whose time has come? Then the publisher is to be asked now.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        let too_soon = self.last_asked.is_some_and(|at| now < at + INTERVAL);
        if !self.wish || too_soon {
            return false;
        }
        self.wish = false;
        self.last_asked = Some(now);
        true
    }

    /// A key frame came: all wishes up to now are fulfilled.
    pub(crate) fn satisfied(&mut self) {
        self.wish = false;
    }
}
