//! Matroska and WebM (RFC 9559). Read by the crate `matroska-demuxer`, written by ourselves.

use std::io::BufReader;
use std::time::Duration;

use matroska_demuxer::{DemuxError, Frame, MatroskaFile, TrackEntry, TrackType};

use super::avcc::Parameters;
use super::film::{self, Input, Packet, REPACK_REMEDY};
use super::{FRAME_BYTES_MAX, FormatError};
use crate::{Codec, Kind};

mod writer;

pub use writer::Writer;

pub(super) struct Demuxer {
    file: MatroskaFile<BufReader<Box<dyn Input>>>,
    tracks: Vec<Track>,
    scale_ns: i128,
    frame: Frame,
}

struct Track {
    number: u64,
    codec: Codec,
    /// Of H.264.
    parameters: Option<Parameters>,
    delay_ns: i128,
}

impl Demuxer {
    pub(super) fn open(input: Box<dyn Input>) -> Result<Self, FormatError> {
        let file = MatroskaFile::open(BufReader::new(input)).map_err(|error| failed(&error))?;
        let mut tracks = Vec::new();
        for (wanted, kind) in [
            (TrackType::Video, Kind::Video),
            (TrackType::Audio, Kind::Audio),
        ] {
            let mut entries = file.tracks().iter();
            let entry = entries.find(|entry| entry.track_type() == wanted);
            tracks.extend(entry.map(|entry| track(entry, kind)).transpose()?);
        }
        if tracks.is_empty() {
            return Err(film::nothing_in_it());
        }
        let scale_ns = i128::from(file.info().timestamp_scale().get());
        Ok(Self {
            file,
            tracks,
            scale_ns,
            frame: Frame::default(),
        })
    }
}

impl film::Demuxer for Demuxer {
    fn codecs(&self) -> Vec<Codec> {
        self.tracks.iter().map(|track| track.codec).collect()
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, FormatError> {
        loop {
            // What was read of the group before is no part of this one.
            self.frame.duration = None;
            let read = self.file.next_frame(&mut self.frame);
            if !read.map_err(|error| failed(&error))? {
                return Ok(None);
            }
            let mut tracks = self.tracks.iter();
            let Some(track) = tracks.find(|track| track.number == self.frame.track) else {
                continue;
            };
            if self.frame.data.len() > FRAME_BYTES_MAX {
                let what = format!("a frame of {} bytes", self.frame.data.len());
                return Err(FormatError::Damaged(what));
            }
            let time_ns = i128::from(self.frame.timestamp) * self.scale_ns - track.delay_ns;
            let data = std::mem::take(&mut self.frame.data);
            return Ok(Some(Packet {
                codec: track.codec,
                time_us: i64::try_from(time_ns.div_euclid(1000)).unwrap_or(i64::MAX),
                data: match &track.parameters {
                    Some(parameters) => parameters.to_annex_b(&data)?,
                    None => data,
                },
            }));
        }
    }
}

fn track(entry: &TrackEntry, kind: Kind) -> Result<Track, FormatError> {
    if entry.content_encodings().is_some_and(|all| !all.is_empty()) {
        return Err(FormatError::Unfit {
            what: "its tracks are compressed or encrypted by the container".to_owned(),
            remedy: REPACK_REMEDY,
        });
    }
    let codec = match entry.codec_id() {
        "V_VP8" => Codec::Vp8,
        "V_MPEG4/ISO/AVC" => Codec::H264,
        "A_OPUS" => Codec::Opus,
        id => return Err(film::foreign(kind, name(id))),
    };
    let parameters = match codec {
        Codec::H264 => {
            let parameters = entry.codec_private().and_then(Parameters::parse);
            let missing = || "what is to be known about its H.264 is missing".to_owned();
            Some(parameters.ok_or_else(|| FormatError::Damaged(missing()))?)
        }
        Codec::Vp8 | Codec::Opus => None,
    };
    Ok(Track {
        number: entry.track_number().get(),
        codec,
        parameters,
        delay_ns: i128::from(entry.codec_delay().unwrap_or_default()),
    })
}

/// As people say it.
fn name(id: &str) -> &str {
    match id {
        "V_VP9" => "VP9",
        "V_AV1" => "AV1",
        "V_MPEGH/ISO/HEVC" => "H.265 (HEVC)",
        "V_MJPEG" => "Motion JPEG",
        "A_VORBIS" => "Vorbis",
        "A_FLAC" => "FLAC",
        "A_MPEG/L3" => "MP3",
        "A_AC3" => "AC-3",
        id if id.starts_with("A_AAC") => "AAC",
        id if id.starts_with("A_PCM") => "PCM",
        id => id,
    }
}

fn failed(error: &DemuxError) -> FormatError {
    match error {
        DemuxError::IoError(_) | DemuxError::ElementSizeExceedsStream { .. } => FormatError::Cut,
        DemuxError::CantFindCluster => film::nothing_in_it(),
        DemuxError::FromUtf8Error(_)
        | DemuxError::TryFromIntError(_)
        | DemuxError::InvalidEbmlElementId
        | DemuxError::InvalidEbmlDataSize
        | DemuxError::InvalidEbmlHeader(_)
        | DemuxError::WrongFloatSize(_)
        | DemuxError::WrongIntegerSize(_)
        | DemuxError::WrongDateSize(_)
        | DemuxError::UnsupportedDocType(_)
        | DemuxError::UnsupportedDocTypeReadVersion(_)
        | DemuxError::UnexpectedElement(_)
        | DemuxError::UnexpectedDataType
        | DemuxError::ElementNotFound(_)
        | DemuxError::NonZeroValueIsZero(_)
        | DemuxError::PositiveValueIsNotPositive
        | DemuxError::FrameAlreadyHasDuration(_)
        | DemuxError::InvalidBlockSize => FormatError::Damaged(error.to_string()),
    }
}

/// Milliseconds.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
