//! MP4 (ISO/IEC 14496-12), whole or in fragments. Read by the crate `shiguredo_mp4`, written by ourselves, in fragments.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use shiguredo_mp4::boxes::{MoovBox, SampleEntry, TrakBox};
use shiguredo_mp4::demux::{
    DemuxError, Fmp4FileDemuxer, Input as Given, Mp4FileDemuxer, RequiredInput,
};
use shiguredo_mp4::{BoxHeader, BoxType, Decode as _};

use super::avcc::Parameters;
use super::film::{self, Input, Packet, REPACK_REMEDY};
use super::{FRAME_BYTES_MAX, FormatError};
use crate::{Codec, Kind};

mod writer;

pub use writer::Writer;

/// What is known about the samples, of a day perhaps.
const MOOV_BYTES_MAX: u64 = 128 * 1024 * 1024;
const FRAGMENT_BYTES_MAX: usize = 256 * 1024 * 1024;
const MICROS: i128 = 1_000_000;

pub(super) struct Demuxer {
    input: Box<dyn Input>,
    samples: Samples,
    tracks: Vec<Track>,
}

enum Samples {
    Whole(Mp4FileDemuxer),
    Fragments(Fmp4FileDemuxer),
}

struct Track {
    id: u32,
    codec: Codec,
    /// Of H.264.
    parameters: Option<Parameters>,
    scale: i128,
    /// By what the file says to show of it (§8.6.6): when it begins, less where in it that is.
    shift_us: i128,
}

/// Where a sample is.
struct Place {
    track: u32,
    time: i128,
    at: u64,
    length: usize,
}

impl Demuxer {
    pub(super) fn open(mut input: Box<dyn Input>) -> Result<Self, FormatError> {
        let moov = read_moov(&mut *input)?;
        let mut tracks = Vec::new();
        for (handler, kind) in [(*b"vide", Kind::Video), (*b"soun", Kind::Audio)] {
            let mut all = moov.trak_boxes.iter();
            let found = all.find(|trak| trak.mdia_box.hdlr_box.handler_type == handler);
            tracks.extend(found.map(|trak| track(&moov, trak, kind)).transpose()?);
        }
        if tracks.is_empty() {
            return Err(film::nothing_in_it());
        }
        let samples = if moov.mvex_box.is_some() {
            Samples::Fragments(Fmp4FileDemuxer::new())
        } else {
            Samples::Whole(Mp4FileDemuxer::new())
        };
        Ok(Self {
            input,
            samples,
            tracks,
        })
    }

    /// The next sample of any track.
    fn place(&mut self) -> Result<Option<Place>, FormatError> {
        loop {
            let next = match &mut self.samples {
                Samples::Whole(demuxer) => demuxer.next_sample(),
                Samples::Fragments(demuxer) => demuxer.next_sample(),
            };
            let required = match next {
                Ok(None) => return Ok(None),
                Ok(Some(sample)) => {
                    let shown = sample.composition_time_offset.unwrap_or_default();
                    return Ok(Some(Place {
                        track: sample.track.track_id,
                        time: i128::from(sample.timestamp) + i128::from(shown),
                        at: sample.data_offset,
                        length: sample.data_size,
                    }));
                }
                Err(DemuxError::InputRequired(required)) => required,
                Err(error) => return Err(failed(&error)),
            };
            let data = read_at(&mut *self.input, required)?;
            let given = Given {
                position: required.position,
                data: &data,
            };
            match &mut self.samples {
                Samples::Whole(demuxer) => demuxer.handle_input(given),
                Samples::Fragments(demuxer) => demuxer.handle_input(given),
            }
        }
    }
}

impl film::Demuxer for Demuxer {
    fn codecs(&self) -> Vec<Codec> {
        self.tracks.iter().map(|track| track.codec).collect()
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, FormatError> {
        loop {
            let Some(place) = self.place()? else {
                return Ok(None);
            };
            let Some(track) = self.tracks.iter().find(|track| track.id == place.track) else {
                continue;
            };
            if place.length > FRAME_BYTES_MAX {
                let what = format!("a frame of {} bytes", place.length);
                return Err(FormatError::Damaged(what));
            }
            let mut data = vec![0; place.length];
            let seeked = self.input.seek(SeekFrom::Start(place.at));
            seeked
                .and_then(|_| self.input.read_exact(&mut data))
                .map_err(|error| unread(&error))?;
            let time_us = place.time * MICROS / track.scale + track.shift_us;
            return Ok(Some(Packet {
                codec: track.codec,
                time_us: i64::try_from(time_us).unwrap_or(i64::MAX),
                data: match &track.parameters {
                    Some(parameters) => parameters.to_annex_b(&data)?,
                    None => data,
                },
            }));
        }
    }
}

fn track(moov: &MoovBox, trak: &TrakBox, kind: Kind) -> Result<Track, FormatError> {
    let entries = &trak.mdia_box.minf_box.stbl_box.stsd_box.entries;
    let entry = entries.first().ok_or_else(film::nothing_in_it)?;
    let (codec, parameters) = match entry {
        SampleEntry::Avc1(avc) => {
            let sets = avc.avcc_box.sps_list.iter().chain(&avc.avcc_box.pps_list);
            let length_bytes = usize::from(avc.avcc_box.length_size_minus_one.get()) + 1;
            let parameters = Parameters::new(length_bytes, sets.cloned().collect());
            (Codec::H264, Some(parameters))
        }
        SampleEntry::Vp08(_) => (Codec::Vp8, None),
        SampleEntry::Opus(_) => (Codec::Opus, None),
        SampleEntry::Hev1(_) | SampleEntry::Hvc1(_) => {
            return Err(film::foreign(kind, "H.265 (HEVC)"));
        }
        SampleEntry::Vp09(_) => return Err(film::foreign(kind, "VP9")),
        SampleEntry::Av01(_) => return Err(film::foreign(kind, "AV1")),
        SampleEntry::Mp4a(_) => return Err(film::foreign(kind, "AAC")),
        SampleEntry::Flac(_) => return Err(film::foreign(kind, "FLAC")),
        SampleEntry::Unknown(unknown) => {
            let name = String::from_utf8_lossy(unknown.box_type.as_bytes()).into_owned();
            return Err(film::foreign(kind, &name));
        }
    };
    let scale = i128::from(trak.mdia_box.mdhd_box.timescale.get());
    let film_scale = i128::from(moov.mvhd_box.timescale.get());
    let edits = trak.edts_box.as_ref();
    let edits = edits.and_then(|edits| edits.elst_box.as_ref());
    let mut shift_us = 0;
    for edit in edits.map_or(&[][..], |edits| &edits.entries) {
        if edit.media_time < 0 {
            // An edit without media: the track begins later.
            shift_us += i128::from(edit.edit_duration) * MICROS / film_scale;
        } else {
            shift_us -= i128::from(edit.media_time) * MICROS / scale;
            break;
        }
    }
    Ok(Track {
        id: trak.tkhd_box.track_id,
        codec,
        parameters,
        scale,
        shift_us,
    })
}

/// The box that says what there is: before the media or behind it.
fn read_moov(input: &mut dyn Input) -> Result<MoovBox, FormatError> {
    let damaged = |what: &str| FormatError::Damaged(what.to_owned());
    let mut position = 0_u64;
    loop {
        let head = RequiredInput {
            position,
            size: Some(BoxHeader::MAX_SIZE),
        };
        let head = read_at(input, head)?;
        if head.is_empty() {
            return Err(FormatError::Unfit {
                what: "it has no index (moov): its recording was not ended".to_owned(),
                remedy: "record with -movflags frag_keyframe+empty_moov+default_base_moof, or to Matroska (.mkv), which need no end",
            });
        }
        let (header, _) = BoxHeader::decode(&head).map_err(|error| described(&error))?;
        let size = match header.box_size.get() {
            // To the end of the file.
            0 => MOOV_BYTES_MAX,
            size => size,
        };
        if header.box_type == BoxType::Normal(*b"moov") {
            if size > MOOV_BYTES_MAX {
                return Err(damaged("its index is too long"));
            }
            let whole = RequiredInput {
                position,
                size: usize::try_from(size).ok(),
            };
            let bytes = read_at(input, whole)?;
            let (moov, _) = MoovBox::decode(&bytes).map_err(|error| described(&error))?;
            return Ok(moov);
        }
        let next = position.checked_add(size.max(8));
        position = next.ok_or_else(|| damaged("a box without an end"))?;
    }
}

/// As much as there is of it.
fn read_at(input: &mut dyn Input, wanted: RequiredInput) -> Result<Vec<u8>, FormatError> {
    let length = wanted.size.unwrap_or(FRAGMENT_BYTES_MAX);
    if length > FRAGMENT_BYTES_MAX {
        return Err(FormatError::Unfit {
            what: "it has a fragment of more than 256 MiB".to_owned(),
            remedy: REPACK_REMEDY,
        });
    }
    let mut data = Vec::new();
    let seeked = input.seek(SeekFrom::Start(wanted.position));
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    seeked
        .and_then(|_| input.take(length).read_to_end(&mut data))
        .map_err(|error| unread(&error))?;
    Ok(data)
}

fn unread(error: &io::Error) -> FormatError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        FormatError::Cut
    } else {
        FormatError::Damaged(error.to_string())
    }
}

fn failed(error: &DemuxError) -> FormatError {
    let text = error.to_string();
    if text.contains("input ended") || text.contains("incomplete") || text.contains("not contain") {
        return FormatError::Cut;
    }
    if text.contains("base_data_offset") {
        return FormatError::Unfit {
            what: "its fragments say where they are by the file, not by themselves".to_owned(),
            remedy: REPACK_REMEDY,
        };
    }
    FormatError::Damaged(text)
}

/// Without the place in the library's code.
fn described(error: &shiguredo_mp4::Error) -> FormatError {
    FormatError::Damaged(error.reason.clone())
}
