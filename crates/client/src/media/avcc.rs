//! H.264 as files of several tracks keep it: units with their length before them, and the parameter sets once, apart from the
//! pictures (ISO/IEC 14496-15 §5.3).

use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, decode_nal};

use super::{FormatError, annexb};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const SEQUENCE: u8 = 7;
const PICTURE: u8 = 8;

/// What is said once about all pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    length_bytes: usize,
    sets: Vec<Vec<u8>>,
}

impl Parameters {
    pub(super) fn new(length_bytes: usize, sets: Vec<Vec<u8>>) -> Self {
        Self { length_bytes, sets }
    }

    /// Of an `AVCDecoderConfigurationRecord`.
    pub(super) fn parse(record: &[u8]) -> Option<Self> {
        let (head, mut rest) = record.split_first_chunk::<5>()?;
        if head.first() != Some(&1) {
            return None;
        }
        let length_bytes = usize::from(head.last()? & 3) + 1;
        let mut sets = Vec::new();
        for mask in [0x1f, 0xff] {
            let (count, after) = rest.split_first()?;
            rest = after;
            for _ in 0..count & mask {
                let (length, after) = rest.split_first_chunk()?;
                let (set, after) =
                    after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                sets.push(set.to_vec());
                rest = after;
            }
        }
        Some(Self { length_bytes, sets })
    }

    pub(super) fn into_sets(self) -> Vec<Vec<u8>> {
        self.sets
    }

    /// With start codes, and with the parameter sets before a key frame that has none.
    pub(super) fn to_annex_b(&self, sample: &[u8]) -> Result<Vec<u8>, FormatError> {
        let damaged = || FormatError::Damaged("a picture's units are longer than it".to_owned());
        let mut units = Vec::new();
        let mut rest = sample;
        while !rest.is_empty() {
            let (length, after) = rest
                .split_at_checked(self.length_bytes)
                .ok_or_else(damaged)?;
            let fold = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            let length = length.iter().fold(0, fold);
            let (unit, after) = after.split_at_checked(length).ok_or_else(damaged)?;
            units.push(unit);
            rest = after;
        }
        let has = |kind: u8| units.iter().any(|unit| annexb::kind(unit) == kind);
        let needs_sets = has(annexb::IDR) && !has(SEQUENCE);
        let sets = self.sets.iter().filter(|_| needs_sets);
        let mut bytes = Vec::with_capacity(sample.len() + 64);
        for unit in sets.map(Vec::as_slice).chain(units) {
            if !unit.is_empty() {
                bytes.extend_from_slice(&START_CODE);
                bytes.extend_from_slice(unit);
            }
        }
        Ok(bytes)
    }
}

/// What a writer says about pictures before the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) width: u16,
    pub(super) height: u16,
    /// An `AVCDecoderConfigurationRecord`.
    pub(super) record: Vec<u8>,
}

impl Description {
    /// Of a key frame in annex B, which has its parameter sets.
    pub(super) fn of(key_frame: &[u8]) -> Option<Self> {
        let find = |kind| annexb::units(key_frame).find(|unit| annexb::kind(unit) == kind);
        let (sequence, picture) = (find(SEQUENCE)?, find(PICTURE)?);
        let bits = decode_nal(sequence).ok()?;
        let parsed = SeqParameterSet::from_bits(BitReader::new(bits.as_ref())).ok()?;
        let (width, height) = parsed.pixel_dimensions().ok()?;
        let profile = sequence.get(1..4)?;
        let mut record = vec![1];
        record.extend_from_slice(profile);
        // Lengths of four bytes, and one set of each kind.
        record.push(0xff);
        for (count, set) in [(0xe1, sequence), (1, picture)] {
            record.push(count);
            record.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            record.extend_from_slice(set);
        }
        // The profiles above the main one say more (§5.3.3.1.2).
        if matches!(profile.first(), Some(100 | 110 | 122 | 144)) {
            let chroma = match parsed.chroma_info.chroma_format {
                h264_reader::nal::sps::ChromaFormat::Monochrome => 0,
                h264_reader::nal::sps::ChromaFormat::YUV420 => 1,
                h264_reader::nal::sps::ChromaFormat::YUV422 => 2,
                h264_reader::nal::sps::ChromaFormat::YUV444
                | h264_reader::nal::sps::ChromaFormat::Invalid(_) => 3,
            };
            let (luma, other) = (
                parsed.chroma_info.bit_depth_luma_minus8,
                parsed.chroma_info.bit_depth_chroma_minus8,
            );
            record.extend_from_slice(&[0xfc | chroma, 0xf8 | luma, 0xf8 | other, 0]);
        }
        Some(Self {
            width: u16::try_from(width).ok()?,
            height: u16::try_from(height).ok()?,
            record,
        })
    }
}

/// Units with their length in four bytes before them, instead of start codes.
pub(super) fn with_lengths(access_unit: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(access_unit.len());
    for unit in annexb::units(access_unit) {
        let length = u32::try_from(unit.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(unit);
    }
    bytes
}
