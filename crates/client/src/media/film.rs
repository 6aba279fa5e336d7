//! Files with pictures and sound, in Matroska (WebM) or MP4: the first track of each kind, in the file's own times.

use std::io::{Read, Seek};
use std::time::Duration;

use super::{Format, FormatError, is_key, matroska, mp4, ogg};
use crate::frames::Frame;
use crate::{Codec, Kind};

/// Without a key frame for so long, nobody who comes later would see anything.
const PICTURES_BEFORE_KEY_MAX: u32 = 600;
/// So many packets are looked at before anything is sent.
const PROBED_PACKETS: u32 = 300;

pub(super) const PICTURE_REMEDY: &str = "encode it anew: ffmpeg -i FILE -c:v libx264 -profile:v baseline -g 30 -pix_fmt yuv420p -c:a libopus OUT.mkv";
pub(super) const SOUND_REMEDY: &str =
    "convert its sound: ffmpeg -i FILE -c:v copy -c:a libopus OUT.mkv";
pub(super) const REPACK_REMEDY: &str = "pack it anew: ffmpeg -i FILE -c copy OUT.mkv";

/// A packet of a track as the file has it; pictures of H.264 are in annex B already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) codec: Codec,
    /// Of its presentation. Sound may begin before zero: what a decoder needs to swing in.
    pub(super) time_us: i64,
    pub(super) data: Vec<u8>,
}

/// A kind of file.
pub(super) trait Demuxer: Send {
    /// Of its tracks that are read: one of pictures at most, and one of sound.
    fn codecs(&self) -> Vec<Codec>;

    /// In the order of the file.
    fn next_packet(&mut self) -> Result<Option<Packet>, FormatError>;
}

/// Reads and seeks.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// A file that is read from its first key frame on.
pub struct Reader {
    demuxer: Box<dyn Demuxer>,
    first_us: Option<i64>,
    picture_us: Option<i64>,
    /// Of the last packet of sound, and when it is over.
    sound: Option<(i64, i64)>,
    /// None since the first key frame.
    without_key: Option<u32>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("codecs", &self.demuxer.codecs())
            .finish_non_exhaustive()
    }
}

impl Reader {
    pub fn open(format: Format, input: impl Input + 'static) -> Result<Self, FormatError> {
        let demuxer: Box<dyn Demuxer> = match format {
            Format::Matroska => Box::new(matroska::Demuxer::open(Box::new(input))?),
            Format::Mp4 => Box::new(mp4::Demuxer::open(Box::new(input))?),
            Format::Ivf | Format::AnnexB | Format::Ogg => return Err(FormatError::Unknown),
        };
        Ok(Self::new(demuxer))
    }

    pub(super) fn new(demuxer: Box<dyn Demuxer>) -> Self {
        let has_pictures = demuxer
            .codecs()
            .iter()
            .any(|codec| codec.kind() == Kind::Video);
        Self {
            demuxer,
            first_us: None,
            picture_us: None,
            sound: None,
            without_key: has_pictures.then_some(0),
        }
    }

    /// Whether the beginning can be published; what its tracks are. Reads: open another one for the frames.
    pub fn probe(mut self) -> Result<Vec<Kind>, FormatError> {
        for _ in 0..PROBED_PACKETS {
            if self.next_frame()?.is_none() {
                break;
            }
        }
        let codecs = self.demuxer.codecs();
        Ok(codecs.into_iter().map(Codec::kind).collect())
    }

    pub fn next_frame(&mut self) -> Result<Option<Frame>, FormatError> {
        while let Some(packet) = self.demuxer.next_packet()? {
            if packet.data.is_empty() {
                continue;
            }
            let time_us = match packet.codec.kind() {
                Kind::Audio => self.sound_time(&packet),
                Kind::Video => self.picture_time(&packet)?,
            };
            // Sound waits for the picture, so that both begin together.
            if self.without_key.is_some() {
                continue;
            }
            let first_us = *self.first_us.get_or_insert(time_us);
            let passed_us = time_us.saturating_sub(first_us);
            return Ok(Some(Frame {
                codec: packet.codec,
                time: Duration::from_micros(u64::try_from(passed_us).unwrap_or_default()),
                data: packet.data,
            }));
        }
        if self.without_key.is_some_and(|pictures| pictures > 0) {
            return Err(no_key());
        }
        Ok(None)
    }

    fn picture_time(&mut self, packet: &Packet) -> Result<i64, FormatError> {
        if let Some(before) = self.picture_us.replace(packet.time_us)
            && packet.time_us < before
        {
            return Err(FormatError::Unfit {
                what: "it has B-frames: pictures in another order than they are shown in"
                    .to_owned(),
                remedy: PICTURE_REMEDY,
            });
        }
        if let Some(pictures) = &mut self.without_key {
            *pictures += 1;
            if is_key(packet.codec, &packet.data) {
                self.without_key = None;
            } else if *pictures > PICTURES_BEFORE_KEY_MAX {
                return Err(no_key());
            }
        }
        Ok(packet.time_us)
    }

    /// Several packets may be kept as one, with one time.
    fn sound_time(&mut self, packet: &Packet) -> i64 {
        let time_us = match self.sound {
            Some((begin, end)) if packet.time_us <= begin => end,
            Some(_) | None => packet.time_us,
        };
        let duration_us = ogg::opus_duration(&packet.data).as_micros();
        let duration_us = i64::try_from(duration_us).unwrap_or_default();
        self.sound = Some((packet.time_us, time_us.saturating_add(duration_us)));
        time_us
    }
}

fn no_key() -> FormatError {
    FormatError::Unfit {
        what: "it has no key frame (of H.264: no IDR picture) to begin with".to_owned(),
        remedy: PICTURE_REMEDY,
    }
}

/// Of that codec, by the name that people know it by.
pub(super) fn foreign(kind: Kind, name: &str) -> FormatError {
    let (what, remedy) = match kind {
        Kind::Video => ("pictures", PICTURE_REMEDY),
        Kind::Audio => ("sound", SOUND_REMEDY),
    };
    let carried = match kind {
        Kind::Video => "VP8 and H.264 can",
        Kind::Audio => "Opus can",
    };
    FormatError::Unfit {
        what: format!("its {what} are in {name}, which cannot be published ({carried})")
            .replace("sound are", "sound is"),
        remedy,
    }
}

pub(super) fn nothing_in_it() -> FormatError {
    FormatError::Damaged("it has neither pictures nor sound".to_owned())
}

#[cfg(test)]
mod tests;
