//! What a payload tells of itself: key frame, start of a frame, layers, ids. Read once per packet, at the entrance.

mod av1;
mod bits;
pub(crate) mod descriptor;
mod h264;
#[cfg(test)]
mod tests;
mod vp8;
mod vp9;

use crate::api::{Codec, MediaKind};
use crate::packet::FrameInfo;
use descriptor::{Descriptor, Head, Structure};

/// Do receivers need the dependency descriptor of such packets? Of the other codecs the payload says enough; and they
/// would take its frame numbers, which differ from encoding to encoding, in earnest.
pub(crate) fn needs_descriptor(codec: Codec) -> bool {
    match codec {
        Codec::Vp9 | Codec::Av1 => true,
        Codec::Vp8 | Codec::H264 | Codec::Opus | Codec::Red | Codec::Pcmu | Codec::Pcma => false,
    }
}

/// What must be remembered of one received encoding to read its packets.
#[derive(Debug, Default)]
pub(crate) struct Inspector {
    vp9: vp9::Vp9,
    h264: h264::H264,
    av1: av1::Av1,
    /// Of the last key frame with a dependency descriptor.
    structure: Option<Structure>,
    /// Decode targets that the sender makes at present.
    active: u32,
    spatial_count: u8,
    spatial_last: u8,
    switch_points: SwitchPoints,
}

impl Inspector {
    /// Never fails: what cannot be read is a frame of the lowest layer that nothing can start at.
    pub(crate) fn inspect(
        &mut self,
        codec: Codec,
        payload: &[u8],
        descriptor: Option<&[u8]>,
    ) -> FrameInfo {
        let read = match codec {
            Codec::Opus | Codec::Red | Codec::Pcmu | Codec::Pcma => Some(FrameInfo {
                keyframe: true,
                start: true,
                end: true,
                spatial_count: 1,
                ..FrameInfo::default()
            }),
            Codec::Vp8 => vp8::inspect(payload),
            Codec::Vp9 => self.vp9.inspect(payload),
            Codec::H264 => self.h264.inspect(payload),
            Codec::Av1 => self.av1.inspect(payload),
        };
        let frame = read.unwrap_or(FrameInfo {
            spatial_count: 1,
            ..FrameInfo::default()
        });
        match descriptor {
            Some(bytes) if codec.kind() == MediaKind::Video => {
                self.inspect_descriptor(bytes, frame)
            }
            Some(_) | None => frame,
        }
    }

    /// The header extension knows better than the payload, which may be encrypted end to end.
    fn inspect_descriptor(&mut self, bytes: &[u8], payload: FrameInfo) -> FrameInfo {
        let Some(read) = Descriptor::parse(bytes, self.structure.as_ref()) else {
            // Without a structure (it is lost, or never sent) start and end can still be read.
            return match Head::parse(bytes) {
                Some(head) => FrameInfo {
                    start: head.start,
                    end: head.end,
                    ..payload
                },
                None => payload,
            };
        };
        let is_structured = read.structure.is_some();
        let is_intra = read.start && read.layer.spatial == 0 && !read.has_dependencies;
        let is_keyframe = is_intra && (is_structured || payload.keyframe);
        self.update_targets(&read);
        let Some(structure) = read.structure.as_ref().or(self.structure.as_ref()) else {
            return payload;
        };
        let is_new_picture = read.start && (is_keyframe || read.layer.spatial <= self.spatial_last);
        if is_new_picture {
            let is_switch_point = is_keyframe || read.is_switch_point(&structure.targets);
            self.switch_points
                .begin_picture(read.layer.temporal, is_switch_point);
        }
        if read.start {
            self.spatial_last = read.layer.spatial;
        }
        let frame = FrameInfo {
            keyframe: is_keyframe,
            start: read.start,
            end: read.end,
            spatial: read.layer.spatial,
            temporal: read.layer.temporal,
            spatial_count: self.spatial_count,
            switch_up: is_keyframe
                || self.switch_points.may_go_up()
                || payload.switch_up && !payload.keyframe,
            discardable: read.is_discardable(&structure.targets),
            ..payload
        };
        if is_structured {
            self.structure = read.structure;
        }
        frame
    }

    fn update_targets(&mut self, read: &Descriptor) {
        if let Some(structure) = &read.structure {
            self.active = read.active.unwrap_or(structure.targets.all());
            self.spatial_count = structure.spatial_count(self.active);
        } else if let (Some(active), Some(structure)) = (read.active, &self.structure) {
            self.active = active;
            self.spatial_count = structure.spatial_count(active);
        }
    }
}

/// Where a receiver may add temporal layers. VP9 and the dependency descriptor mark the picture *after* which higher
/// layers depend on nothing older; a forwarder wants to know whether *this* picture can be its layer's first.
#[derive(Debug, Default)]
struct SwitchPoints {
    /// Bit per temporal layer whose next picture can be its first.
    open: u8,
    may_go_up: bool,
}

impl SwitchPoints {
    fn begin_picture(&mut self, temporal: u8, is_switch_point: bool) {
        let own = 1_u8.checked_shl(u32::from(temporal)).unwrap_or(0);
        self.may_go_up = self.open & own != 0;
        self.open &= !own;
        if is_switch_point {
            // All bits above the own one.
            self.open |= !(own | own.wrapping_sub(1));
        }
    }

    fn may_go_up(&self) -> bool {
        self.may_go_up
    }
}
