//! Formats of encoded media, read and written piece by piece: no file, no socket, no clock.

use std::time::Duration;

use crate::Codec;
use crate::frames::Frame;

pub mod annexb;
mod avcc;
pub mod film;
pub mod ivf;
pub mod matroska;
pub mod mp4;
pub mod ogg;
pub mod writing;

/// A frame that is longer is none: the file is damaged.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("this is neither IVF, nor H.264 in annex B, nor Ogg, Matroska (WebM) or MP4")]
    Unknown,
    #[error("{0} is in it, which cannot be published: VP8 and H264 can")]
    Codec(String),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it ends in the middle of a frame")]
    Cut,
    /// Sound, but published it is not; with what to do about it.
    #[error("{what}; {remedy}")]
    Unfit { what: String, remedy: &'static str },
}

/// How encoded media is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Ivf,
    AnnexB,
    Ogg,
    /// Also WebM.
    Matroska,
    Mp4,
}

impl Format {
    /// So many first bytes tell.
    pub const MAGIC_BYTES: usize = 8;

    pub fn detect(start: &[u8]) -> Result<Self, FormatError> {
        match start {
            [b'D', b'K', b'I', b'F', ..] => Ok(Self::Ivf),
            [b'O', b'g', b'g', b'S', ..] => Ok(Self::Ogg),
            [0, 0, 1, ..] | [0, 0, 0, 1, ..] => Ok(Self::AnnexB),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Ok(Self::Matroska),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Self::Mp4),
            _ => Err(FormatError::Unknown),
        }
    }

    /// It has several tracks, and is read at many places: by [`film::Reader`].
    pub fn is_film(self) -> bool {
        match self {
            Self::Matroska | Self::Mp4 => true,
            Self::Ivf | Self::AnnexB | Self::Ogg => false,
        }
    }
}

/// Takes bytes as they come and gives whole frames.
#[derive(Debug)]
pub struct Reader {
    kind: ReaderKind,
}

#[derive(Debug)]
enum ReaderKind {
    Ivf(ivf::Reader),
    AnnexB(annexb::Reader),
    Ogg(Box<ogg::Reader>),
}

impl Reader {
    /// `frame_interval` is for annex B, which has no times.
    pub fn new(format: Format, frame_interval: Duration) -> Result<Self, FormatError> {
        let kind = match format {
            Format::Ivf => ReaderKind::Ivf(ivf::Reader::default()),
            Format::AnnexB => ReaderKind::AnnexB(annexb::Reader::new(frame_interval)),
            Format::Ogg => ReaderKind::Ogg(Box::default()),
            Format::Matroska | Format::Mp4 => {
                return Err(FormatError::Unfit {
                    what: "Matroska and MP4 are not read from a pipe".to_owned(),
                    remedy: "give the file by --file, or pipe IVF: ffmpeg -re -i FILE -an -c copy -f ivf -",
                });
            }
        };
        Ok(Self { kind })
    }

    /// Whether the times of the frames are those of the format; else they are made up from the interval.
    pub fn has_times(&self) -> bool {
        match self.kind {
            ReaderKind::Ivf(_) | ReaderKind::Ogg(_) => true,
            ReaderKind::AnnexB(_) => false,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.kind {
            ReaderKind::Ivf(reader) => reader.push(bytes),
            ReaderKind::AnnexB(reader) => reader.push(bytes),
            ReaderKind::Ogg(reader) => reader.push(bytes),
        }
    }

    /// The next whole frame of what was pushed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FormatError> {
        match &mut self.kind {
            ReaderKind::Ivf(reader) => reader.next_frame(),
            ReaderKind::AnnexB(reader) => reader.next_frame(),
            ReaderKind::Ogg(reader) => reader.next_frame(),
        }
    }

    /// No more bytes come: the last frame, if its end was only to be known by that.
    pub fn finish(&mut self) -> Result<Option<Frame>, FormatError> {
        match &mut self.kind {
            ReaderKind::Ivf(reader) => reader.finish().map(|()| None),
            ReaderKind::AnnexB(reader) => Ok(reader.finish()),
            ReaderKind::Ogg(reader) => reader.finish().map(|()| None),
        }
    }
}

/// The parameter sets of an `AVCDecoderConfigurationRecord`; none if it is none.
pub(crate) fn parameter_sets(record: &[u8]) -> Vec<Vec<u8>> {
    avcc::Parameters::parse(record).map_or_else(Vec::new, avcc::Parameters::into_sets)
}

/// Whether a decoder can start with these bytes.
pub fn is_key(codec: Codec, data: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        // RFC 6386 §9.1: the lowest bit is zero in a key frame.
        Codec::Vp8 => data.first().is_some_and(|byte| byte & 1 == 0),
        Codec::H264 => annexb::units(data).any(|unit| annexb::kind(unit) == annexb::IDR),
    }
}

#[cfg(test)]
mod tests;
