//! Matroska and WebM as one writes what is not over: a segment of unknown length, a cluster for each fragment.

use super::ms;
use crate::media::avcc;
use crate::media::ogg::opus_head;
use crate::media::writing::{self, Picture, Sample, Tracks};
use crate::{Codec, Kind};

const PICTURE: u8 = 1;
const SOUND: u8 = 2;
const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const TIMESTAMP_SCALE_NS: u64 = 1_000_000;
/// What a decoder of Opus needs before its sound is right (RFC 9559 §5.1.4.1.27).
const SEEK_PRE_ROLL_NS: u64 = 80_000_000;

/// Elements (RFC 9559 §5.1, RFC 8794 §11.2).
mod id {
    pub(super) const EBML: u32 = 0x1a45_dfa3;
    pub(super) const DOC_TYPE: u32 = 0x4282;
    pub(super) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(super) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(super) const MUXING_APP: u32 = 0x4d80;
    pub(super) const WRITING_APP: u32 = 0x5741;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const TRACK_ENTRY: u32 = 0xae;
    pub(super) const TRACK_NUMBER: u32 = 0xd7;
    pub(super) const TRACK_UID: u32 = 0x73c5;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const FLAG_LACING: u32 = 0x9c;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const CODEC_PRIVATE: u32 = 0x63a2;
    pub(super) const SEEK_PRE_ROLL: u32 = 0x56bb;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const AUDIO: u32 = 0xe1;
    pub(super) const SAMPLING_FREQUENCY: u32 = 0xb5;
    pub(super) const CHANNELS: u32 = 0x9f;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
    pub(super) const TIMESTAMP: u32 = 0xe7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xa3;
}

#[derive(Debug)]
pub struct Writer {
    doc_type: &'static [u8],
    picture: Option<Codec>,
    has_sound: bool,
}

impl Writer {
    pub fn matroska() -> Self {
        Self::new(b"matroska")
    }

    pub fn web_m() -> Self {
        Self::new(b"webm")
    }

    fn new(doc_type: &'static [u8]) -> Self {
        Self {
            doc_type,
            picture: None,
            has_sound: false,
        }
    }
}

impl writing::Writer for Writer {
    fn header(&mut self, tracks: &Tracks) -> Vec<u8> {
        self.picture = tracks.picture.as_ref().map(|picture| picture.codec);
        self.has_sound = tracks.has_sound;
        let mut bytes = element(
            id::EBML,
            &[
                element(id::DOC_TYPE, &[self.doc_type.to_vec()]),
                number(id::DOC_TYPE_VERSION, 4),
                number(id::DOC_TYPE_READ_VERSION, 2),
            ],
        );
        bytes.extend_from_slice(&id::SEGMENT.to_be_bytes());
        bytes.extend_from_slice(&UNKNOWN_SIZE);
        bytes.extend(element(
            id::INFO,
            &[
                number(id::TIMESTAMP_SCALE, TIMESTAMP_SCALE_NS),
                element(id::MUXING_APP, &[b"madang".to_vec()]),
                element(id::WRITING_APP, &[b"madang".to_vec()]),
            ],
        ));
        let picture = tracks.picture.as_ref().map(picture_entry);
        let sound = tracks.has_sound.then(sound_entry);
        let entries: Vec<_> = picture.into_iter().chain(sound).collect();
        bytes.extend(element(id::TRACKS, &entries));
        bytes
    }

    fn fragment(&mut self, samples: Vec<Sample>) -> Vec<u8> {
        let has_sound = self.has_sound;
        let picture = self.picture;
        let mut samples = samples;
        samples.retain(|sample| match sample.codec.kind() {
            Kind::Audio => has_sound,
            Kind::Video => Some(sample.codec) == picture,
        });
        let mut rest = samples.as_slice();
        let mut bytes = Vec::new();
        // Times in a cluster are 16 bits with a sign.
        while let Some(first) = rest.iter().map(|sample| ms(sample.time)).min() {
            let fits = |sample: &Sample| i16::try_from(ms(sample.time) - first).is_ok();
            let end = rest.iter().position(|sample| !fits(sample));
            let (now, later) = rest.split_at(end.unwrap_or(rest.len()).max(1));
            let mut parts = vec![number(id::TIMESTAMP, first)];
            parts.extend(now.iter().map(|sample| block(sample, first)));
            bytes.extend(element(id::CLUSTER, &parts));
            rest = later;
        }
        bytes
    }

    fn end(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

fn entry(track: u8, codec: &str, private: Option<Vec<u8>>, rest: Vec<Vec<u8>>) -> Vec<u8> {
    let mut parts = vec![
        number(id::TRACK_NUMBER, track.into()),
        number(id::TRACK_UID, track.into()),
        // RFC 9559 §5.1.4.1.3: 1 is video, 2 audio.
        number(id::TRACK_TYPE, track.into()),
        number(id::FLAG_LACING, 0),
        element(id::CODEC_ID, &[codec.as_bytes().to_vec()]),
    ];
    parts.extend(private.map(|private| element(id::CODEC_PRIVATE, &[private])));
    parts.extend(rest);
    element(id::TRACK_ENTRY, &parts)
}

fn picture_entry(picture: &Picture) -> Vec<u8> {
    let size = [
        number(id::PIXEL_WIDTH, picture.width.into()),
        number(id::PIXEL_HEIGHT, picture.height.into()),
    ];
    let codec = match picture.codec {
        Codec::H264 => "V_MPEG4/ISO/AVC",
        Codec::Vp8 | Codec::Opus => "V_VP8",
    };
    let video = element(id::VIDEO, &size);
    entry(PICTURE, codec, picture.record.clone(), vec![video])
}

fn sound_entry() -> Vec<u8> {
    let rate = 48_000_f64.to_be_bytes().to_vec();
    let audio = [
        element(id::SAMPLING_FREQUENCY, &[rate]),
        number(id::CHANNELS, 2),
    ];
    let rest = vec![
        number(id::SEEK_PRE_ROLL, SEEK_PRE_ROLL_NS),
        element(id::AUDIO, &audio),
    ];
    entry(SOUND, "A_OPUS", Some(opus_head()), rest)
}

fn block(sample: &Sample, cluster_ms: u64) -> Vec<u8> {
    let track = match sample.codec.kind() {
        Kind::Video => PICTURE,
        Kind::Audio => SOUND,
    };
    let passed = i16::try_from(ms(sample.time) - cluster_ms).unwrap_or(i16::MAX);
    let mut head = vec![0x80 | track];
    head.extend_from_slice(&passed.to_be_bytes());
    head.push(if sample.is_key { 0x80 } else { 0 });
    let data = match sample.codec {
        Codec::H264 => avcc::with_lengths(&sample.data),
        Codec::Vp8 | Codec::Opus => sample.data.to_vec(),
    };
    element(id::SIMPLE_BLOCK, &[head, data])
}

fn number(id: u32, value: u64) -> Vec<u8> {
    let skipped = usize::try_from(value.leading_zeros() / 8)
        .unwrap_or(0)
        .min(7);
    let bytes = value.to_be_bytes();
    element(id, &[bytes.get(skipped..).unwrap_or_default().to_vec()])
}

fn element(id: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    let skipped = usize::try_from(id.leading_zeros() / 8).unwrap_or(0);
    let length: usize = parts.iter().map(Vec::len).sum();
    let mut bytes = Vec::with_capacity(length + 12);
    bytes.extend_from_slice(id.to_be_bytes().get(skipped..).unwrap_or_default());
    // RFC 8794 §4: eight bytes, the first of which says so.
    let size = u64::try_from(length).unwrap_or(u64::MAX) & 0x00ff_ffff_ffff_ffff;
    bytes.extend_from_slice(&(size | 0x0100_0000_0000_0000).to_be_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}
