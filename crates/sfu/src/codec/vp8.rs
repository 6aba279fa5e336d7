//! VP8 payload descriptor (RFC 7741 §4.2).

use crate::packet::{FrameInfo, Vp8Ids};

const X: u8 = 0x80;
const N: u8 = 0x20;
const S: u8 = 0x10;
const PID: u8 = 0x07;
const I: u8 = 0x80;
const L: u8 = 0x40;
const T: u8 = 0x20;
const K: u8 = 0x10;
/// The picture id has 15 bits.
const M: u8 = 0x80;
const Y: u8 = 0x20;
const KEY_IDX: u8 = 0x1f;
/// Of the payload header (RFC 6386 §9.1): 0 in key frames.
const P: u8 = 0x01;

pub(super) fn inspect(payload: &[u8]) -> Option<FrameInfo> {
    let mut bytes = payload.iter().copied();
    let first = bytes.next()?;
    let flags = if first & X == 0 { 0 } else { bytes.next()? };
    let mut ids = Vp8Ids::default();
    if flags & I != 0 {
        let high = bytes.next()?;
        ids.picture_id_is_15_bit = high & M != 0;
        ids.picture_id = Some(if ids.picture_id_is_15_bit {
            u16::from_be_bytes([high & !M, bytes.next()?])
        } else {
            u16::from(high)
        });
    }
    if flags & L != 0 {
        ids.tl0_pic_idx = Some(bytes.next()?);
    }
    let mut temporal = 0;
    let mut is_synced = false;
    if flags & (T | K) != 0 {
        let layer = bytes.next()?;
        if flags & T != 0 {
            temporal = layer >> 6;
            is_synced = layer & Y != 0;
        }
        if flags & K != 0 {
            ids.key_idx = Some(layer & KEY_IDX);
        }
    }
    let start = first & S != 0 && first & PID == 0;
    let keyframe = start && bytes.next()? & P == 0;
    Some(FrameInfo {
        keyframe,
        start,
        temporal,
        spatial_count: 1,
        switch_up: keyframe || is_synced,
        discardable: first & N != 0,
        vp8: Some(ids),
        ..FrameInfo::default()
    })
}
