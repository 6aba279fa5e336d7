//! A published track as this shard sees it: its encodings, its subscriptions here, and the shards that want it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::{Codec, LayerWish, PeerId, Preference, Publication, ShardId, TrackId};
use crate::codec::Inspector;
use crate::connection::{DownKey, Section};
use crate::forwarder::{Forwarder, Target};
use crate::io::Slot;
use crate::keyframes::Throttle;
use crate::link::Wants;
use crate::packet::{LayerIndex, TrackPacket};

/// An encoding that has been silent for so long is not offered to subscribers, unless it was only just asked for.
const SILENCE_MAX: Duration = Duration::from_millis(1_500);
pub(super) const ENCODINGS_MAX: usize = 8;

pub(crate) struct Track {
    pub(super) publication: Arc<Publication>,
    pub(super) publisher: PeerId,
    pub(super) origin: Origin,
    pub(super) encodings: Vec<Encoding>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) spatial_count: u8,
    /// Arrived in this batch, not yet forwarded.
    pub(super) pending: Vec<TrackPacket>,
    /// Told to the publisher last.
    pub(super) wishes: Vec<LayerWish>,
    /// Since when fewer layers are wanted than the publisher was told.
    pub(super) wishes_shrunk_since: Option<Instant>,
    pub(super) was_watched: bool,
    /// What the publisher was told last.
    pub(super) told_flowing: bool,
}

pub(super) enum Origin {
    Local {
        slot: Slot,
        section: Section,
        wants: Vec<(ShardId, Wants)>,
    },
    /// `told`: what its shard was told last.
    Remote { shard: ShardId, told: Wants },
}

pub(super) struct Encoding {
    pub(super) inspector: Inspector,
    pub(super) throttle: Throttle,
    pub(super) last_packet: Option<Instant>,
    /// Its last packets, oldest first, for subscribers that miss some.
    pub(super) history: VecDeque<TrackPacket>,
    /// Somebody began to want it.
    pub(super) wanted_since: Option<Instant>,
}

pub(super) struct Subscription {
    pub(super) peer: PeerId,
    pub(super) slot: Slot,
    pub(super) key: DownKey,
    /// The section is negotiated and the transport is up.
    pub(super) ready: bool,
    pub(super) forwarder: Forwarder,
    pub(super) preference: Preference,
}

impl Track {
    pub(super) fn new(
        publication: Arc<Publication>,
        publisher: PeerId,
        origin: Origin,
        now: Instant,
    ) -> Self {
        let count = publication
            .layers
            .iter()
            .filter(|layer| layer.rid.is_some())
            .count();
        let encodings = (0..count.clamp(1, ENCODINGS_MAX))
            .map(|_| Encoding {
                inspector: Inspector::default(),
                throttle: Throttle::default(),
                last_packet: None,
                history: VecDeque::new(),
                wanted_since: Some(now),
            })
            .collect();
        Self {
            publication,
            publisher,
            origin,
            encodings,
            subscriptions: Vec::new(),
            spatial_count: 1,
            pending: Vec::new(),
            wishes: Vec::new(),
            wishes_shrunk_since: None,
            was_watched: false,
            told_flowing: false,
        }
    }

    pub(super) fn id(&self) -> TrackId {
        self.publication.id
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self.origin, Origin::Local { .. })
    }

    pub(crate) fn subscriptions_count(&self) -> usize {
        self.subscriptions.len()
    }

    pub(super) fn codec(&self) -> Option<Codec> {
        self.publication.codec
    }

    pub(super) fn has_sent(&self) -> bool {
        let mut encodings = self.encodings.iter();
        encodings.any(|encoding| encoding.last_packet.is_some())
    }

    pub(super) fn subscription(&self, peer: PeerId) -> Option<&Subscription> {
        self.subscriptions
            .iter()
            .find(|subscription| subscription.peer == peer)
    }

    pub(super) fn subscription_mut(&mut self, peer: PeerId) -> Option<&mut Subscription> {
        self.subscriptions
            .iter_mut()
            .find(|subscription| subscription.peer == peer)
    }

    fn is_sent(&self, encoding: LayerIndex, now: Instant) -> bool {
        let encoding = self.encodings.get(usize::from(encoding.0));
        encoding.is_some_and(|encoding| is_recent(encoding.last_packet, now))
    }

    /// Do packets of any encoding arrive?
    pub(super) fn is_flowing(&self, now: Instant) -> bool {
        let mut encodings = self.encodings.iter();
        encodings.any(|encoding| is_recent(encoding.last_packet, now))
    }

    /// Is it being sent, or may it be about to?
    pub(super) fn is_live(&self, encoding: LayerIndex, now: Instant) -> bool {
        let Some(encoding) = self.encodings.get(usize::from(encoding.0)) else {
            return false;
        };
        is_recent(encoding.last_packet, now) || is_recent(encoding.wanted_since, now)
    }

    /// The layer that a subscriber should get now. Who has no picture takes a lower one that is there, rather than wait for
    /// one that may come.
    pub(super) fn choose(&self, subscription: &Subscription, now: Instant) -> Option<Target> {
        let preference = &subscription.preference;
        let desired = self.desire(preference)?.encoding;
        let nearest = |live: &dyn Fn(LayerIndex) -> bool| {
            crate::forwarder::choose(preference, self.layers(), live, self.spatial_count)
        };
        let is_there = |layer| layer <= desired && self.is_sent(layer, now);
        let is_blank = subscription.forwarder.current().is_none();
        let there = is_blank.then(|| nearest(&is_there)).flatten();
        there.or_else(|| nearest(&|layer| self.is_live(layer, now)))
    }

    /// The layer it would get if the publisher sent all of them.
    pub(super) fn desire(&self, preference: &Preference) -> Option<Target> {
        crate::forwarder::choose(preference, self.layers(), |_| true, self.spatial_count)
    }

    fn layers(&self) -> &[crate::api::LayerInfo] {
        &self.publication.layers
    }

    /// Bit per encoding that somebody on this shard wants or still gets.
    pub(super) fn wanted_mask(&self, now: Instant) -> u8 {
        let mut mask = 0;
        for subscription in &self.subscriptions {
            for target in [
                self.desire(&subscription.preference),
                self.choose(subscription, now),
            ] {
                mask |= target.map_or(0, |target| target.encoding.bit());
            }
            if subscription.forwarder.target().is_some() {
                mask |= subscription.forwarder.current().map_or(0, LayerIndex::bit);
            }
        }
        mask
    }

    /// Bit per encoding, while one does not come that somebody on this shard wants.
    pub(super) fn instead_mask(&self, now: Instant) -> u8 {
        let is_missing = |target: Target| !self.is_sent(target.encoding, now);
        let mut subscriptions = self.subscriptions.iter();
        if !subscriptions.any(|sub| self.desire(&sub.preference).is_some_and(is_missing)) {
            return 0;
        }
        let encodings = (0..self.encodings.len()).filter_map(|place| u8::try_from(place).ok());
        encodings.fold(0, |mask, place| mask | LayerIndex(place).bit())
    }

    /// The highest quality that anybody wants: of the subscribers here, and of the encodings that other shards want.
    pub(super) fn quality_wanted(&self) -> Option<u8> {
        let quality_of = |layer: LayerIndex| {
            self.layers()
                .get(usize::from(layer.0))
                .map_or(2, |layer| layer.quality)
        };
        let here = self
            .subscriptions
            .iter()
            .filter_map(|subscription| self.desire(&subscription.preference))
            .map(|target| {
                if self.encodings.len() > 1 {
                    quality_of(target.encoding)
                } else {
                    quality_of(LayerIndex(
                        target.spatial.min(self.spatial_count.saturating_sub(1)),
                    ))
                }
            });
        let there = match &self.origin {
            Origin::Local { wants, .. } => wants
                .iter()
                .filter_map(|(_, wants)| wants.wanted.checked_ilog2())
                .map(|highest| {
                    let highest = LayerIndex(u8::try_from(highest).unwrap_or(0));
                    if self.encodings.len() > 1 {
                        quality_of(highest)
                    } else {
                        2
                    }
                })
                .max(),
            Origin::Remote { .. } => None,
        };
        here.max().max(there)
    }
}

fn is_recent(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < SILENCE_MAX)
}
