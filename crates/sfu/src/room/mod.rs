//! A room's replica on this shard: all members, those of this shard with their connections, and every track.

mod data;
mod keyframes;
mod link;
mod members;
mod negotiate;
mod publish;
mod route;
mod subscribe;
mod tick;
mod track;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::api::{
    Allowance, Codec, ConnectionKey, DataForm, Event, MsidStyle, Now, PeerId, PeerInfo, Preference,
    Publish, QualityReport, RoomId, RoomInfo, RoomState, ShardId, ShardSet, TrackId,
};
use crate::context::Context;
use crate::io::Slot;
use crate::link::LinkBody;
use crate::quality::Score;
use crate::speakers::Speakers;

pub(crate) use track::Track;

/// A peer seen from this shard.
pub(crate) struct Member {
    info: Arc<PeerInfo>,
    allowance: Arc<Allowance>,
    seat: Seat,
}

enum Seat {
    Local(Box<Local>),
    Remote(ShardId),
}

/// What only the shard of a peer knows of it.
struct Local {
    auto_subscribe: bool,
    form: DataForm,
    msid: MsidStyle,
    connections: BTreeMap<ConnectionKey, Slot>,
    /// Announced, but no section carries them yet; in the order announced.
    announced: Vec<(Announced, Arc<crate::api::Publication>)>,
    /// Explicit wishes; without one `auto_subscribe` decides.
    wishes: BTreeMap<TrackId, bool>,
    preferences: BTreeMap<TrackId, Preference>,
    /// Tracks that were asked for on a connection of their own.
    carriers: BTreeMap<TrackId, ConnectionKey>,
    /// Reliable messages that wait for their channel, by label.
    queues: BTreeMap<Arc<str>, VecDeque<(bool, Bytes)>>,
    queued_bytes: usize,
    /// Labels by which the client can be reached, with the connection.
    channels: BTreeMap<Arc<str>, Slot>,
    /// When its main connection was opened: it must come up in time.
    awaited_since: Instant,
    /// Its main connection has been up.
    was_active: bool,
    score: Score,
}

/// What the answer must say of an announced track.
#[derive(Debug, Clone)]
struct Announced {
    codec: Option<Codec>,
    stereo: bool,
    no_dtx: bool,
}

impl From<&Publish> for Announced {
    fn from(publish: &Publish) -> Self {
        Self {
            codec: publish.codec,
            stereo: publish.stereo,
            no_dtx: publish.no_dtx,
        }
    }
}

pub(crate) struct Room {
    info: Arc<RoomInfo>,
    members: BTreeMap<PeerId, Member>,
    tracks: BTreeMap<TrackId, Track>,
    /// Other shards that hold a replica.
    links: ShardSet,
    speakers: Speakers,
    /// What was told last of each member, for those who come later.
    qualities: BTreeMap<PeerId, QualityReport>,
    locals: usize,
    next_tick: Instant,
    next_quality: Instant,
}

impl Room {
    pub(crate) fn new(info: Arc<RoomInfo>, now: Now) -> Self {
        Self {
            info,
            members: BTreeMap::new(),
            tracks: BTreeMap::new(),
            links: ShardSet::default(),
            speakers: Speakers::default(),
            qualities: BTreeMap::new(),
            locals: 0,
            next_tick: now.instant + tick::INTERVAL,
            next_quality: now.instant + tick::QUALITY_INTERVAL,
        }
    }

    pub(crate) fn id(&self) -> RoomId {
        self.info.id
    }

    /// Nobody here and nobody to tell: the replica can go.
    pub(crate) fn is_done(&self) -> bool {
        self.locals == 0 && self.links.is_empty()
    }

    pub(crate) fn locals(&self) -> usize {
        self.locals
    }

    pub(crate) fn remotes(&self) -> usize {
        self.members.len() - self.locals
    }

    pub(crate) fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.values()
    }

    /// Everybody, hidden ones too; `own` is whoever comes first.
    pub(crate) fn state(&self) -> Option<RoomState> {
        let mut infos = self.members.values().map(|member| Arc::clone(&member.info));
        let own = infos.next()?;
        Some(RoomState {
            room: Arc::clone(&self.info),
            own,
            others: infos.collect(),
        })
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        (self.locals > 0).then_some(self.next_tick)
    }

    fn local(&self, peer: PeerId) -> Option<&Local> {
        match &self.members.get(&peer)?.seat {
            Seat::Local(local) => Some(local),
            Seat::Remote(_) => None,
        }
    }

    fn local_mut(&mut self, peer: PeerId) -> Option<&mut Local> {
        match &mut self.members.get_mut(&peer)?.seat {
            Seat::Local(local) => Some(local),
            Seat::Remote(_) => None,
        }
    }

    fn info_of(&self, peer: PeerId) -> Option<&Arc<PeerInfo>> {
        self.members.get(&peer).map(|member| &member.info)
    }

    /// The room's members on this shard, in order of their ids.
    fn local_ids(&self) -> Vec<PeerId> {
        self.members
            .iter()
            .filter(|(_, member)| matches!(member.seat, Seat::Local(_)))
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// To every local peer but one, unless `about` is hidden from them.
    fn tell_others(&self, about: PeerId, cx: &mut Context<'_>, event: &Event) {
        if self.info_of(about).is_some_and(|info| info.grant.hidden) {
            return;
        }
        for peer in self.local_ids() {
            if peer != about {
                cx.event(peer, event.clone());
            }
        }
    }

    /// Something of a local or remote peer changed: told to the local peers, and for a local one to the other shards.
    fn peer_changed(&mut self, peer: PeerId, cx: &mut Context<'_>) {
        let Some(member) = self.members.get(&peer) else {
            return;
        };
        let info = Arc::clone(&member.info);
        let is_local = matches!(member.seat, Seat::Local(_));
        self.tell_others(peer, cx, &Event::PeerUpdated(Arc::clone(&info)));
        if is_local {
            cx.event(peer, Event::PeerUpdated(Arc::clone(&info)));
            cx.link_all(self.links, self.id(), &LinkBody::Peer(info));
        }
    }

    /// Changes a local peer's public face; its version grows.
    fn change(&mut self, peer: PeerId, change: impl FnOnce(&mut PeerInfo)) {
        if let Some(member) = self.members.get_mut(&peer) {
            let info = Arc::make_mut(&mut member.info);
            change(info);
            info.version += 1;
        }
    }
}
