//! How long to wait before the next try.

use std::time::Duration;

use super::{CliError, End};
use crate::backoff::Backoff;
use crate::source::SourceError;
use crate::spider::REMOVED;

#[derive(Debug)]
pub(super) struct Retry {
    is_wanted: bool,
    backoff: Backoff,
}

impl Retry {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            backoff: Backoff::default(),
        }
    }

    /// It worked: after the next break, the first wait is short again.
    pub(super) fn worked(&mut self) {
        self.backoff.worked();
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
            Err(CliError::Source(SourceError::Away { .. })) => true,
            Ok(End::User | End::Input)
            | Err(
                CliError::Usage(_) | CliError::Source(_) | CliError::Io(_) | CliError::Media(_),
            ) => false,
        };
        if !self.is_wanted || !is_worth_it {
            return Err(done);
        }
        let wait = self.backoff.next(chance);
        let why = match done {
            Ok(end) => end.to_string(),
            Err(error) => error.to_string(),
        };
        let seconds = wait.as_secs_f64();
        Ok((format!("{why}; trying again in {seconds:.1} s"), wait))
    }
}
