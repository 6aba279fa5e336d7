//! Pictures and sound into a file, as they come. Each written picture can be decoded: the first is a key frame, and where one is
//! missing, the next one written is a key frame again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use super::CliError;
use crate::frames::Received;
use crate::media::ivf;
use crate::{Codec, Kind, Section};

mod film;

use film::Film;

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
    Matroska,
    WebM,
    Mp4,
    Ogg,
}

impl Container {
    fn of(extension: &str) -> Option<Self> {
        match extension {
            "ivf" => Some(Self::Ivf),
            "h264" | "264" => Some(Self::AnnexB),
            "mkv" => Some(Self::Matroska),
            "webm" => Some(Self::WebM),
            "mp4" => Some(Self::Mp4),
            "ogg" | "opus" => Some(Self::Ogg),
            _ => None,
        }
    }

    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Ivf | Self::AnnexB => &[Kind::Video],
            Self::Matroska | Self::WebM | Self::Mp4 => &[Kind::Video, Kind::Audio],
            Self::Ogg => &[Kind::Audio],
        }
    }

    fn holds(self, codec: Codec) -> bool {
        match self {
            Self::Ivf => codec != Codec::Opus,
            Self::AnnexB => codec == Codec::H264,
            Self::Matroska => true,
            Self::WebM => codec != Codec::H264,
            Self::Mp4 => codec != Codec::Vp8,
            Self::Ogg => codec == Codec::Opus,
        }
    }
}

/// Whose media is written: of one peer, where there are several, one track of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    from: Option<String>,
    picture: Option<Section>,
    sound: Option<Section>,
}

pub(super) struct Recorder {
    name: String,
    out: Box<dyn Write>,
    container: Option<Container>,
    /// Of what has sound and pictures, or sound alone.
    film: Option<Film>,
    /// Set by the first picture.
    codec: Option<Codec>,
    source: Option<Source>,
    waits_for_key: bool,
    /// The sender's time of the first picture of this connection.
    first: Option<Duration>,
    offset: Duration,
    last: Duration,
    has_written: bool,
}

impl Recorder {
    /// `-` is standard output.
    pub(super) fn create(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        let is_stdout = path == Path::new("-");
        let extension = path.extension().and_then(|end| end.to_str());
        let container = extension.and_then(Container::of);
        if container.is_none() && !is_stdout {
            let text = format!(
                "{name}: write .mkv, .webm or .mp4, .ivf or .h264 for pictures alone, .ogg for sound alone, or - for standard output"
            );
            return Err(CliError::Usage(text));
        }
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
            film: container.and_then(Film::of),
            codec: None,
            source: None,
            waits_for_key: true,
            first: None,
            offset: Duration::ZERO,
            last: Duration::ZERO,
            has_written: false,
        }
    }

    /// What it writes of, where it comes.
    pub(super) fn kinds(&self) -> &'static [Kind] {
        self.container.map_or(&[Kind::Video], Container::kinds)
    }

    pub(super) fn take(&mut self, from: Option<&str>, frame: &Received) -> Result<Taken, CliError> {
        let kind = frame.codec.kind();
        if !self.kinds().contains(&kind) || !self.is_of_source(from, frame) {
            return Ok(Taken::Other);
        }
        if kind == Kind::Video {
            self.waits_for_key = !frame.is_key && (self.waits_for_key || !frame.is_next);
            if self.waits_for_key {
                return Ok(Taken::NeedsKeyframe);
            }
        }
        let container = self.container_for(frame.codec)?;
        let source = self.source.get_or_insert_with(|| Source {
            from: from.map(str::to_owned),
            picture: None,
            sound: None,
        });
        match kind {
            Kind::Video => source.picture = Some(frame.section),
            Kind::Audio => source.sound = Some(frame.section),
        }
        let bytes = match &mut self.film {
            Some(film) => film.take(frame).map_err(|what| {
                let name = &self.name;
                CliError::Media(format!("{name}: {what}"))
            })?,
            None => self.picture(container, frame),
        };
        self.write(&bytes)
    }

    /// A track that is written, or may be from now on: sound of whoever's pictures are written.
    fn is_of_source(&self, from: Option<&str>, frame: &Received) -> bool {
        let is_sound = frame.codec.kind() == Kind::Audio;
        let Some(source) = &self.source else {
            return !is_sound || self.kinds() == [Kind::Audio];
        };
        let section = if is_sound {
            source.sound
        } else {
            source.picture
        };
        source.from.as_deref() == from && section.is_none_or(|section| section == frame.section)
    }

    fn picture(&mut self, container: Container, frame: &Received) -> Vec<u8> {
        let first = *self.first.get_or_insert(frame.time);
        self.last = self.offset + frame.time.saturating_sub(first);
        if container == Container::AnnexB {
            return frame.data.to_vec();
        }
        let mut bytes = Vec::new();
        if !self.has_written {
            bytes = ivf::header(frame.codec, ivf::vp8_size(&frame.data));
        }
        bytes.extend(ivf::frame(self.last, &frame.data));
        bytes
    }

    /// Whoever sent is gone, or sends anew; `from` says which one, where there are several.
    pub(super) fn changed(&mut self, from: Option<&str>) -> Result<(), CliError> {
        let source = self.source.as_ref();
        if source.is_none_or(|source| source.from.as_deref() == from) {
            self.start_anew()?;
        }
        Ok(())
    }

    /// Another connection: its pictures have other sections and other times.
    pub(super) fn start_anew(&mut self) -> Result<(), CliError> {
        self.source = None;
        self.waits_for_key = true;
        self.first = None;
        self.offset = self.last + GAP;
        let bytes = self.film.as_mut().map(|film| film.start_anew(GAP));
        self.write(&bytes.unwrap_or_default()).map(|_| ())
    }

    /// What is said at the end, if nothing was written.
    pub(super) fn finish(&mut self) -> Result<Option<String>, CliError> {
        let bytes = self.film.as_mut().map(Film::end).unwrap_or_default();
        if self.write(&bytes)? == Taken::Written {
            self.flush()?;
        }
        let name = &self.name;
        Ok((!self.has_written).then(|| match self.kinds() {
            [Kind::Audio] => format!("{name} is empty: no sound came"),
            [Kind::Video] => format!("{name} is empty: no pictures came"),
            _ => format!("{name} is empty: no pictures came (write .ogg for sound alone)"),
        }))
    }

    /// Standard output gets what players expect of the codec.
    fn container_for(&mut self, codec: Codec) -> Result<Container, CliError> {
        let name = &self.name;
        let usual = match codec {
            Codec::H264 => Container::AnnexB,
            Codec::Vp8 | Codec::Opus => Container::Ivf,
        };
        let container = *self.container.get_or_insert(usual);
        if !container.holds(codec) {
            let other = if codec == Codec::H264 {
                ".mkv or .mp4"
            } else {
                ".mkv, .webm or .ivf"
            };
            return Err(CliError::Media(format!(
                "{name}: the channel sends {codec}, which such a file cannot hold: write {other}"
            )));
        }
        if codec.kind() == Kind::Video
            && let Some(old) = self.codec.replace(codec).filter(|old| *old != codec)
        {
            let text = format!("{name}: the pictures were {old} and are {codec} now");
            return Err(CliError::Media(text));
        }
        Ok(container)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<Taken, CliError> {
        if bytes.is_empty() {
            return Ok(Taken::Written);
        }
        self.has_written = true;
        // What is in fragments can be played up to the last one that is written.
        let is_whole = self.name == "-" || self.film.is_some();
        let written = self.out.write_all(bytes);
        let written = written.and_then(|()| if is_whole { self.out.flush() } else { Ok(()) });
        match written {
            Ok(()) => Ok(Taken::Written),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Taken::NobodyReads),
            Err(error) => Err(CliError::io(&self.name, &error)),
        }
    }

    fn flush(&mut self) -> Result<(), CliError> {
        match self.out.flush() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(CliError::io(&self.name, &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
