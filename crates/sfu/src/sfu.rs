//! One shard's core. The server feeds it datagrams, requests, link messages and time, and drains what comes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::api::{
    Entropy, Event, Join, LeaveReason, Now, PeerId, Refusal, Request, RequestKind, RoomId,
    RoomState, ShardId, TrackId,
};
use crate::connection::{Output, Said, Shared, UpPacket};
use crate::connections::Connections;
use crate::context::{Context, Leaving, Outbox};
use crate::counters::Counters;
use crate::deadlines::Deadlines;
use crate::io::{Config, Received, Route, Slot, Transmits};
use crate::link::{LinkBody, LinkMessage};
use crate::room::Room;

/// Remote addresses that one connection may have validated; a client with more keeps only the newest in use.
const ROUTES_PER_CONNECTION_MAX: usize = 16;
/// A connection that still has work after so many rounds of one flush goes on in the next.
const ROUNDS_PER_FLUSH_MAX: usize = 8;
/// Connections drained between two looks at what is to be sent. A burst of each stays in the second-level cache.
const CONNECTIONS_PER_PART: usize = 16;
/// Subscriptions that a track's packets are written for, likewise.
const SUBSCRIPTIONS_PER_PART: usize = 16;

/// Rooms, peers and connections of one shard.
pub struct Sfu {
    config: Config,
    shared: Shared,
    entropy: Box<dyn Entropy>,
    counters: Counters,
    connections: Connections,
    rooms: BTreeMap<RoomId, Room>,
    room_deadlines: Deadlines<RoomId>,
    peers: BTreeMap<PeerId, RoomId>,
    out: Outbox,
    leaving: Leaving,
    /// Tracks with packets of this batch.
    batch: BTreeSet<(RoomId, TrackId)>,
    /// One of them that is in the middle of being forwarded, and its next subscription.
    forwarding: Option<(RoomId, TrackId, usize)>,
    /// Still to be drained in this round of a flush, the next one last.
    dirty: Vec<Slot>,
    rounds: usize,
    /// Kept between flushes to save allocations.
    outputs: VecDeque<Output>,
}

impl std::fmt::Debug for Sfu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sfu")
            .field("shard", &self.config.shard)
            .field("rooms", &self.rooms.len())
            .finish_non_exhaustive()
    }
}

/// The room, and all the rest for it to work with.
macro_rules! context {
    ($sfu:ident, $now:expr) => {
        Context {
            now: $now,
            config: &$sfu.config,
            shared: &$sfu.shared,
            entropy: &mut *$sfu.entropy,
            counters: &mut $sfu.counters,
            connections: &mut $sfu.connections,
            out: &mut $sfu.out,
            leaving: &mut $sfu.leaving,
        }
    };
}

impl Sfu {
    pub fn new(_now: Now, config: Config, entropy: Box<dyn Entropy>) -> Self {
        Self {
            shared: Shared::new(&config),
            config,
            entropy,
            counters: Counters::default(),
            connections: Connections::default(),
            rooms: BTreeMap::new(),
            room_deadlines: Deadlines::default(),
            peers: BTreeMap::new(),
            out: Outbox::default(),
            leaving: Leaving::default(),
            batch: BTreeSet::new(),
            forwarding: None,
            dirty: Vec::new(),
            rounds: 0,
            outputs: VecDeque::new(),
        }
    }

    /// `peer` is made by the caller; its first request is `Join`.
    pub fn handle_request(&mut self, now: Now, peer: PeerId, request: Request) {
        self.counters.requests += 1;
        let refused = match request {
            Request::Join(join) => self.join(now, peer, &join),
            request @ (Request::Open { .. }
            | Request::Offer { .. }
            | Request::Answer { .. }
            | Request::Candidate { .. }
            | Request::Restart { .. }
            | Request::Close { .. }
            | Request::Publish(_)
            | Request::Unpublish { .. }
            | Request::Mute { .. }
            | Request::UpdatePublication(_)
            | Request::Subscribe { .. }
            | Request::Unsubscribe { .. }
            | Request::Prefer { .. }
            | Request::Allow(_)
            | Request::Data(_)
            | Request::Send { .. }
            | Request::Channels(_)
            | Request::Update(_)
            | Request::Resync
            | Request::UpdateRoom(_)
            | Request::Remove { .. }
            | Request::Leave) => self.request_in_room(now, peer, request),
        };
        if let Err((request, refusal)) = refused {
            self.refuse(peer, request, refusal);
        }
        self.settle(now);
    }

    fn refuse(&mut self, peer: PeerId, request: RequestKind, refusal: Refusal) {
        self.counters.refusals += 1;
        tracing::debug!(peer = %peer, ?request, %refusal, "refused");
        self.out
            .events
            .push_back((peer, Event::Refused { request, refusal }));
    }

    fn join(&mut self, now: Now, peer: PeerId, join: &Join) -> Result<(), (RequestKind, Refusal)> {
        if self.peers.contains_key(&peer) {
            return Err((RequestKind::Join, Refusal::State("joined already")));
        }
        let id = join.room.id;
        let room = self
            .rooms
            .entry(id)
            .or_insert_with(|| Room::new(Arc::clone(&join.room), now));
        let limit = usize::try_from(self.config.peers_per_room_max).unwrap_or(usize::MAX);
        if room.locals() >= limit {
            return Err((RequestKind::Join, Refusal::Limit("members of a room")));
        }
        self.peers.insert(peer, id);
        room.join(peer, join, &mut context!(self, now));
        self.tend(id);
        Ok(())
    }

    fn request_in_room(
        &mut self,
        now: Now,
        peer: PeerId,
        request: Request,
    ) -> Result<(), (RequestKind, Refusal)> {
        // Late requests of a peer that was let go are expected, and have nobody to be told to.
        let Some(room) = self.peers.get(&peer).and_then(|id| self.rooms.get_mut(id)) else {
            return Ok(());
        };
        let cx = &mut context!(self, now);
        match request {
            Request::Join(_) => {}
            Request::Open {
                connection,
                options,
            } => return room.open(peer, connection, options, cx),
            Request::Offer {
                connection,
                sdp,
                number,
            } => return room.offer(peer, connection, &sdp, number, cx),
            Request::Answer {
                connection,
                sdp,
                number,
            } => return room.answer(peer, connection, &sdp, number, cx),
            Request::Candidate {
                connection,
                candidate,
            } => return room.candidate(peer, connection, &candidate, cx),
            Request::Restart { connection } => room.restart(peer, connection, cx),
            Request::Close { connection } => room.close(peer, connection, cx),
            Request::Publish(publish) => return room.publish(peer, *publish, cx),
            Request::Unpublish { track } => return room.unpublish(peer, track, cx),
            Request::UpdateRoom(info) => room.set_info(info, cx),
            Request::Mute { track, muted } => return room.mute(peer, track, muted, cx),
            Request::UpdatePublication(update) => {
                return room.update_publication(peer, *update, cx);
            }
            Request::Subscribe { tracks, connection } => {
                return tracks
                    .into_iter()
                    .try_for_each(|id| room.subscribe(peer, id, connection, cx));
            }
            Request::Unsubscribe { tracks } => {
                for id in tracks {
                    room.unsubscribe(peer, id, cx);
                }
            }
            Request::Prefer { track, preference } => {
                return room.prefer(peer, track, preference, cx);
            }
            Request::Allow(allowance) => room.allow(peer, allowance, cx),
            Request::Data(message) => return room.data(peer, *message, cx),
            Request::Send {
                label,
                payload,
                binary,
                reliable,
            } => room.send_to(peer, &label, reliable, binary, payload, cx),
            Request::Channels(channels) => room.set_channels(peer, channels, cx),
            Request::Update(update) => return room.update(peer, *update, cx),
            Request::Resync => room.tell_state(peer, cx),
            Request::Remove { reason } => self.leaving.push((peer, reason)),
            Request::Leave => self.leaving.push((peer, LeaveReason::Own)),
        }
        Ok(())
    }

    /// Work is collected: call [`Sfu::flush`] after a batch.
    pub fn handle_packet(&mut self, now: Now, received: Received<'_>) {
        self.counters.datagrams_in += 1;
        let slot = received.slot;
        let Some(entry) = self.connections.get_mut(slot) else {
            self.counters.datagrams_refused += 1;
            return;
        };
        let accepted = entry.guard(|connection| {
            connection.handle_packet(now, received.remote, received.local, received.bytes)
        });
        match accepted {
            Some(true) => self.drain(now, slot),
            Some(false) => self.counters.datagrams_refused += 1,
            None => self.connections.mark(slot),
        }
    }

    pub fn handle_link(&mut self, now: Now, from: ShardId, message: LinkMessage) {
        self.counters.link_messages_in += 1;
        let LinkMessage { room: id, body } = message;
        let room = match (&body, self.rooms.get_mut(&id)) {
            (_, Some(room)) => room,
            (LinkBody::Hello { room, .. }, None) => self
                .rooms
                .entry(id)
                .or_insert_with(|| Room::new(Arc::clone(room), now)),
            // Sent before the other shard read our goodbye.
            (_, None) => return,
        };
        let touched = room.handle_link(from, body, &mut context!(self, now));
        self.batch
            .extend(touched.into_iter().map(|track| (id, track)));
        self.tend(id);
        self.settle(now);
    }

    /// Handles every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(slot) = self.connections.deadlines.pop_due(now.instant) {
            self.connections.mark(slot);
        }
        while let Some(id) = self.room_deadlines.pop_due(now.instant) {
            if let Some(room) = self.rooms.get_mut(&id) {
                room.tick(&mut context!(self, now));
                self.tend(id);
            }
        }
        self.settle(now);
    }

    /// Forwards what the batch brought, then drains every connection that has work. After it, the `poll_` functions
    /// give what came of it.
    pub fn flush(&mut self, now: Now) {
        while self.flush_some(now) {}
    }

    /// A part of [`Sfu::flush`]; false: that was the last one. Datagrams for a few connections can be sent while they are
    /// still in the cache, and their buffer be used again for the next ones. Nothing else may be handled in between.
    pub fn flush_some(&mut self, now: Now) -> bool {
        if self.forward_some(now) {
            return true;
        }
        if self.dirty.is_empty() {
            self.connections.take_dirty(&mut self.dirty);
            // The first one comes first.
            self.dirty.reverse();
        }
        for _ in 0..CONNECTIONS_PER_PART {
            let Some(slot) = self.dirty.pop() else {
                break;
            };
            if let Some(entry) = self.connections.get_mut(slot) {
                entry.guard(|connection| connection.handle_timeout(now));
            }
            self.drain(now, slot);
        }
        self.settle(now);
        if !self.dirty.is_empty() {
            return true;
        }
        self.rounds += 1;
        let more = !self.batch.is_empty() || self.connections.has_dirty();
        if more && self.rounds < ROUNDS_PER_FLUSH_MAX {
            return true;
        }
        self.rounds = 0;
        false
    }

    /// A part of what the batch brought; false: there is no more.
    fn forward_some(&mut self, now: Now) -> bool {
        let mut left = SUBSCRIPTIONS_PER_PART;
        while left > 0 {
            let begun = self.forwarding.take();
            let next = begun.or_else(|| self.batch.pop_first().map(|(id, track)| (id, track, 0)));
            let Some((id, track, first)) = next else {
                return false;
            };
            if let Some(room) = self.rooms.get_mut(&id) {
                let next = room.forward(track, first, &mut left, &mut context!(self, now));
                self.forwarding = next.map(|next| (id, track, next));
            }
        }
        true
    }

    /// Takes everything out of one connection.
    fn drain(&mut self, now: Now, slot: Slot) {
        let mut outputs = std::mem::take(&mut self.outputs);
        let transmits = &mut self.out.transmits;
        let before = transmits.len();
        if let Some(entry) = self.connections.get_mut(slot) {
            entry.guard(|connection| {
                while let Some(output) = connection.poll(now, transmits) {
                    outputs.push_back(output);
                }
            });
            if entry.faulted {
                self.counters.faults += 1;
                let peer = entry.peer;
                tracing::error!(peer = %peer, "a connection failed and is closed");
                self.leaving.push((peer, LeaveReason::Fault));
            }
            self.counters.data_dropped += entry.connection.take_data_dropped();
            let deadline = entry.connection.deadline().filter(|_| !entry.faulted);
            self.connections.deadlines.set(slot, deadline);
        }
        self.counters.datagrams_out += u64::try_from(transmits.len() - before).unwrap_or(0);
        for output in outputs.drain(..) {
            self.handle_output(now, slot, output);
        }
        self.outputs = outputs;
    }

    fn handle_output(&mut self, now: Now, slot: Slot, output: Output) {
        if let Output::Packet(packet) = output {
            return self.packet(now, slot, packet);
        }
        let Some(entry) = self.connections.get_mut(slot) else {
            return;
        };
        let (peer, key, id) = (entry.peer, entry.key, entry.room);
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        match output {
            Output::Packet(_) => {}
            Output::Route(remote) => self.route(slot, remote),
            Output::Stream { local, remote } => self.stream(slot, local, remote),
            Output::OfTrack(down, said) => {
                let Some(track) = entry.down_track(down) else {
                    return;
                };
                let cx = &mut context!(self, now);
                match said {
                    Said::KeyframeWanted => room.keyframe_wanted_by(peer, track, cx),
                    Said::Missed(packets) => room.resend(track, slot, down, &packets, cx),
                    Said::Ready => room.ready(peer, track, cx),
                }
            }
            Output::Offer {
                sdp,
                number,
                sections,
            } => self.out.tell(
                peer,
                Event::Offer {
                    connection: key,
                    sdp,
                    number,
                    sections,
                },
            ),
            Output::SectionsWanted { audio, video } => self.out.tell(
                peer,
                Event::SectionsWanted {
                    connection: key,
                    audio,
                    video,
                },
            ),
            Output::Connected => room.connected(slot, &mut context!(self, now)),
            // Ended by the client, or lost: it may make another one, or resume, in time.
            Output::Disconnected | Output::Closed => {
                Room::disconnected(slot, &mut context!(self, now));
            }
            Output::ChannelOpen { label } => {
                room.channel_open(peer, slot, label, &mut context!(self, now))
            }
            Output::ChannelClosed { label } => {
                room.channel_closed(peer, slot, &label, &mut context!(self, now));
            }
            Output::ChannelData {
                label,
                binary,
                payload,
            } => self.out.tell(
                peer,
                Event::DataReceived {
                    label,
                    payload,
                    binary,
                },
            ),
            Output::Report(report) => room.report(peer, &report, now.instant),
        }
    }

    fn packet(&mut self, now: Now, slot: Slot, packet: UpPacket) {
        self.counters.rtp_in += 1;
        self.counters.rtp_in_bytes += u64::try_from(packet.payload.len()).unwrap_or(0);
        let Some(entry) = self.connections.get_mut(slot) else {
            return;
        };
        let (peer, id) = (entry.peer, entry.room);
        let up = entry.track_of(packet.section).cloned();
        let Some((up, room)) = up.zip(self.rooms.get_mut(&id)) else {
            self.counters.rtp_dropped += 1;
            return;
        };
        if room.packet_in(peer, &up, packet, &mut context!(self, now)) {
            self.batch.insert((id, up.track));
        }
    }

    fn route(&mut self, slot: Slot, remote: std::net::SocketAddr) {
        let Some(entry) = self.connections.get_mut(slot) else {
            return;
        };
        if entry.remotes.contains(&remote) {
            return;
        }
        if entry.remotes.len() >= ROUTES_PER_CONNECTION_MAX {
            let oldest = entry.remotes.remove(0);
            self.out.routes.push_back(Route::Remove {
                remote: oldest,
                slot,
            });
        }
        entry.remotes.push(remote);
        self.out.routes.push_back(Route::Add { remote, slot });
    }

    fn stream(&mut self, slot: Slot, local: std::net::SocketAddr, remote: std::net::SocketAddr) {
        let Some(entry) = self.connections.get_mut(slot) else {
            return;
        };
        if entry.streams.len() >= ROUTES_PER_CONNECTION_MAX {
            let (local, remote) = entry.streams.remove(0);
            let over = Route::StreamOver { local, remote };
            self.out.routes.push_back(over);
        }
        entry.streams.push((local, remote));
        self.out.routes.push_back(Route::Stream { local, remote });
    }

    /// Lets go whoever must, and whatever nobody needs any more.
    fn settle(&mut self, now: Now) {
        while let Some((peer, reason)) = self.leaving.pop() {
            let Some(id) = self.peers.remove(&peer) else {
                continue;
            };
            if let Some(room) = self.rooms.get_mut(&id) {
                room.leave(peer, reason, &mut context!(self, now));
                self.tend(id);
            }
        }
    }

    /// A replica that nobody needs any more goes; the others have their deadline noted.
    fn tend(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id) else {
            return;
        };
        if room.is_done() {
            self.rooms.remove(&id);
            self.room_deadlines.set(id, None);
        } else {
            self.room_deadlines.set(id, room.next_deadline());
        }
    }

    /// What is to be sent; to be cleared when it is.
    pub fn transmits(&mut self) -> &mut Transmits {
        &mut self.out.transmits
    }

    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        self.out.events.pop_front()
    }

    pub fn poll_link(&mut self) -> Option<(ShardId, LinkMessage)> {
        self.out.links.pop_front()
    }

    pub fn poll_route(&mut self) -> Option<Route> {
        self.out.routes.pop_front()
    }

    /// The next deadline.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        match (
            self.connections.deadlines.next(),
            self.room_deadlines.next(),
        ) {
            (Some(connection), Some(room)) => Some(connection.min(room)),
            (connection, room) => connection.or(room),
        }
    }

    /// Everybody in a room, hidden ones too, as this shard knows it.
    pub fn room(&self, room: RoomId) -> Option<RoomState> {
        self.rooms.get(&room)?.state()
    }

    /// As in the counters, without going through the rooms.
    pub fn connections_now(&self) -> u64 {
        u64::from(self.connections.live())
    }

    pub fn counters(&self) -> Counters {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let mut counters = self.counters;
        counters.rooms_now = count(self.rooms.len());
        counters.peers_now = count(self.peers.len());
        counters.remote_peers_now = count(self.rooms.values().map(Room::remotes).sum());
        counters.connections_now = u64::from(self.connections.live());
        let tracks = || self.rooms.values().flat_map(Room::tracks);
        counters.tracks_now = count(tracks().filter(|track| track.is_local()).count());
        counters.remote_tracks_now = count(tracks().filter(|track| !track.is_local()).count());
        counters.subscriptions_now =
            count(tracks().map(crate::room::Track::subscriptions_count).sum());
        counters.routes_now = count(
            self.connections
                .slots()
                .iter()
                .filter_map(|s| self.connections.get(*s))
                .map(|e| e.remotes.len())
                .sum(),
        );
        counters
    }
}

#[cfg(test)]
mod tests;
