//! How well a peer is connected, as shown to people.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::api::Quality;

/// How often a change is told.
const INTERVAL: Duration = Duration::from_secs(5);
/// Without anything at all from a broken connection for so long it counts as lost. Never sooner: clients rejoin upon it.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// Above this score it is excellent or good; the margin is needed to go up again.
const EXCELLENT_MIN: f32 = 4.1;
const GOOD_MIN: f32 = 3.1;
const MARGIN: f32 = 0.15;
/// Weight of the newest report.
const SMOOTHING: f32 = 0.4;
const SCORE_BEST: f32 = 5.0;

/// What a connection told since the last time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QualityInput {
    /// Lost parts, 0 … 1.
    pub(crate) up_loss: f32,
    pub(crate) down_loss: f32,
    pub(crate) rtt: Option<Duration>,
    pub(crate) up_packets: u64,
    pub(crate) down_packets: u64,
    pub(crate) connected: bool,
}

/// One peer's score over time.
#[derive(Debug)]
pub(crate) struct Score {
    smoothed: f32,
    quality: Quality,
    told: Option<Quality>,
    last_told: Option<Instant>,
    /// Since when there is neither a connection nor a packet.
    dead_since: Option<Instant>,
}

impl Default for Score {
    fn default() -> Self {
        Self {
            smoothed: SCORE_BEST,
            quality: Quality::Excellent,
            told: None,
            last_told: None,
            dead_since: None,
        }
    }
}

impl Score {
    pub(crate) fn observe(&mut self, report: &QualityInput, now: Instant) {
        if !report.connected && report.up_packets == 0 {
            self.dead_since.get_or_insert(now);
        } else {
            self.dead_since = None;
        }
        let newest = score_of(report);
        self.smoothed += (newest - self.smoothed) * SMOOTHING;
    }

    /// The present quality, when it is time to tell it and it changed.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<(Quality, f32)> {
        let last = *self.last_told.get_or_insert(now);
        if self.told.is_some() && now.saturating_duration_since(last) < INTERVAL {
            return None;
        }
        self.last_told = Some(now);
        self.quality = self.judge(now);
        if self.told == Some(self.quality) {
            return None;
        }
        self.told = Some(self.quality);
        Some((self.quality, self.smoothed))
    }

    fn judge(&self, now: Instant) -> Quality {
        let dead = self
            .dead_since
            .is_some_and(|since| now.saturating_duration_since(since) > LOST_AFTER);
        if dead {
            return Quality::Lost;
        }
        let up = |limit: f32, already: bool| limit + if already { 0.0 } else { MARGIN };
        if self.smoothed >= up(EXCELLENT_MIN, self.quality == Quality::Excellent) {
            Quality::Excellent
        } else if self.smoothed >= up(GOOD_MIN, self.quality >= Quality::Good) {
            Quality::Good
        } else {
            Quality::Poor
        }
    }
}

/// A simplified E-model (ITU-T G.107): delay and loss are taken off a rating, which becomes an opinion of 1 … 5.
fn score_of(report: &QualityInput) -> f32 {
    if !report.connected {
        return 1.0;
    }
    let one_way_ms = report.rtt.map_or(0.0, |rtt| rtt.as_secs_f32() * 500.0);
    let delay = 0.024 * one_way_ms
        + if one_way_ms > 177.3 {
            0.11 * (one_way_ms - 177.3)
        } else {
            0.0
        };
    let loss_percent = report.up_loss.max(report.down_loss).clamp(0.0, 1.0) * 100.0;
    // Robust codecs with repair: 4 % of loss is audible and visible, 10 % is bad.
    let loss = 95.0 * loss_percent / (loss_percent + 15.0);
    let rating = (93.2 - delay - loss).clamp(0.0, 100.0);
    let opinion = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    // The rating of a faultless path is 4.4: show it as the best.
    (1.0 + (opinion - 1.0) * (4.0 / 3.41)).clamp(1.0, SCORE_BEST)
}
