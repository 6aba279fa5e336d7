//! How long to wait before the next try.

use std::time::Duration;

use super::{CliError, End};
use crate::spider::REMOVED;

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

    /// What is said about it and how long to wait; or the end, where another try is not wanted or would not help. `chance`
    /// from 0 to 1 spreads those who were cut off together.
    pub(super) fn after(
        &mut self,
        done: Result<End, CliError>,
        chance: f64,
    ) -> Result<(String, Duration), Result<End, CliError>> {
        let is_worth_it = match &done {
            Ok(End::Server(why)) => why.as_deref() != Some(REMOVED),
            Err(CliError::Session(error)) => !error.is_final(),
            Ok(End::User | End::Input)
            | Err(
                CliError::Usage(_) | CliError::Source(_) | CliError::Io(_) | CliError::Media(_),
            ) => false,
        };
        if !self.is_wanted || !is_worth_it {
            return Err(done);
        }
        let wait = self.next.mul_f64(0.75 + chance / 4.0);
        self.next = (self.next * 2).min(LONGEST);
        let why = match done {
            Ok(end) => end.to_string(),
            Err(error) => error.to_string(),
        };
        let seconds = wait.as_secs_f64();
        Ok((format!("{why}; trying again in {seconds:.1} s"), wait))
    }
}

/// From 0 to 1, differing from program to program.
pub(super) fn chance() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new();
    let bits = random.build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
