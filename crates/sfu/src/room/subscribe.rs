//! Who gets which track, and at which layer.

use crate::api::{
    Allowance, ConnectionKey, Event, MsidStyle, PeerId, Preference, Refusal, RequestKind, TrackId,
};
use crate::connection::DownTrack;
use crate::context::Context;
use crate::forwarder::Forwarder;
use crate::io::Slot;
use crate::link::{LinkBody, Wants};
use crate::packet::LayerIndex;

use super::Room;
use super::track::{Origin, Subscription, Track};

impl Room {
    pub(crate) fn subscribe(
        &mut self,
        peer: PeerId,
        id: TrackId,
        connection: Option<ConnectionKey>,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let may = self.info_of(peer).is_some_and(|info| info.grant.subscribe);
        if !may {
            return Err((RequestKind::Subscribe(id), Refusal::NotAllowed));
        }
        let known = self.tracks.contains_key(&id);
        if let Some(local) = self.local_mut(peer) {
            if local.wishes.len() >= cx.config.subscriptions_per_peer_max {
                return Err((
                    RequestKind::Subscribe(id),
                    Refusal::Limit("subscriptions of a peer"),
                ));
            }
            local.wishes.insert(id, true);
            if let Some(connection) = connection {
                local.carriers.insert(id, connection);
            }
        }
        if !known {
            return Err((RequestKind::Subscribe(id), Refusal::NotFound("track")));
        }
        self.begin_subscription(peer, id, cx)
    }

    pub(crate) fn unsubscribe(&mut self, peer: PeerId, id: TrackId, cx: &mut Context<'_>) {
        if let Some(local) = self.local_mut(peer) {
            local.wishes.insert(id, false);
        }
        self.end_subscription(peer, id, cx);
        self.refresh_track_wants(id, cx);
    }

    pub(crate) fn prefer(
        &mut self,
        peer: PeerId,
        id: TrackId,
        preference: Preference,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let Some(track) = self.tracks.get_mut(&id) else {
            return Err((RequestKind::Prefer(id), Refusal::NotFound("track")));
        };
        if let Some(subscription) = track.subscription_mut(peer) {
            subscription.preference = preference;
        }
        if let Some(local) = self.local_mut(peer) {
            local.preferences.insert(id, preference);
        }
        self.retarget(id, cx);
        Ok(())
    }

    pub(crate) fn allow(&mut self, peer: PeerId, allowance: Allowance, cx: &mut Context<'_>) {
        let allowance = std::sync::Arc::new(allowance);
        self.set_allowance(peer, std::sync::Arc::clone(&allowance), cx);
        cx.link_all(
            self.links,
            self.id(),
            &LinkBody::Allowance {
                publisher: peer,
                allowance,
            },
        );
    }

    /// Ends subscriptions that the publisher no longer allows, begins those it newly allows.
    pub(super) fn set_allowance(
        &mut self,
        publisher: PeerId,
        allowance: std::sync::Arc<Allowance>,
        cx: &mut Context<'_>,
    ) {
        let Some(member) = self.members.get_mut(&publisher) else {
            return;
        };
        member.allowance = allowance;
        let tracks: Vec<TrackId> = self
            .tracks
            .values()
            .filter(|t| t.publisher == publisher)
            .map(Track::id)
            .collect();
        for id in tracks {
            for peer in self.local_ids() {
                let has = self
                    .tracks
                    .get(&id)
                    .is_some_and(|track| track.subscription(peer).is_some());
                let allowed = self.is_allowed(peer, id);
                if has && !allowed {
                    self.end_subscription(peer, id, cx);
                    cx.event(
                        peer,
                        Event::Allowed {
                            publisher,
                            track: id,
                            allowed: false,
                        },
                    );
                } else if !has && allowed && self.wishes_for(peer, id) {
                    cx.event(
                        peer,
                        Event::Allowed {
                            publisher,
                            track: id,
                            allowed: true,
                        },
                    );
                    self.begin_or_log(peer, id, cx);
                }
            }
            self.refresh_track_wants(id, cx);
        }
    }

    fn is_allowed(&self, peer: PeerId, id: TrackId) -> bool {
        let Some(track) = self.tracks.get(&id) else {
            return false;
        };
        let (Some(publisher), Some(info)) =
            (self.members.get(&track.publisher), self.info_of(peer))
        else {
            return false;
        };
        let allowance = &publisher.allowance;
        allowance.everybody
            || match allowance.peers.get(&info.identity) {
                Some(None) => true,
                Some(Some(tracks)) => tracks.contains(&id),
                None => false,
            }
    }

    fn wishes_for(&self, peer: PeerId, id: TrackId) -> bool {
        self.local(peer).is_some_and(|local| {
            local
                .wishes
                .get(&id)
                .copied()
                .unwrap_or(local.auto_subscribe)
        })
    }

    pub(super) fn subscribe_to_all(&mut self, peer: PeerId, cx: &mut Context<'_>) {
        let tracks: Vec<TrackId> = self.tracks.keys().copied().collect();
        for id in tracks {
            if self.wishes_for(peer, id) {
                self.begin_or_log(peer, id, cx);
            }
        }
    }

    pub(super) fn unsubscribe_from_all(&mut self, peer: PeerId, cx: &mut Context<'_>) {
        let tracks: Vec<TrackId> = self.tracks.keys().copied().collect();
        for id in tracks {
            self.end_subscription(peer, id, cx);
        }
        self.refresh_wants(cx);
    }

    /// A new track, to all local peers that want it.
    pub(super) fn offer_track_to_all(&mut self, id: TrackId, cx: &mut Context<'_>) {
        for peer in self.local_ids() {
            if self.wishes_for(peer, id) {
                self.begin_or_log(peer, id, cx);
            }
        }
    }

    fn begin_or_log(&mut self, peer: PeerId, id: TrackId, cx: &mut Context<'_>) {
        if let Err((request, refusal)) = self.begin_subscription(peer, id, cx) {
            cx.counters.refusals += 1;
            cx.event(peer, Event::Refused { request, refusal });
        }
    }

    /// Nothing happens where there is one already, or no way to carry it yet.
    fn begin_subscription(
        &mut self,
        peer: PeerId,
        id: TrackId,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let Some((slot, stream_id)) = self.carrier_for(peer, id, cx) else {
            return Ok(());
        };
        if !self.is_allowed(peer, id) {
            let publisher = self.tracks.get(&id).map(|track| track.publisher);
            if let Some(publisher) = publisher {
                cx.event(
                    peer,
                    Event::Allowed {
                        publisher,
                        track: id,
                        allowed: false,
                    },
                );
            }
            return Ok(());
        }
        let preference = self
            .local(peer)
            .and_then(|l| l.preferences.get(&id).copied())
            .unwrap_or_default();
        let start = cx.start();
        let Some(track) = self.tracks.get_mut(&id) else {
            return Ok(());
        };
        let publication = &track.publication;
        let down = DownTrack {
            track: id,
            kind: publication.kind,
            stream_id,
            track_id: id.to_string(),
            codec: publication.codec,
        };
        let now = cx.now;
        let Some(entry) = cx.connections.get_mut(slot) else {
            return Ok(());
        };
        if let Some(codec) = publication.codec
            && entry.guard(|connection| connection.can_send(codec)) == Some(false)
        {
            return Err((RequestKind::Subscribe(id), Refusal::Codec));
        }
        let Some(key) = entry.guard(|connection| connection.attach(now, down)) else {
            return Ok(());
        };
        entry.downs.push((key, id));
        cx.connections.mark(slot);
        let forwarder = Forwarder::new(publication.kind, start);
        track.subscriptions.push(Subscription {
            peer,
            slot,
            key,
            ready: false,
            forwarder,
            preference,
        });
        cx.event(peer, Event::Subscribed { track: id });
        self.watched(id, cx);
        self.retarget(id, cx);
        Ok(())
    }

    /// The connection that carries it to the peer, and the stream it belongs to there. None: nothing to do.
    fn carrier_for(&self, peer: PeerId, id: TrackId, cx: &Context<'_>) -> Option<(Slot, String)> {
        let track = self.tracks.get(&id)?;
        if track.subscription(peer).is_some() {
            return None;
        }
        if !self.info_of(peer)?.grant.subscribe || self.info_of(track.publisher)?.grant.hidden {
            return None;
        }
        let local = self.local(peer)?;
        let slot = match local.carriers.get(&id) {
            Some(key) => *local.connections.get(key)?,
            // Back to where it comes from only if a connection for that was named.
            None if track.publisher == peer => return None,
            None => {
                let subscribes = |slot: &Slot| {
                    cx.connections
                        .get(*slot)
                        .is_some_and(|entry| entry.options.subscribe)
                };
                local.connections.values().copied().find(subscribes)?
            }
        };
        let publisher = track.publisher;
        let stream = match local.msid {
            MsidStyle::PerPeer => publisher.to_string(),
            MsidStyle::PeerAndTrack if track.publication.stream.is_empty() => {
                format!("{publisher}|{id}")
            }
            MsidStyle::PeerAndTrack => format!("{publisher}|{}", track.publication.stream),
        };
        Some((slot, stream))
    }

    /// The first subscription anywhere is told to the publisher.
    fn watched(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let room = self.id();
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut track.was_watched, true) {
            return;
        }
        match track.origin {
            Origin::Local { .. } => cx.event(track.publisher, Event::Watched { track: id }),
            Origin::Remote { shard, .. } => cx.link(shard, room, LinkBody::Watched(id)),
        }
    }

    pub(super) fn watched_elsewhere(&mut self, id: TrackId, cx: &mut Context<'_>) {
        if self.tracks.get(&id).is_some_and(Track::is_local) {
            self.watched(id, cx);
        }
    }

    fn end_subscription(&mut self, peer: PeerId, id: TrackId, cx: &mut Context<'_>) {
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let Some(place) = track
            .subscriptions
            .iter()
            .position(|subscription| subscription.peer == peer)
        else {
            return;
        };
        let subscription = track.subscriptions.remove(place);
        detach(&subscription, cx);
        cx.event(peer, Event::Unsubscribed { track: id });
    }

    /// The connection can carry it from now on (or again, by a new SSRC).
    pub(crate) fn ready(&mut self, peer: PeerId, id: TrackId, cx: &mut Context<'_>) {
        let start = cx.start();
        if let Some(subscription) = self
            .tracks
            .get_mut(&id)
            .and_then(|track| track.subscription_mut(peer))
        {
            subscription.ready = true;
            subscription.forwarder.restart(start);
        }
        self.retarget(id, cx);
    }

    /// Chooses every subscription's layer anew, and asks for what that needs.
    pub(super) fn retarget(&mut self, id: TrackId, cx: &mut Context<'_>) {
        self.aim(id, cx);
        self.ask_keyframes(id, cx);
    }

    /// Chooses every subscription's layer anew.
    pub(super) fn aim(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let now = cx.now.instant;
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let targets: Vec<_> = track
            .subscriptions
            .iter()
            .map(|subscription| track.choose(subscription, now))
            .collect();
        for (subscription, target) in track.subscriptions.iter_mut().zip(targets) {
            if subscription.forwarder.target() != target {
                subscription.forwarder.set_target(target);
            }
        }
        self.refresh_track_wants(id, cx);
    }

    pub(super) fn refresh_wants(&mut self, cx: &mut Context<'_>) {
        let tracks: Vec<TrackId> = self.tracks.keys().copied().collect();
        for id in tracks {
            self.refresh_track_wants(id, cx);
        }
    }

    /// Tells the track's own shard which encodings are wanted here, and starts the grace of those newly wanted.
    pub(super) fn refresh_track_wants(&mut self, id: TrackId, cx: &mut Context<'_>) {
        let room = self.id();
        let now = cx.now.instant;
        let Some(track) = self.tracks.get_mut(&id) else {
            return;
        };
        let mask = track.wanted_mask(now);
        for (place, encoding) in track.encodings.iter_mut().enumerate() {
            let wanted = u8::try_from(place).is_ok_and(|place| mask & LayerIndex(place).bit() != 0);
            if !wanted {
                encoding.wanted_since = None;
            } else if encoding.wanted_since.is_none() {
                encoding.wanted_since = Some(now);
            }
        }
        let wants = Wants {
            wanted: mask,
            instead: track.instead_mask(now) & !mask,
        };
        if let Origin::Remote { shard, told } = &mut track.origin
            && *told != wants
        {
            *told = wants;
            let (shard, track) = (*shard, id);
            cx.link(shard, room, LinkBody::Wanted { track, wants });
        }
        self.tell_layers_wanted(id, cx);
    }
}

pub(super) fn detach(subscription: &Subscription, cx: &mut Context<'_>) {
    let now = cx.now;
    let (slot, key) = (subscription.slot, subscription.key);
    if let Some(entry) = cx.connections.get_mut(slot) {
        entry.guard(|connection| connection.detach(now, key));
        entry.downs.retain(|(down, _)| *down != key);
        cx.connections.mark(slot);
    }
}
