//! What ends a verb from outside: Ctrl-C, SIGTERM, and the time that it was given.

use std::time::Duration;

use super::CliError;

pub(super) struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    deadline: Option<tokio::time::Instant>,
}

impl Stop {
    pub(super) fn listen(after: Option<Duration>) -> Result<Self, CliError> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        #[cfg(unix)]
        let failed = |error| CliError::io("signals", &error);
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            deadline: after.map(|after| tokio::time::Instant::now() + after),
        })
    }

    /// Cancel safe.
    pub(super) async fn next(&mut self) {
        let deadline = self.deadline;
        let time_is_up = async move {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = time_is_up => {}
        }
        #[cfg(not(unix))]
        tokio::select! {
            // Where there is no way to be told, there is nothing to be told by.
            Ok(()) = tokio::signal::ctrl_c() => {}
            () = time_is_up => {}
        }
    }
}
