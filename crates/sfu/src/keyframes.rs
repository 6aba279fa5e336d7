//! Asks a publisher for key frames: not more often than it can bear, and again where none came.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(500);
/// A question may be lost, or come when the publisher will not hear of it. But whoever still needs a key frame after so
/// many questions asks anew; else nobody does.
const TRIES_MAX: u8 = 5;

/// The key frame wishes for one encoding of a track.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last_tried: Option<Instant>,
    tries_left: u8,
}

impl Throttle {
    /// Somebody needs a key frame, and needs it until one comes.
    pub(crate) fn wish(&mut self) {
        self.tries_left = TRIES_MAX;
    }

    /// Is the publisher to be asked now?
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let too_soon = self.last_tried.is_some_and(|at| now < at + INTERVAL);
        self.tries_left > 0 && !too_soon
    }

    pub(crate) fn asked(&mut self, now: Instant) {
        self.last_tried = Some(now);
        self.tries_left = self.tries_left.saturating_sub(1);
    }

    /// There was nobody to ask.
    pub(crate) fn not_asked(&mut self, now: Instant) {
        self.last_tried = Some(now);
    }

    /// There is somebody to ask from now on; what was asked before did not reach him.
    pub(crate) fn can_ask(&mut self) {
        self.last_tried = None;
    }

    /// A key frame came: all wishes up to now are fulfilled.
    pub(crate) fn satisfied(&mut self) {
        self.tries_left = 0;
    }
}
