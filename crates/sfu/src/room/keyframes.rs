//! The key frames that subscriptions need.

use crate::api::{PeerId, TrackId};
use crate::context::Context;
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

    /// At most so often per encoding, however many ask.
    pub(crate) fn ask_keyframe(&mut self, id: TrackId, encoding: LayerIndex, cx: &mut Context<'_>) {
        let room = self.id();
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let now = cx.now.instant;
        let Some(state) = track.encodings.get_mut(usize::from(encoding.0)) else {
            return;
        };
        if !state.throttle.ask(now) {
            return;
        }
        cx.counters.keyframes_asked += 1;
        match &track.origin {
            Origin::Local { slot, section, .. } => {
                let (slot, section) = (*slot, *section);
                if let Some(entry) = cx.connections.get_mut(slot) {
                    let rid = entry
                        .track_of(section)
                        .and_then(|up| up.rids.get(usize::from(encoding.0)).copied());
                    entry.guard(|connection| connection.request_keyframe(section, rid));
                    cx.connections.mark(slot);
                }
            }
            Origin::Remote { shard, .. } => cx.link(
                *shard,
                room,
                LinkBody::Keyframe {
                    track: id,
                    encoding,
                },
            ),
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
