//! A token bucket: how much somebody may do at once, and how much for long.

use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) at_once: f64,
    pub(crate) per_second: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// What is left. Below zero: a debt.
    level: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(now: Instant, rate: Rate) -> Self {
        Self {
            level: rate.at_once,
            at: now,
        }
    }

    /// Err: how long until it can be taken; nothing is.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate, amount: f64) -> Result<(), Duration> {
        self.fill(now, rate);
        if self.level < amount {
            let missing = (amount - self.level) / rate.per_second;
            return Err(Duration::from_secs_f64(missing));
        }
        self.level -= amount;
        Ok(())
    }

    /// What was done already. Some: how long to do nothing.
    pub(crate) fn charge(&mut self, now: Instant, rate: Rate, amount: f64) -> Option<Duration> {
        self.fill(now, rate);
        self.level -= amount;
        (self.level < 0.0).then(|| Duration::from_secs_f64(-self.level / rate.per_second))
    }

    pub(crate) fn is_full(mut self, now: Instant, rate: Rate) -> bool {
        self.fill(now, rate);
        self.level >= rate.at_once
    }

    fn fill(&mut self, now: Instant, rate: Rate) {
        let since = now.saturating_duration_since(self.at);
        self.level = (self.level + since.as_secs_f64() * rate.per_second).min(rate.at_once);
        self.at = now;
    }
}

#[cfg(test)]
mod tests;
