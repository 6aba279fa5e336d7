//! Which layers of one encoding go on at present, and when that may change.

use crate::packet::FrameInfo;

use super::Target;

/// The highest layers that are sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layers {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
    /// How many spatial layers the stream has at present.
    spatial_count: u8,
}

impl Layers {
    /// At a key frame.
    pub(super) fn new(target: Target, frame: &FrameInfo) -> Self {
        Self {
            spatial: target.spatial,
            temporal: target.temporal,
            spatial_count: frame.spatial_count,
        }
    }

    /// At the first packet of a picture.
    pub(super) fn begin_picture(&mut self, target: Target, frame: &FrameInfo) {
        self.spatial_count = frame.spatial_count;
        if frame.keyframe {
            self.spatial = target.spatial;
            self.temporal = target.temporal;
        } else {
            // Up only at key frames. A higher layer that can be started at within a picture comes too late: by then the
            // marker is on the layer below, and receivers decode what they have at a marker.
            self.spatial = self.spatial.min(target.spatial);
            self.temporal = self.temporal.min(target.temporal);
            if frame.start && frame.switch_up && frame.temporal <= target.temporal {
                self.temporal = self.temporal.max(frame.temporal);
            }
        }
    }

    pub(super) fn accept(&self, frame: &FrameInfo) -> bool {
        frame.spatial <= self.spatial && frame.temporal <= self.temporal
    }

    /// Is it the last packet of the picture as far as it is sent on?
    pub(super) fn ends_picture(&self, frame: &FrameInfo) -> bool {
        let highest = self.spatial.min(frame.spatial_count.saturating_sub(1));
        frame.end && frame.spatial_count > 1 && frame.spatial == highest
    }

    /// A layer is wanted that only a key frame can bring.
    pub(super) fn awaits_keyframe(&self, target: Target) -> bool {
        let highest = self.spatial_count.saturating_sub(1);
        self.spatial < target.spatial.min(highest)
    }
}
