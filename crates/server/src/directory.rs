//! Which rooms there are and who is in them: the one place where admission is decided, under one lock. What must hold over
//! all shards (a unique identity, a room's capacity, its one life) is decided here, before a peer reaches its shard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use madang_sfu::api::{
    Entropy, Identity, LeaveReason, Now, PeerId, Request, RoomId, RoomInfo, RoomName, ShardId,
    ShardSet,
};
use madang_signalling::room::{Bounds, RoomSettings, Topology};
use tokio::sync::mpsc;

use crate::config;
use crate::doors::same_secret;
use crate::session::Command;

/// Commands of others to a session that it has not come to yet. More mean that it is stuck.
const COMMANDS_PENDING_MAX: usize = 256;

/// All rooms of this server.
pub(crate) struct Directory {
    settings: config::Rooms,
    sessions_max: u32,
    state: Mutex<State>,
}

/// Who wants to come in.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) room: &'a RoomName,
    pub(crate) identity: &'a Identity,
    /// Which way the media of this newcomer goes.
    pub(crate) topology: Topology,
    /// What the token says of a room that is not there yet.
    pub(crate) settings: RoomSettings,
    /// The token allows to make the room, whatever the settings of the server say.
    pub(crate) may_create: bool,
    /// Who has the same identity stays, and this one is refused; else it is replaced.
    pub(crate) is_exclusive: bool,
    /// Who has the place with the same key is replaced even so.
    pub(crate) key: Option<&'a str>,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AdmitError {
    #[error("requested room does not exist")]
    NoSuchRoom,
    #[error("room is full")]
    RoomFull,
    #[error("server is full")]
    ServerFull,
    #[error("the identity is taken")]
    Taken,
    #[error("the members of this room connect to each other, not by way of the server")]
    Mesh,
    #[error("the members of this room are connected by way of the server, not to each other")]
    Sfu,
}

/// A place in a room. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) peer: PeerId,
    pub(crate) room: Arc<RoomInfo>,
    pub(crate) shard: ShardId,
    /// Other shards on which the room may have members.
    pub(crate) shards: ShardSet,
    /// Of the room.
    pub(crate) bounds: Bounds,
    directory: Arc<Directory>,
}

/// A way to a live session.
#[derive(Debug, Clone)]
pub(crate) struct SessionHandle {
    pub(crate) peer: PeerId,
    pub(crate) shard: ShardId,
    commands: mpsc::Sender<Command>,
}

/// A room as the directory knows it.
#[derive(Debug, Clone)]
pub(crate) struct RoomView {
    pub(crate) info: Arc<RoomInfo>,
    pub(crate) members: Vec<(Identity, SessionHandle)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) rooms: usize,
    /// Of these, those that are bound to it.
    pub(crate) mesh: usize,
    pub(crate) sfu: usize,
    pub(crate) members: usize,
    /// Sessions that have not ended, replaced ones too.
    pub(crate) seats: usize,
}

struct State {
    entropy: Box<dyn Entropy>,
    rooms: BTreeMap<RoomName, Room>,
    seats: BTreeMap<PeerId, Place>,
    seats_by_shard: Vec<u32>,
}

struct Room {
    info: Arc<RoomInfo>,
    bounds: Bounds,
    members: BTreeMap<Identity, SessionHandle>,
    /// Replaced ones too, until their sessions have ended.
    seats_by_shard: Vec<u32>,
    /// Every shard that had a member in this life of the room: one that is just leaving may still be there.
    shards: ShardSet,
    /// Ends then, if nobody comes.
    ends_at: Option<std::time::Instant>,
}

/// Where a seat is.
struct Place {
    room: RoomId,
    name: RoomName,
    identity: Identity,
    shard: ShardId,
    key: Option<Arc<str>>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

impl Directory {
    pub(crate) fn new(
        settings: config::Rooms,
        sessions_max: u32,
        shards: u8,
        entropy: Box<dyn Entropy>,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            sessions_max,
            state: Mutex::new(State {
                entropy,
                rooms: BTreeMap::new(),
                seats: BTreeMap::new(),
                seats_by_shard: vec![0; usize::from(shards)],
            }),
        })
    }

    /// Would they be let in now?
    pub(crate) fn check(&self, wish: &Wish<'_>) -> Result<(), AdmitError> {
        self.check_locked(&self.lock(), wish)
    }

    /// Lets them in. Who has the same identity is told to leave.
    pub(crate) fn admit(
        self: &Arc<Self>,
        now: Now,
        wish: &Wish<'_>,
    ) -> Result<(Seat, mpsc::Receiver<Command>), AdmitError> {
        let mut state = self.lock();
        self.check_locked(&state, wish)?;
        let state = &mut *state;
        let peer = PeerId(state.entropy.next_u64());
        let making = self.making(now, &wish.settings, state);
        let room = room_or_new(&mut state.rooms, &mut *state.entropy, wish.room, &making);
        let shard = room.place(&state.seats_by_shard, self.settings.peers_per_shard);
        let (commands, inbox) = mpsc::channel(COMMANDS_PENDING_MAX);
        let handle = SessionHandle {
            peer,
            shard,
            commands,
        };
        if let Some(replaced) = room.members.insert(wish.identity.clone(), handle) {
            replaced.request(Request::Remove {
                reason: LeaveReason::Duplicate,
            });
        }
        room.ends_at = None;
        room.shards.insert(shard);
        *seats_of(&mut room.seats_by_shard, shard) += 1;
        let mut shards = room.shards;
        shards.remove(shard);
        let (info, bounds) = (Arc::clone(&room.info), room.bounds);
        *seats_of(&mut state.seats_by_shard, shard) += 1;
        let place = Place {
            room: info.id,
            name: info.name.clone(),
            identity: wish.identity.clone(),
            shard,
            key: wish.key.map(Arc::from),
        };
        state.seats.insert(peer, place);
        let seat = Seat {
            peer,
            room: info,
            shard,
            shards,
            bounds,
            directory: Arc::clone(self),
        };
        Ok((seat, inbox))
    }

    /// Makes a room, or finds it.
    pub(crate) fn create(&self, now: Now, name: &RoomName, settings: &RoomSettings) -> RoomView {
        let mut state = self.lock();
        let state = &mut *state;
        let making = self.making(now, settings, state);
        let room = room_or_new(&mut state.rooms, &mut *state.entropy, name, &making);
        room.view()
    }

    /// The room is gone at once; its members are told to leave. A new one of that name is another room.
    pub(crate) fn delete(&self, name: &RoomName) -> bool {
        let Some(room) = self.lock().rooms.remove(name) else {
            return false;
        };
        for member in room.members.values() {
            member.request(Request::Remove {
                reason: LeaveReason::RoomDeleted,
            });
        }
        tracing::info!(room = %room.info.id, "room deleted");
        true
    }

    /// None: there is no such room.
    pub(crate) fn update(
        &self,
        name: &RoomName,
        change: impl FnOnce(&mut RoomInfo),
    ) -> Option<RoomView> {
        let mut state = self.lock();
        let room = state.rooms.get_mut(name)?;
        change(Arc::make_mut(&mut room.info));
        Some(room.view())
    }

    pub(crate) fn room(&self, name: &RoomName) -> Option<RoomView> {
        self.lock().rooms.get(name).map(Room::view)
    }

    pub(crate) fn rooms(&self) -> Vec<RoomView> {
        self.lock().rooms.values().map(Room::view).collect()
    }

    pub(crate) fn member(&self, room: &RoomName, identity: &Identity) -> Option<SessionHandle> {
        self.lock().rooms.get(room)?.members.get(identity).cloned()
    }

    /// Every session that has a member's place.
    pub(crate) fn everybody(&self) -> Vec<SessionHandle> {
        let state = self.lock();
        state
            .rooms
            .values()
            .flat_map(|room| room.members.values().cloned())
            .collect()
    }

    /// Ends rooms that nobody has come to for long enough.
    pub(crate) fn sweep(&self, now: Now) {
        self.lock().rooms.retain(|_, room| {
            let is_over = room.ends_at.is_some_and(|at| at <= now.instant);
            if is_over {
                tracing::info!(room = %room.info.id, "room ended");
            }
            !is_over
        });
    }

    pub(crate) fn totals(&self) -> Totals {
        let state = self.lock();
        let bound = |to| {
            let rooms = state.rooms.values();
            rooms
                .filter(|room| room.bounds.topology == Some(to))
                .count()
        };
        Totals {
            rooms: state.rooms.len(),
            mesh: bound(Topology::Mesh),
            sfu: bound(Topology::Sfu),
            members: state.rooms.values().map(|room| room.members.len()).sum(),
            seats: state.seats.len(),
        }
    }

    fn making<'a>(&'a self, now: Now, wanted: &'a RoomSettings, state: &State) -> Making<'a> {
        Making {
            now,
            wanted,
            settings: &self.settings,
            shards: state.seats_by_shard.len(),
        }
    }

    fn check_locked(&self, state: &State, wish: &Wish<'_>) -> Result<(), AdmitError> {
        let seats_max = usize::try_from(self.sessions_max).unwrap_or(usize::MAX);
        if state.seats.len() >= seats_max {
            return Err(AdmitError::ServerFull);
        }
        let room = state.rooms.get(wish.room);
        let topology = match room {
            Some(room) => room.bounds.topology,
            None => bounds_of(wish.room, &wish.settings, &self.settings).topology,
        };
        if let Some(other) = topology.filter(|of| *of != wish.topology) {
            return Err(match other {
                Topology::Mesh => AdmitError::Mesh,
                Topology::Sfu => AdmitError::Sfu,
            });
        }
        let Some(room) = room else {
            let may_create = self.settings.auto_create || wish.may_create;
            return if may_create {
                Ok(())
            } else {
                Err(AdmitError::NoSuchRoom)
            };
        };
        if let Some(holder) = room.members.get(wish.identity)
            && wish.is_exclusive
            && !state.is_held_with(holder.peer, wish.key)
        {
            return Err(AdmitError::Taken);
        }
        let limit = room.info.peers_max.or(self.settings.peers_max);
        let members = u32::try_from(room.members.len()).unwrap_or(u32::MAX);
        let is_full = limit.is_some_and(|limit| members >= limit);
        // Who replaces themselves takes nobody's place.
        if is_full && !room.members.contains_key(wish.identity) {
            return Err(AdmitError::RoomFull);
        }
        Ok(())
    }

    fn leave(&self, peer: PeerId) {
        let mut state = self.lock();
        let Some(place) = state.seats.remove(&peer) else {
            return;
        };
        *seats_of(&mut state.seats_by_shard, place.shard) -= 1;
        // A deleted room may have a namesake by now.
        let room = state
            .rooms
            .get_mut(&place.name)
            .filter(|room| room.info.id == place.room);
        let Some(room) = room else {
            return;
        };
        *seats_of(&mut room.seats_by_shard, place.shard) -= 1;
        if room
            .members
            .get(&place.identity)
            .is_some_and(|member| member.peer == peer)
        {
            room.members.remove(&place.identity);
        }
        if room.seats_by_shard.iter().all(|seats| *seats == 0) {
            let kept = Duration::from_secs(room.info.departure_timeout_s.into());
            room.ends_at = crate::time::now().instant.checked_add(kept);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.directory.leave(self.peer);
    }
}

impl SessionHandle {
    /// In the order sent. Gives back what cannot be delivered: the session is over, or stuck.
    pub(crate) fn command(&self, command: Command) -> Result<(), Box<Command>> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(command)
                | mpsc::error::TrySendError::Closed(command) => Box::new(command),
            })
    }

    /// To the core, for this peer. False: the session is over.
    pub(crate) fn request(&self, request: Request) -> bool {
        let sent = self.command(Command::Request(request)).is_ok();
        if !sent {
            tracing::debug!(peer = %self.peer, "a session that is over or stuck");
        }
        sent
    }
}

impl State {
    fn is_held_with(&self, peer: PeerId, key: Option<&str>) -> bool {
        let held = self.seats.get(&peer).and_then(|place| place.key.as_deref());
        held.zip(key)
            .is_some_and(|(held, key)| same_secret(held, key))
    }
}

impl Room {
    fn new(id: RoomId, name: &RoomName, making: &Making<'_>) -> Self {
        let (wanted, settings) = (making.wanted, making.settings);
        let bounds = bounds_of(name, wanted, settings);
        let whole_s = |timeout: Duration| u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX);
        let empty_timeout_s = wanted
            .empty_timeout_s
            .unwrap_or_else(|| whole_s(settings.empty_timeout));
        let info = RoomInfo {
            id,
            name: name.clone(),
            metadata: wanted.metadata.clone(),
            created_wall_ms: making.now.wall_ms(),
            peers_max: wanted.peers_max.or(settings.peers_max),
            empty_timeout_s,
            departure_timeout_s: wanted
                .departure_timeout_s
                .unwrap_or_else(|| whole_s(settings.departure_timeout)),
        };
        let hides_addresses = bounds.hides_addresses;
        tracing::info!(room = %id, topology = ?bounds.topology, hides_addresses, "room made");
        let kept = Duration::from_secs(empty_timeout_s.into());
        Self {
            info: Arc::new(info),
            bounds,
            members: BTreeMap::new(),
            seats_by_shard: vec![0; making.shards],
            shards: ShardSet::default(),
            ends_at: making.now.instant.checked_add(kept),
        }
    }

    /// With the others while there is space, so that tracks need not cross; then where there is least to do.
    fn place(&self, seats_by_shard: &[u32], peers_per_shard: u32) -> ShardId {
        let shards = self.seats_by_shard.iter().zip(seats_by_shard).zip(0_u8..);
        let fullest_with_space = shards
            .clone()
            .filter(|((own, _), _)| **own > 0 && **own < peers_per_shard)
            .max_by_key(|((own, _), shard)| (**own, std::cmp::Reverse(*shard)));
        // Once all are full the room's own share decides, not what other rooms do.
        let (_, shard) = fullest_with_space
            .or_else(|| {
                shards.min_by_key(|((own, all), shard)| {
                    (**own >= peers_per_shard, **all, **own, *shard)
                })
            })
            .expect("there is at least one shard");
        ShardId(shard)
    }

    fn view(&self) -> RoomView {
        RoomView {
            info: Arc::clone(&self.info),
            members: self
                .members
                .iter()
                .map(|(identity, handle)| (identity.clone(), handle.clone()))
                .collect(),
        }
    }
}

/// What a new room is bound to.
fn bounds_of(name: &RoomName, wanted: &RoomSettings, settings: &config::Rooms) -> Bounds {
    let by_name = || settings.topology(name.as_str());
    Bounds {
        topology: wanted.bounds.topology.or_else(by_name),
        // Who asks for less does not undo what the server is set to.
        hides_addresses: wanted.bounds.hides_addresses || settings.hides_addresses(name.as_str()),
    }
}

/// What a new room is made with.
struct Making<'a> {
    now: Now,
    wanted: &'a RoomSettings,
    settings: &'a config::Rooms,
    shards: usize,
}

fn room_or_new<'a>(
    rooms: &'a mut BTreeMap<RoomName, Room>,
    entropy: &mut dyn Entropy,
    name: &RoomName,
    making: &Making<'_>,
) -> &'a mut Room {
    rooms
        .entry(name.clone())
        .or_insert_with(|| Room::new(RoomId(entropy.next_u64()), name, making))
}

fn seats_of(seats: &mut [u32], shard: ShardId) -> &mut u32 {
    seats
        .get_mut(usize::from(shard.0))
        .expect("shards are numbered from 0 and their number is fixed")
}

#[cfg(test)]
mod tests;
