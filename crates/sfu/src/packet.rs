//! A media packet on its way through the house: from the publisher's connection to the forwarders, also over links.

use std::sync::Arc;
use std::time::Instant;

use crate::api::{Codec, TrackId};
use crate::connection::Extensions;

/// Index into a publication's layers, lowest picture first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerIndex(pub u8);

impl LayerIndex {
    /// For sets of encodings; 0 for one that a set has no room for.
    pub(crate) fn bit(self) -> u8 {
        1_u8.checked_shl(u32::from(self.0)).unwrap_or(0)
    }
}

/// One RTP packet of a track, as numbered where it entered.
#[derive(Debug, Clone)]
pub struct TrackPacket {
    pub track: TrackId,
    /// The simulcast encoding it belongs to; 0 when there is one.
    pub encoding: LayerIndex,
    pub codec: Codec,
    /// Extended: never wraps, per encoding.
    pub seq: u64,
    /// RTP time, extended likewise.
    pub time: u64,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    pub extensions: Extensions,
    /// What the payload says of itself; read once, at the entrance.
    pub frame: FrameInfo,
    pub arrived: Instant,
    /// When it was captured, mapped to our clock by the sender's reports (for lip sync); else `arrived`.
    pub captured: Instant,
}

/// What a payload descriptor or dependency descriptor tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameInfo {
    /// First packet of a picture that can be decoded without earlier ones. With spatial layers: of the lowest layer.
    pub keyframe: bool,
    /// The first packet of a frame (of a layer frame with spatial layers).
    pub start: bool,
    pub spatial: u8,
    pub temporal: u8,
    /// How many spatial layers this stream is known to have (1: none).
    pub spatial_count: u8,
    /// A receiver may go up to this temporal layer here (always true at keyframes).
    pub switch_up: bool,
    /// No other frame depends on it.
    pub discardable: bool,
    /// VP8 (RFC 7741 §4.2).
    pub vp8: Option<Vp8Ids>,
    /// The last packet of its layer frame; a marker is set on it when it is the last layer sent.
    pub end: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vp8Ids {
    pub picture_id: Option<u16>,
    pub picture_id_is_15_bit: bool,
    pub tl0_pic_idx: Option<u8>,
    pub key_idx: Option<u8>,
}
