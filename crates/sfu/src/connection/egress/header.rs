//! RTP headers (RFC 3550 §5.1) with their extensions (RFC 8285), as one receiver wants them numbered.

use str0m::media::Mid;
use str0m::rtp::{Extension, ExtensionMap};

use crate::connection::Extensions;
use crate::connection::extensions::{DESCRIPTOR_URI, DescriptorSerializer, ONE_BYTE_FORM_BYTES};

const VERSION: u8 = 2 << 6;
const HAS_EXTENSION: u8 = 1 << 4;
const MARKER: u8 = 1 << 7;
const ONE_BYTE_FORM: u16 = 0xbede;
const TWO_BYTE_FORM: u16 = 0x1000;
/// The highest id of the one-byte form.
const ONE_BYTE_ID_MAX: u8 = 14;
const FIXED_BYTES: usize = 12;
const MID_BYTES_MAX: usize = 16;
/// A mid with id and length, in whole words, and what stands before it.
const BARE_BYTES_MAX: usize = BLOCK_HEAD_BYTES + 20;

/// The numbers of extensions on a section; None: the receiver does not want it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ExtensionIds {
    mid: Option<u8>,
    audio_level: Option<u8>,
    orientation: Option<u8>,
    capture_time: Option<u8>,
    descriptor: Option<u8>,
}

impl ExtensionIds {
    pub(super) fn new(map: &ExtensionMap) -> Self {
        Self {
            mid: map.id_of(Extension::RtpMid),
            audio_level: map.id_of(Extension::AudioLevel),
            orientation: map.id_of(Extension::VideoOrientation),
            capture_time: map.id_of(Extension::AbsoluteCaptureTime),
            descriptor: map.id_of(Extension::with_serializer(
                DESCRIPTOR_URI,
                DescriptorSerializer,
            )),
        }
    }
}

/// What all headers of a section have in common, made once: to read a `Mid` takes longer than to write all the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common {
    ids: ExtensionIds,
    mid: Short<MID_BYTES_MAX>,
    /// The extensions of a packet that has none of its own.
    bare: Short<BARE_BYTES_MAX>,
}

impl Common {
    pub(super) fn new(mid: &Mid, ids: ExtensionIds) -> Self {
        let mut common = Self {
            ids,
            mid: Short::new(mid.as_bytes()),
            bare: Short::new(&[]),
        };
        let mut bare = Vec::new();
        common.write(&mut bare, &Extensions::default(), None);
        common.bare = Short::new(&bare);
        common
    }

    /// The extensions, if there are any.
    fn write(&self, out: &mut Vec<u8>, values: &Extensions, descriptor: Option<&[u8]>) {
        let ids = &self.ids;
        let long = descriptor.is_some_and(|bytes| bytes.len() > ONE_BYTE_FORM_BYTES);
        let mut block = Block::begin(out, long);
        block.put(ids.mid, Some(self.mid.bytes()));
        let level = values.audio_level.map(|level| [level]);
        block.put(ids.audio_level, level.as_ref().map(<[u8; 1]>::as_slice));
        let orientation = values.orientation.map(|turned| [turned]);
        block.put(
            ids.orientation,
            orientation.as_ref().map(<[u8; 1]>::as_slice),
        );
        if let Some((time, offset)) = values.capture_time {
            let mut bytes = [0; 16];
            let (first, second) = bytes.split_at_mut(8);
            first.copy_from_slice(&time.to_be_bytes());
            second.copy_from_slice(&offset.unwrap_or(0).to_be_bytes());
            let length = if offset.is_some() { 16 } else { 8 };
            block.put(ids.capture_time, bytes.get(..length));
        }
        block.put(ids.descriptor, descriptor);
        block.end();
    }
}

/// What differs from packet to packet and from stream to stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) seq: u16,
    pub(super) time: u32,
    pub(super) ssrc: u32,
}

impl Header {
    /// At the end of `out`.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        common: &Common,
        values: &Extensions,
        descriptor: Option<&[u8]>,
    ) {
        let start = out.len();
        let mut fixed = [0; FIXED_BYTES];
        fixed[0] = VERSION;
        fixed[1] = self.payload_type | if self.marker { MARKER } else { 0 };
        fixed[2..4].copy_from_slice(&self.seq.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.time.to_be_bytes());
        fixed[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&fixed);
        if values.is_empty() && descriptor.is_none() {
            out.extend_from_slice(common.bare.bytes());
        } else {
            common.write(out, values, descriptor);
        }
        if out.len() > start + FIXED_BYTES {
            out[start] |= HAS_EXTENSION;
        }
    }
}

/// A few bytes in place.
#[derive(Debug, Clone, Copy)]
struct Short<const MAX: usize> {
    bytes: [u8; MAX],
    length: usize,
}

impl<const MAX: usize> Short<MAX> {
    /// Never longer: a mid has 16 bytes at most.
    fn new(from: &[u8]) -> Self {
        let length = from.len().min(MAX);
        let mut bytes = [0; MAX];
        bytes[..length].copy_from_slice(&from[..length]);
        Self { bytes, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The extensions of one header; taken back if there are none.
struct Block<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    long: bool,
}

/// In front of the elements: the form, and how many words follow.
const BLOCK_HEAD_BYTES: usize = 4;

impl<'a> Block<'a> {
    fn begin(out: &'a mut Vec<u8>, long: bool) -> Self {
        let start = out.len();
        let form = if long { TWO_BYTE_FORM } else { ONE_BYTE_FORM };
        out.extend_from_slice(&form.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        Self { out, start, long }
    }

    /// Nothing that does not fit the form is ever there: ids are at most 14, and what is longer made the form long.
    fn put(&mut self, id: Option<u8>, value: Option<&[u8]>) {
        let (Some(id), Some(value)) = (id, value) else {
            return;
        };
        let Ok(length) = u8::try_from(value.len()) else {
            return;
        };
        if self.long {
            self.out.extend_from_slice(&[id, length]);
        } else if (1..=16).contains(&length) && id <= ONE_BYTE_ID_MAX {
            self.out.push(id << 4 | (length - 1));
        } else {
            return;
        }
        self.out.extend_from_slice(value);
    }

    fn end(self) {
        let Self { out, start, .. } = self;
        let elements = start + BLOCK_HEAD_BYTES;
        if out.len() == elements {
            return out.truncate(start);
        }
        while !(out.len() - elements).is_multiple_of(4) {
            out.push(0);
        }
        let words = u16::try_from((out.len() - elements) / 4).unwrap_or(u16::MAX);
        if let Some(place) = out.get_mut(start + 2..elements) {
            place.copy_from_slice(&words.to_be_bytes());
        }
    }
}
