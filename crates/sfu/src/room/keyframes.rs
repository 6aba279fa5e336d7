//! The key frames that subscriptions need.

use crate::api::{PeerId, TrackId};
use crate::connection::Section;
use crate::context::Context;
use crate::io::Slot;
use crate::link::LinkBody;
use crate::packet::LayerIndex;

use super::Room;
use super::track::Origin;

impl Room {
    pub(super) fn ask_keyframes(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let Some(track) = self.tracks.get(&id) else {
            return;
        };
        let mut wanted: Vec<LayerIndex> = track
            .subscriptions
            .iter()
            .filter(|subscription| subscription.ready)
            .filter_map(|subscription| subscription.forwarder.keyframe_wanted())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        for encoding in wanted {
            self.ask_keyframe(id, encoding, cx);
        }
    }

    /// Somebody needs a key frame of it. At most so often per encoding, however many ask; and again, by the tick, until one
    /// comes.
    pub(crate) fn ask_keyframe(&mut self, id: TrackId, encoding: LayerIndex, cx: &mut Context<'_>) {
        let state = self
            .tracks
            .get_mut(&id)
            .and_then(|track| track.encodings.get_mut(usize::from(encoding.0)));
        if let Some(state) = state {
            state.throttle.wish();
            self.ask_if_due(id, encoding, cx);
        }
    }

    /// What was asked for and did not come is asked for again.
    pub(super) fn repeat_keyframes(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let count = self
            .tracks
            .get(&id)
            .map_or(0, |track| track.encodings.len());
        for encoding in (0..count).filter_map(|place| u8::try_from(place).ok()) {
            self.ask_if_due(id, LayerIndex(encoding), cx);
        }
    }

    fn ask_if_due(&mut self, id: TrackId, encoding: LayerIndex, cx: &mut Context<'_>) {
        let room = self.id();
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let now = cx.now.instant;
        let Some(state) = track.encodings.get_mut(usize::from(encoding.0)) else {
            return;
        };
        if !state.throttle.is_due(now) {
            return;
        }
        let was_asked = match &track.origin {
            Origin::Local { slot, section, .. } => ask_publisher(*slot, *section, encoding, cx),
            Origin::Remote { shard, .. } => {
                let track = id;
                cx.link(*shard, room, LinkBody::Keyframe { track, encoding });
                true
            }
        };
        if was_asked {
            cx.counters.keyframes_asked += 1;
            state.throttle.asked(now);
        } else {
            cx.counters.keyframes_unasked += 1;
            state.throttle.not_asked(now);
        }
    }

    /// A client lost its picture.
    pub(crate) fn keyframe_wanted_by(&mut self, peer: PeerId, id: TrackId, cx: &mut Context<'_>) {
        cx.counters.keyframes_asked_by_clients += 1;
        let current = self
            .tracks
            .get(&id)
            .and_then(|track| track.subscription(peer))
            .and_then(|subscription| subscription.forwarder.current());
        if let Some(encoding) = current {
            self.ask_keyframe(id, encoding, cx);
        }
    }
}

/// False: nothing came of the encoding yet, so there is nobody to ask. It begins with a key frame anyway.
fn ask_publisher(slot: Slot, section: Section, encoding: LayerIndex, cx: &mut Context<'_>) -> bool {
    let Some(entry) = cx.connections.get_mut(slot) else {
        return false;
    };
    let rid = entry
        .track_of(section)
        .and_then(|up| up.rids.get(usize::from(encoding.0)).copied());
    let asked = entry.guard(|connection| connection.request_keyframe(section, rid));
    cx.connections.mark(slot);
    asked == Some(true)
}
