//! VP9 payload descriptor (RFC 9628 §4.2).

use super::SwitchPoints;
use crate::packet::FrameInfo;

const I: u8 = 0x80;
const P: u8 = 0x40;
const L: u8 = 0x20;
const F: u8 = 0x10;
const B: u8 = 0x08;
const E: u8 = 0x04;
const V: u8 = 0x02;
/// The picture id has 15 bits.
const M: u8 = 0x80;
/// Reference indices in flexible mode.
const REFERENCES_MAX: u8 = 3;

/// What is remembered of a stream.
#[derive(Debug, Default)]
pub(super) struct Vp9 {
    spatial_count: u8,
    picture_id: Option<u16>,
    switch_points: SwitchPoints,
}

impl Vp9 {
    pub(super) fn inspect(&mut self, payload: &[u8]) -> Option<FrameInfo> {
        let mut bytes = payload.iter().copied();
        let flags = bytes.next()?;
        let mut picture_id = None;
        if flags & I != 0 {
            let high = bytes.next()?;
            picture_id = Some(if high & M != 0 {
                u16::from_be_bytes([high & !M, bytes.next()?])
            } else {
                u16::from(high)
            });
        }
        let (mut temporal, mut spatial, mut up) = (0, 0, false);
        if flags & L != 0 {
            let layer = bytes.next()?;
            temporal = layer >> 5;
            up = layer & 0x10 != 0;
            spatial = layer >> 1 & 0x07;
            if flags & F == 0 {
                bytes.next()?;
            }
        }
        if flags & F != 0 && flags & P != 0 {
            for _ in 0..REFERENCES_MAX {
                if bytes.next()? & 1 == 0 {
                    break;
                }
            }
        }
        let keyframe = flags & B != 0 && flags & P == 0 && spatial == 0;
        if flags & V != 0 {
            self.spatial_count = (bytes.next()? >> 5) + 1;
        }
        self.spatial_count = self.spatial_count.max(spatial + 1);
        let is_new_picture =
            flags & B != 0 && (picture_id.is_none() || picture_id != self.picture_id);
        if is_new_picture {
            self.picture_id = picture_id;
            self.switch_points.begin_picture(temporal, up || keyframe);
        }
        Some(FrameInfo {
            keyframe,
            start: flags & B != 0,
            spatial,
            temporal,
            spatial_count: self.spatial_count,
            switch_up: keyframe || self.switch_points.may_go_up(),
            end: flags & E != 0,
            ..FrameInfo::default()
        })
    }
}
