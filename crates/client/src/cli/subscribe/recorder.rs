//! Pictures into a file, as they come. Each written picture can be decoded: the first is a key frame, and where one is missing,
//! the next one written is a key frame again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use super::CliError;
use crate::frames::Received;
use crate::media::ivf;
use crate::{Codec, Kind, Section};

/// Between the last picture of one publisher and the first of the next.
const GAP: Duration = Duration::from_millis(33);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Written,
    /// It is not written: it cannot be decoded without what is missing.
    NeedsKeyframe,
    /// Of another track.
    Other,
    /// Whoever read our output is gone.
    NobodyReads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Ivf,
    AnnexB,
}

pub(super) struct Recorder {
    name: String,
    out: Box<dyn Write>,
    container: Option<Container>,
    /// Set by the first picture.
    codec: Option<Codec>,
    /// Of one peer, where there are several.
    source: Option<(Option<String>, Section)>,
    waits_for_key: bool,
    /// The sender's time of the first picture of this connection.
    first: Option<Duration>,
    offset: Duration,
    last: Duration,
}

impl Recorder {
    /// `-` is standard output.
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        let is_stdout = path == Path::new("-");
        let container = match path.extension().and_then(|end| end.to_str()) {
            None if is_stdout => None,
            Some("ivf") => Some(Container::Ivf),
            Some("h264" | "264") => Some(Container::AnnexB),
            Some(_) | None => {
                let text = format!("{name}: write .ivf or .h264, or - for standard output");
                return Err(CliError::Usage(text));
            }
        };
        let out: Box<dyn Write> = if is_stdout {
            Box::new(std::io::stdout().lock())
        } else {
            let file = File::create(path).map_err(|error| CliError::io(&name, &error))?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self::new(name, out, container))
    }

    fn new(name: String, out: Box<dyn Write>, container: Option<Container>) -> Self {
        Self {
            name,
            out,
            container,
            codec: None,
            source: None,
            waits_for_key: true,
            first: None,
            offset: Duration::ZERO,
            last: Duration::ZERO,
        }
    }

    pub(super) fn take(&mut self, from: Option<&str>, frame: &Received) -> Result<Taken, CliError> {
        let source = self.source.as_ref();
        let is_other =
            source.is_some_and(|(of, section)| of.as_deref() != from || *section != frame.section);
        if frame.codec.kind() != Kind::Video || is_other {
            return Ok(Taken::Other);
        }
        self.waits_for_key = !frame.is_key && (self.waits_for_key || !frame.is_next);
        if self.waits_for_key {
            return Ok(Taken::NeedsKeyframe);
        }
        if self.source.is_none() {
            self.source = Some((from.map(str::to_owned), frame.section));
        }
        let container = self.container_for(frame.codec)?;
        let first = *self.first.get_or_insert(frame.time);
        self.last = self.offset + frame.time.saturating_sub(first);
        let is_start = self.codec.replace(frame.codec).is_none();
        let mut bytes = Vec::new();
        match container {
            Container::AnnexB => bytes.extend_from_slice(&frame.data),
            Container::Ivf => {
                if is_start {
                    bytes.extend(ivf::header(frame.codec, ivf::vp8_size(&frame.data)));
                }
                bytes.extend(ivf::frame(self.last, &frame.data));
            }
        }
        self.write(&bytes)
    }

    /// Whoever sent is gone, or sends anew; `from` says which one, where there are several.
    pub(super) fn changed(&mut self, from: Option<&str>) {
        let source = self.source.as_ref();
        if source.is_none_or(|(of, _)| of.as_deref() == from) {
            self.start_anew();
        }
    }

    /// Another connection: its pictures have other sections and other times.
    pub(super) fn start_anew(&mut self) {
        self.source = None;
        self.waits_for_key = true;
        self.first = None;
        self.offset = self.last + GAP;
    }

    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        match self.out.flush() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(CliError::io(&self.name, &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Standard output gets what players expect of the codec.
    fn container_for(&mut self, codec: Codec) -> Result<Container, CliError> {
        let name = &self.name;
        if let Some(old) = self.codec.filter(|old| *old != codec) {
            let text = format!("{name}: the pictures were {old} and are {codec} now");
            return Err(CliError::Media(text));
        }
        let usual = match codec {
            Codec::H264 => Container::AnnexB,
            Codec::Vp8 | Codec::Opus => Container::Ivf,
        };
        let container = *self.container.get_or_insert(usual);
        if container == Container::AnnexB && codec != Codec::H264 {
            return Err(CliError::Media(format!(
                "{name}: the channel sends {codec}, which such a file cannot hold: write .ivf"
            )));
        }
        Ok(container)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<Taken, CliError> {
        let is_stdout = self.name == "-";
        let written = self.out.write_all(bytes);
        let written = written.and_then(|()| if is_stdout { self.out.flush() } else { Ok(()) });
        match written {
            Ok(()) => Ok(Taken::Written),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Taken::NobodyReads),
            Err(error) => Err(CliError::io(&self.name, &error)),
        }
    }
}

#[cfg(test)]
mod tests;
