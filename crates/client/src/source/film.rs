//! Files with pictures and sound are read at many places: on a thread of their own, some frames ahead.

use std::path::Path;

use tokio::sync::mpsc;

use super::{Pace, Run, SourceError, Stop};
use crate::Kind;
use crate::frames::Frame;
use crate::media::film::Reader;
use crate::media::{Format, FormatError};

const FRAMES_AHEAD: usize = 32;

type Read = Result<Frame, SourceError>;

/// Whether it can be published; what its tracks are.
pub(super) async fn probe(
    format: Format,
    path: &Path,
    name: &str,
) -> Result<Vec<Kind>, SourceError> {
    let (path, of) = (path.to_owned(), name.to_owned());
    let probing = tokio::task::spawn_blocking(move || {
        let wrong = |error| SourceError::Format {
            name: of.clone(),
            error,
        };
        open(format, &path, &of)?.probe().map_err(wrong)
    });
    probing.await.unwrap_or_else(|_| Err(unread(name)))
}

impl Run<'_> {
    /// From its beginning to its end.
    pub(super) async fn film(&mut self, path: &Path) -> Result<(), Stop> {
        let format = super::file_format(path).await.map_err(Stop::Error)?;
        let (to, mut from) = mpsc::channel(FRAMES_AHEAD);
        let (path, name) = (path.to_owned(), self.name.to_owned());
        let reading = tokio::task::spawn_blocking(move || read(format, &path, &name, &to));
        while let Some(read) = from.recv().await {
            self.deliver(read.map_err(Stop::Error)?, Pace::Timed, true)
                .await?;
        }
        reading.await.map_err(|_| Stop::Error(unread(self.name)))
    }
}

fn read(format: Format, path: &Path, name: &str, to: &mpsc::Sender<Read>) {
    let read = |to: &mpsc::Sender<Read>| {
        let mut reader = open(format, path, name)?;
        let wrong = |error| SourceError::Format {
            name: name.to_owned(),
            error,
        };
        while let Some(frame) = reader.next_frame().map_err(wrong)? {
            if to.blocking_send(Ok(frame)).is_err() {
                break;
            }
        }
        Ok(())
    };
    if let Err(error) = read(to) {
        // Who does not listen any more need not be told.
        to.blocking_send(Err(error)).ok();
    }
}

fn open(format: Format, path: &Path, name: &str) -> Result<Reader, SourceError> {
    let file = std::fs::File::open(path).map_err(|error| SourceError::Io {
        name: name.to_owned(),
        error,
    })?;
    Reader::open(format, file).map_err(|error| SourceError::Format {
        name: name.to_owned(),
        error,
    })
}

/// The library that reads it gave up on what its authors did not expect.
fn unread(name: &str) -> SourceError {
    SourceError::Format {
        name: name.to_owned(),
        error: FormatError::Damaged("it cannot be read".to_owned()),
    }
}
