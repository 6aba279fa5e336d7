//! AV1 payloads without a dependency descriptor (AV1 RTP specification §4).

use crate::packet::FrameInfo;

/// The first element continues the last one of the packet before.
const Z: u8 = 0x80;
/// How many elements; the last has no length.
const W: u8 = 0x30;
const W_ONE: u8 = 0x10;
/// First packet of a coded video sequence.
const N: u8 = 0x08;
/// Of an OBU header.
const HAS_EXTENSION: u8 = 0x04;
/// A length in LEB128 takes at most eight bytes (§4.10.5 of the codec).
const LENGTH_BYTES_MAX: usize = 8;

/// What is remembered of a stream.
#[derive(Debug, Default)]
pub(super) struct Av1 {
    temporal: u8,
}

impl Av1 {
    /// Spatial layers are not told apart: without the descriptor the end of a layer's frame cannot be seen.
    pub(super) fn inspect(&mut self, payload: &[u8]) -> Option<FrameInfo> {
        let (aggregation, elements) = payload.split_first()?;
        let keyframe = aggregation & N != 0;
        let start = aggregation & Z == 0;
        if start {
            self.temporal = temporal_of(aggregation & W, elements).unwrap_or(0);
        }
        Some(FrameInfo {
            keyframe,
            start,
            temporal: self.temporal,
            spatial_count: 1,
            switch_up: keyframe,
            ..FrameInfo::default()
        })
    }
}

fn temporal_of(elements_count: u8, elements: &[u8]) -> Option<u8> {
    let mut bytes = elements.iter().copied();
    if elements_count != W_ONE {
        let mut length = bytes.by_ref().take(LENGTH_BYTES_MAX);
        length.find(|byte| byte & 0x80 == 0)?;
    }
    if bytes.next()? & HAS_EXTENSION == 0 {
        return Some(0);
    }
    Some(bytes.next()? >> 5)
}
