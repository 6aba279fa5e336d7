//! Coming, going, and what changes about a member in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{
    Allowance, ChannelInfo, ConnectionKey, ConnectionOptions, Event, Join, LeaveReason, PeerId,
    PeerPhase, Refusal, RequestKind, RoomInfo, RoomState, Update,
};
use crate::connection::Connection;
use crate::connections::{Connections, Entry};
use crate::context::Context;
use crate::io::{Route, Slot};
use crate::link::LinkBody;
use crate::quality::Score;
use crate::ufrag::Credentials;

use super::{Local, Member, Room, Seat};

/// A peer may have this many connections: one or two for most dialects, one up and one per watched member for others.
const CONNECTIONS_PER_PEER_MAX: usize = 64;

impl Room {
    pub(crate) fn join(&mut self, peer: PeerId, join: &Join, cx: &mut Context<'_>) {
        let new_links = join
            .shards
            .iter()
            .filter(|shard| *shard != cx.config.shard && !self.links.contains(*shard));
        for shard in new_links.collect::<Vec<_>>() {
            self.greet(shard, cx);
        }
        let info = Arc::new(join.peer_info(peer, cx.config.shard, cx.now));
        let local = Local {
            auto_subscribe: join.auto_subscribe,
            form: join.form,
            msid: join.msid,
            connections: BTreeMap::new(),
            announced: Vec::new(),
            wishes: BTreeMap::new(),
            preferences: BTreeMap::new(),
            carriers: BTreeMap::new(),
            queues: BTreeMap::new(),
            queued_bytes: 0,
            channels: BTreeMap::new(),
            awaited_since: cx.now.instant,
            was_active: false,
            score: Score::default(),
        };
        let allowance = Arc::new(Allowance {
            everybody: true,
            ..Allowance::default()
        });
        let member = Member {
            info: Arc::clone(&info),
            allowance,
            seat: Seat::Local(Box::new(local)),
        };
        self.members.insert(peer, member);
        self.locals += 1;
        self.tell_state(peer, cx);
        self.tell_others(peer, cx, &Event::PeerJoined(Arc::clone(&info)));
        cx.link_all(self.links, self.id(), &LinkBody::Peer(Arc::clone(&info)));
        tracing::info!(peer = %peer, room = %self.id(), locals = self.locals, "joined");
    }

    /// Everything as it is now, to one peer.
    pub(crate) fn tell_state(&self, peer: PeerId, cx: &mut Context<'_>) {
        let Some(own) = self.info_of(peer) else {
            return;
        };
        let others = self
            .members
            .values()
            .filter(|member| member.info.id != peer && !member.info.grant.hidden)
            .map(|member| Arc::clone(&member.info))
            .collect();
        let state = RoomState {
            room: Arc::clone(&self.info),
            own: Arc::clone(own),
            others,
        };
        cx.event(peer, Event::Joined(Box::new(state)));
    }

    pub(crate) fn set_info(&mut self, info: Arc<RoomInfo>, cx: &mut Context<'_>) {
        if self.info == info {
            return;
        }
        self.info = info;
        for peer in self.local_ids() {
            cx.event(peer, Event::RoomUpdated(Arc::clone(&self.info)));
        }
    }

    /// Ends a local peer's stay.
    pub(crate) fn leave(&mut self, peer: PeerId, reason: LeaveReason, cx: &mut Context<'_>) {
        let Some(local) = self.local(peer) else {
            return;
        };
        let slots: Vec<Slot> = local.connections.values().copied().collect();
        let tracks: Vec<_> = self
            .tracks
            .values()
            .filter(|track| track.publisher == peer)
            .map(|t| t.id())
            .collect();
        for track in tracks {
            self.end_track(track, cx);
        }
        for track in self.tracks.values_mut() {
            track
                .subscriptions
                .retain(|subscription| subscription.peer != peer);
        }
        for slot in slots {
            close_connection(slot, cx);
        }
        self.forget_member(peer, reason, cx);
        cx.event(peer, Event::Closed { reason });
        cx.link_all(self.links, self.id(), &LinkBody::PeerLeft { peer, reason });
        tracing::info!(peer = %peer, room = %self.id(), ?reason, "left");
        self.refresh_wants(cx);
        if self.locals == 0 {
            cx.link_all(self.links, self.id(), &LinkBody::Bye);
            self.links = crate::api::ShardSet::default();
        }
    }

    /// Takes a member, local or remote, off the list and tells the others.
    pub(super) fn forget_member(
        &mut self,
        peer: PeerId,
        reason: LeaveReason,
        cx: &mut Context<'_>,
    ) {
        let Some(mut member) = self.members.remove(&peer) else {
            return;
        };
        self.qualities.remove(&peer);
        if matches!(member.seat, Seat::Local(_)) {
            self.locals -= 1;
        }
        let info = Arc::make_mut(&mut member.info);
        info.phase = PeerPhase::Gone;
        info.version += 1;
        info.publications.clear();
        info.channels.clear();
        if member.info.grant.hidden {
            return;
        }
        for other in self.local_ids() {
            cx.event(
                other,
                Event::PeerLeft {
                    peer: Arc::clone(&member.info),
                    reason,
                },
            );
        }
    }

    pub(crate) fn open(
        &mut self,
        peer: PeerId,
        key: ConnectionKey,
        options: ConnectionOptions,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let room = self.id();
        let refuse = |refusal| Err((RequestKind::Open(key), refusal));
        let Some(local) = self.local(peer) else {
            return refuse(Refusal::State("joined"));
        };
        if local.connections.contains_key(&key) {
            return refuse(Refusal::State("open already"));
        }
        if local.connections.len() >= CONNECTIONS_PER_PEER_MAX {
            return refuse(Refusal::Limit("connections of a peer"));
        }
        let Some(slot) = cx.connections.reserve(cx.config.connections_max) else {
            return refuse(Refusal::Limit("connections of this server"));
        };
        let now = cx.now.instant;
        let credentials = Credentials::new(cx.config.shard, slot, cx.entropy);
        let connection = Connection::new(cx.now, cx.shared, credentials, &options);
        let (subscribes, primary) = (options.subscribe, options.primary);
        cx.connections
            .put(slot, Entry::new(peer, room, key, options, connection));
        if let Some(local) = self.local_mut(peer) {
            local.connections.insert(key, slot);
            if primary {
                local.awaited_since = now;
            }
        }
        if subscribes {
            self.subscribe_to_all(peer, cx);
        }
        Ok(())
    }

    pub(crate) fn close(&mut self, peer: PeerId, key: ConnectionKey, cx: &mut Context<'_>) {
        let Some(slot) = self
            .local_mut(peer)
            .and_then(|local| local.connections.remove(&key))
        else {
            return;
        };
        self.connection_gone(peer, slot, cx);
        close_connection(slot, cx);
    }

    /// Its publications and subscriptions end with a connection.
    fn connection_gone(&mut self, peer: PeerId, slot: Slot, cx: &mut Context<'_>) {
        let ups: Vec<_> = cx
            .connections
            .get(slot)
            .map(|e| e.ups.iter().map(|up| up.track).collect())
            .unwrap_or_default();
        for track in ups {
            self.end_track(track, cx);
        }
        for track in self.tracks.values_mut() {
            track
                .subscriptions
                .retain(|subscription| subscription.slot != slot);
        }
        if let Some(local) = self.local_mut(peer) {
            local.channels.retain(|_, channel| *channel != slot);
        }
        self.refresh_wants(cx);
    }

    pub(crate) fn connected(&mut self, slot: Slot, cx: &mut Context<'_>) {
        let Some(entry) = cx.connections.get_mut(slot) else {
            return;
        };
        entry.connected = true;
        entry.broken_since = None;
        let (peer, key, primary) = (entry.peer, entry.key, entry.options.primary);
        cx.event(peer, Event::Connected { connection: key });
        let Some(local) = self.local_mut(peer) else {
            return;
        };
        if primary && !local.was_active {
            local.was_active = true;
            self.change(peer, |info| info.phase = PeerPhase::Active);
            self.peer_changed(peer, cx);
            // From now on changes are told; this is what they change.
            let known = self.qualities.values().copied().collect();
            cx.event(peer, Event::Quality(known));
        }
    }

    pub(crate) fn disconnected(slot: Slot, cx: &mut Context<'_>) {
        let now = cx.now.instant;
        let Some(entry) = cx.connections.get_mut(slot) else {
            return;
        };
        entry.connected = false;
        if entry.broken_since.is_none() {
            entry.broken_since = Some(now);
            let (peer, connection) = (entry.peer, entry.key);
            cx.event(peer, Event::Disconnected { connection });
        }
    }

    pub(crate) fn update(
        &mut self,
        peer: PeerId,
        update: Update,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let Some(info) = self.info_of(peer) else {
            return Ok(());
        };
        let shows =
            update.name.is_some() || update.metadata.is_some() || !update.attributes.is_empty();
        if update.own && shows && !info.grant.update_own_metadata {
            return Err((RequestKind::Update, Refusal::NotAllowed));
        }
        let granted = update.grant.is_some();
        self.change(peer, |info| {
            if let Some(name) = update.name {
                info.name = name;
            }
            if let Some(metadata) = update.metadata {
                info.metadata = metadata;
            }
            for (key, value) in update.attributes {
                if value.is_empty() {
                    info.attributes.remove(&key);
                } else {
                    info.attributes.insert(key, value);
                }
            }
            if let Some(grant) = update.grant {
                info.grant = grant;
            }
            if let Some(annotation) = update.annotation {
                info.annotation = annotation;
            }
        });
        if granted {
            self.apply_grant(peer, cx);
        }
        self.peer_changed(peer, cx);
        Ok(())
    }

    /// Ends what the present grant does not cover, and begins what it newly covers.
    fn apply_grant(&mut self, peer: PeerId, cx: &mut Context<'_>) {
        let Some(grant) = self.info_of(peer).map(|info| info.grant.clone()) else {
            return;
        };
        let forbidden: Vec<_> = self
            .tracks
            .values()
            .filter(|track| track.publisher == peer && !grant.may_publish(track.publication.source))
            .map(|track| track.id())
            .collect();
        for track in forbidden {
            self.end_track(track, cx);
            cx.event(peer, Event::OwnUnpublished { track });
        }
        if let Some(local) = self.local_mut(peer) {
            local
                .announced
                .retain(|(_, publication)| grant.may_publish(publication.source));
        }
        if grant.subscribe {
            self.subscribe_to_all(peer, cx);
        } else {
            self.unsubscribe_from_all(peer, cx);
        }
    }

    pub(crate) fn set_channels(
        &mut self,
        peer: PeerId,
        channels: Vec<ChannelInfo>,
        cx: &mut Context<'_>,
    ) {
        if self
            .info_of(peer)
            .is_some_and(|info| !info.grant.publish_data)
        {
            cx.counters.refusals += 1;
            cx.event(
                peer,
                Event::Refused {
                    request: RequestKind::Data,
                    refusal: Refusal::NotAllowed,
                },
            );
            return;
        }
        self.change(peer, |info| info.channels = channels);
        self.peer_changed(peer, cx);
    }
}

/// Says goodbye on the wire and frees the slot.
pub(crate) fn close_connection(slot: Slot, cx: &mut Context<'_>) {
    let now = cx.now;
    if let Some(entry) = cx.connections.get_mut(slot) {
        entry.guard(|connection| connection.close(now));
        let transmits = &mut cx.out.transmits;
        let before = transmits.len();
        while let Some(Some(_)) = entry.guard(|connection| connection.poll(now, transmits)) {}
        cx.counters.datagrams_out += u64::try_from(transmits.len() - before).unwrap_or(0);
    }
    release_connection(slot, cx.connections, &mut cx.out.routes);
}

fn release_connection(
    slot: Slot,
    connections: &mut Connections,
    routes: &mut std::collections::VecDeque<Route>,
) {
    if let Some(entry) = connections.remove(slot) {
        routes.extend(entry.remotes.iter().map(|remote| Route::Remove {
            remote: *remote,
            slot,
        }));
        let streams = entry.streams.iter();
        routes.extend(streams.map(|(local, remote)| Route::StreamOver {
            local: *local,
            remote: *remote,
        }));
    }
}
