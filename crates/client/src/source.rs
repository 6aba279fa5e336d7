//! Where frames come from: an encoded file or standard input, passed through as it is, or a program that encodes a camera or a
//! test pattern. Frames are delivered at their time.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

use crate::Kind;
use crate::frames::Frame;
use crate::media::{Format, FormatError, Reader};

mod film;
mod program;
mod rtsp;

pub use program::{Encoding, Program};
pub use rtsp::Camera;

const READ_BYTES: usize = 64 * 1024;
/// Between the last frame of a file and its first one, when it is played again.
const LOOP_GAP: Duration = Duration::from_millis(33);

/// Why there are no frames, or no more.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{name}: {error}")]
    Io { name: String, error: io::Error },
    #[error("{name}: {error}")]
    Format { name: String, error: FormatError },
    /// With what to do about it.
    #[error("{name} is not there: {remedy}")]
    Missing { name: String, remedy: String },
    #[error("{name} failed{how}")]
    Failed { name: String, how: String },
    /// It may be there later.
    #[error("{name}: {why}")]
    Away { name: String, why: String },
    #[error("{name}: {what}")]
    Unfit { name: String, what: String },
    #[error("{0} has nothing in it")]
    Empty(String),
}

/// When frames are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As they come: whatever gives them is live.
    Live,
    /// At their times, counted from the first.
    Timed,
}

#[derive(Debug, Clone)]
pub enum Origin {
    File { path: PathBuf, repeat: bool },
    Stdin(Pace),
    Program(Program),
    Camera(Camera),
}

/// What comes of a source.
#[derive(Debug)]
pub enum Delivery {
    Frame(Frame),
    /// In words: of something that happened, and it goes on.
    Said(String),
    /// It is over, and how.
    Over(Result<(), SourceError>),
}

/// A source that was found to be there, and has not begun.
#[derive(Debug)]
pub struct Source {
    name: String,
    origin: Origin,
    /// Of its tracks.
    kinds: Vec<Kind>,
    is_film: bool,
    /// Between two pictures of a stream without times.
    interval: Duration,
}

impl Source {
    /// Looks whether it is there. Standard input and programs give pictures; a file says what it has.
    pub async fn open(origin: Origin, fps: u32) -> Result<Self, SourceError> {
        let mut is_film = false;
        let (name, kinds) = match &origin {
            Origin::File { path, .. } => {
                let name = path.display().to_string();
                let format = file_format(path).await?;
                is_film = format.is_film();
                let kinds = match format {
                    Format::Ivf | Format::AnnexB => vec![Kind::Video],
                    Format::Ogg => vec![Kind::Audio],
                    Format::Matroska | Format::Mp4 => film::probe(format, path, &name).await?,
                };
                (name, kinds)
            }
            Origin::Stdin(_) => ("standard input".to_owned(), vec![Kind::Video]),
            Origin::Program(program) => {
                program.check()?;
                (program.name().to_owned(), vec![Kind::Video])
            }
            Origin::Camera(camera) => (camera.name(), camera.probe().await?),
        };
        Ok(Self {
            name,
            origin,
            kinds,
            is_film,
            interval: Duration::from_secs(1) / fps.max(1),
        })
    }

    /// Of its tracks, in the order of their numbers.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Delivers frames, each with its track's number, until it is over or nobody takes them. The first track has that number.
    /// Ends what it started when it is dropped.
    pub async fn run(self, number: usize, to: mpsc::Sender<(usize, Delivery)>) {
        let Self {
            name,
            origin,
            kinds,
            is_film,
            interval,
        } = self;
        let mut run = Run {
            name: &name,
            interval,
            number,
            kinds: &kinds,
            to,
            start: None,
            offset: Duration::ZERO,
            last: Duration::ZERO,
            delivered: false,
        };
        let done = match origin {
            Origin::File { path, repeat } => run.file(&path, is_film, repeat).await,
            Origin::Stdin(pace) => run.stream(&mut tokio::io::stdin(), pace).await,
            Origin::Program(program) => run.program(&program).await,
            Origin::Camera(camera) => run.camera(&camera).await,
        };
        let over = match done {
            Ok(()) if !run.delivered => Err(SourceError::Empty(name.clone())),
            Ok(()) => Ok(()),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::NobodyListens) => return,
        };
        // Who does not listen any more need not be told.
        run.to.send((number, Delivery::Over(over))).await.ok();
    }
}

async fn file_format(path: &Path) -> Result<Format, SourceError> {
    let name = path.display().to_string();
    let failed = |error| SourceError::Io {
        name: name.clone(),
        error,
    };
    let file = File::open(path).await.map_err(failed)?;
    let mut magic = Vec::new();
    let mut start = file.take(u64::try_from(Format::MAGIC_BYTES).unwrap_or(u64::MAX));
    start.read_to_end(&mut magic).await.map_err(failed)?;
    Format::detect(&magic).map_err(|error| SourceError::Format { name, error })
}

enum Stop {
    Error(SourceError),
    NobodyListens,
}

struct Run<'a> {
    name: &'a str,
    interval: Duration,
    number: usize,
    kinds: &'a [Kind],
    to: mpsc::Sender<(usize, Delivery)>,
    start: Option<Instant>,
    /// Of the round that is played, when a file is played again and again.
    offset: Duration,
    last: Duration,
    delivered: bool,
}

impl Run<'_> {
    async fn file(&mut self, path: &Path, is_film: bool, repeat: bool) -> Result<(), Stop> {
        loop {
            self.delivered = false;
            if is_film {
                self.film(path).await?;
            } else {
                let mut file = File::open(path).await.map_err(|error| self.io(error))?;
                self.stream(&mut file, Pace::Timed).await?;
            }
            if !repeat || !self.delivered {
                return Ok(());
            }
            self.offset = self.last + LOOP_GAP;
        }
    }

    async fn program(&mut self, program: &Program) -> Result<(), Stop> {
        let mut running = program.start().map_err(Stop::Error)?;
        let streamed = self.stream(&mut running.output, Pace::Live).await;
        match streamed {
            Ok(()) => running.end().await.map_err(Stop::Error),
            // What it said itself is nearer to the cause than that its output is not to be read.
            Err(Stop::Error(error)) => match running.end_now().await {
                Err(own) => Err(Stop::Error(own)),
                Ok(()) => Err(Stop::Error(error)),
            },
            Err(stop) => Err(stop),
        }
    }

    async fn stream(
        &mut self,
        input: &mut (impl AsyncRead + Unpin),
        pace: Pace,
    ) -> Result<(), Stop> {
        let mut bytes = vec![0; READ_BYTES];
        let mut start = Vec::new();
        let mut reader = None;
        loop {
            let length = input
                .read(&mut bytes)
                .await
                .map_err(|error| self.io(error))?;
            let read = bytes.get(..length).unwrap_or_default();
            let is_end = length == 0;
            let reader = match &mut reader {
                Some(reader) => reader,
                None => {
                    start.extend_from_slice(read);
                    if start.is_empty() && is_end {
                        return Ok(());
                    }
                    if start.len() < Format::MAGIC_BYTES && !is_end {
                        continue;
                    }
                    let format = Format::detect(&start).map_err(|error| self.wrong(error))?;
                    let new = Reader::new(format, self.interval);
                    reader.insert(new.map_err(|error| self.wrong(error))?)
                }
            };
            if start.is_empty() {
                reader.push(read);
            } else {
                reader.push(&std::mem::take(&mut start));
            }
            while let Some(frame) = reader.next_frame().map_err(|error| self.wrong(error))? {
                self.deliver(frame, pace, reader.has_times()).await?;
            }
            if is_end {
                if let Some(frame) = reader.finish().map_err(|error| self.wrong(error))? {
                    self.deliver(frame, pace, reader.has_times()).await?;
                }
                return Ok(());
            }
        }
    }

    async fn deliver(&mut self, mut frame: Frame, pace: Pace, has_time: bool) -> Result<(), Stop> {
        let now = Instant::now();
        let start = *self.start.get_or_insert(now);
        match pace {
            Pace::Live if has_time => {}
            Pace::Live => frame.time = now.saturating_duration_since(start),
            Pace::Timed => {
                frame.time += self.offset;
                tokio::time::sleep_until((start + frame.time).into()).await;
            }
        }
        self.last = self.last.max(frame.time);
        self.delivered = true;
        let kind = frame.codec.kind();
        let track = self.kinds.iter().position(|of| *of == kind);
        let number = self.number + track.unwrap_or_default();
        let sent = self.to.send((number, Delivery::Frame(frame))).await;
        sent.map_err(|_| Stop::NobodyListens)
    }

    fn io(&self, error: io::Error) -> Stop {
        let name = self.name.to_owned();
        Stop::Error(SourceError::Io { name, error })
    }

    fn wrong(&self, error: FormatError) -> Stop {
        let name = self.name.to_owned();
        Stop::Error(SourceError::Format { name, error })
    }
}

#[cfg(test)]
mod tests;
