use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    ChannelInfo, Codec, ConnectionKey, DataForm, Grant, Identity, LayerInfo, LeaveReason,
    MediaKind, PeerId, PeerInfo, PeerKind, RoomInfo, ShardSet, Source, TrackId,
};

/// What a dialect asks for its peer. Requests of one peer are handled in the order sent.
#[derive(Debug, Clone)]
pub enum Request {
    /// First of all. Answered by `Joined`.
    Join(Box<Join>),
    /// Makes a connection; nothing is sent before an offer.
    Open {
        connection: ConnectionKey,
        options: ConnectionOptions,
    },
    /// The client's offer. Answered by `Answer` or `Refused`.
    Offer {
        connection: ConnectionKey,
        sdp: String,
        number: u32,
    },
    /// The client's answer to our `Offer` of that number; stale ones are dropped. 0: unnumbered, taken as the newest.
    Answer {
        connection: ConnectionKey,
        sdp: String,
        number: u32,
    },
    /// One remote candidate, the `candidate:…` line.
    Candidate {
        connection: ConnectionKey,
        candidate: String,
    },
    /// Fresh ICE credentials in an offer of ours (only where the server offers).
    Restart {
        connection: ConnectionKey,
    },
    Close {
        connection: ConnectionKey,
    },
    /// Announces a track that a section will carry, or already carries. Answered by `Announced`.
    Publish(Box<Publish>),
    Unpublish {
        track: TrackId,
    },
    /// The owner mutes, or a moderator (then the owner gets `MuteAsked`).
    Mute {
        track: TrackId,
        muted: bool,
    },
    UpdatePublication(Box<UpdatePublication>),
    /// Carried by that connection, or by the first that carries subscriptions.
    Subscribe {
        tracks: Vec<TrackId>,
        connection: Option<ConnectionKey>,
    },
    Unsubscribe {
        tracks: Vec<TrackId>,
    },
    Prefer {
        track: TrackId,
        preference: Preference,
    },
    /// Who may subscribe to this peer's tracks.
    Allow(Allowance),
    /// To others.
    Data(Box<DataMessage>),
    /// To this very peer, on its own channel: the last step of a dialect's own translation.
    Send {
        label: Arc<str>,
        payload: Bytes,
        binary: bool,
        reliable: bool,
    },
    /// Announce or withdraw application data streams: the whole list.
    Channels(Vec<ChannelInfo>),
    Update(Box<Update>),
    /// Tell this peer everything again: its session has a new carrier. Answered by `Joined` with the present state.
    Resync,
    /// What the room is has changed; to one member of it on each shard.
    UpdateRoom(Arc<RoomInfo>),
    /// A moderator or the directory ends this peer's stay.
    Remove {
        reason: LeaveReason,
    },
    /// The peer itself ends it.
    Leave,
}

#[derive(Debug, Clone)]
pub struct Join {
    pub room: Arc<RoomInfo>,
    /// Other shards on which this room may have members.
    pub shards: ShardSet,
    pub identity: Identity,
    pub name: String,
    pub metadata: String,
    pub attributes: BTreeMap<String, String>,
    pub kind: PeerKind,
    pub grant: Grant,
    /// Subscribe to everything that is and will be published.
    pub auto_subscribe: bool,
    pub form: DataForm,
    pub msid: MsidStyle,
    pub annotation: Bytes,
}

/// How `a=msid` of our sending sections reads (RFC 8830).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsidStyle {
    /// Stream `<peer>|<track>` (or `<peer>|<stream>`), track `<track>`.
    PeerAndTrack,
    /// One stream for all of a peer's tracks: `<peer>`, track `<track>`.
    PerPeer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offerer {
    Client,
    Server,
}

#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    pub offerer: Offerer,
    /// Sections of the client that send are publications.
    pub publish: bool,
    /// Subscriptions are carried by this connection.
    pub subscribe: bool,
    /// The peer is active when this one is connected.
    pub primary: bool,
    /// A sending section that nobody announced becomes a publication of its own.
    pub publish_unannounced: bool,
    /// Where the client receives it is answered as if we sent, before there is anything to send: tracks come and go on
    /// its sections without another description (only where the client offers).
    pub answers_ahead: bool,
    /// A ceiling for each picture the client sends.
    pub bitrate_max_bps: Option<u64>,
    /// Channels we open on it (only where the server offers); otherwise the client's channels are used by their label.
    pub channels: Vec<ChannelSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    pub label: Arc<str>,
    pub ordered: bool,
    /// None: reliable. `Some(0)`: never retransmitted.
    pub retransmits_max: Option<u16>,
}

#[derive(Debug, Clone)]
pub struct Publish {
    pub client_id: String,
    /// Further encodings of the same source under other client ids ("backup codecs"): accepted, not forwarded yet.
    pub kind: MediaKind,
    pub source: Source,
    pub name: String,
    pub stream: String,
    pub muted: bool,
    pub width_px: u32,
    pub height_px: u32,
    /// In the sender's order; the core sorts them by rid (q < h < f) or keeps the order.
    pub layers: Vec<LayerInfo>,
    pub annotation: Bytes,
    /// Listed first in the answer: browsers choose their encoder by it. None: the client's own order.
    pub codec: Option<Codec>,
    /// Opus options that the answer must carry.
    pub stereo: bool,
    pub no_dtx: bool,
}

#[derive(Debug, Clone)]
pub struct UpdatePublication {
    pub track: TrackId,
    pub size_px: Option<(u32, u32)>,
    pub annotation: Option<Bytes>,
}

/// What a subscriber would like of one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    pub enabled: bool,
    /// 0 low, 1 medium, 2 high; a size wins over it.
    pub quality: Option<u8>,
    pub size_px: Option<(u32, u32)>,
    pub fps: Option<u32>,
    pub priority: u32,
}

impl Default for Preference {
    fn default() -> Self {
        Self {
            enabled: true,
            quality: None,
            size_px: None,
            fps: None,
            priority: 0,
        }
    }
}

/// Who may subscribe to a peer's tracks.
#[derive(Debug, Clone, Default)]
pub struct Allowance {
    pub everybody: bool,
    /// By identity: all tracks (None) or these.
    pub peers: BTreeMap<Identity, Option<Vec<TrackId>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// All but the sender.
    Others,
    Identities(Vec<Identity>),
    Peers(Vec<PeerId>),
}

#[derive(Debug, Clone)]
pub struct DataMessage {
    /// The channel's label, at the sender and at the receivers of the same form.
    pub label: Arc<str>,
    pub reliable: bool,
    pub binary: bool,
    pub form: DataForm,
    /// Let every receiver's dialect translate, also those of the same form.
    pub translate: bool,
    pub payload: Bytes,
    /// The same for those who know no form, where it can be said: bytes under a label.
    pub plain: Option<PlainData>,
    pub to: Recipients,
    /// False for messages of the server itself, which need no right.
    pub from_peer: bool,
}

/// What an application said, without the wrapping of any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainData {
    pub label: Arc<str>,
    pub payload: Bytes,
}

/// None: unchanged. An attribute with an empty value is deleted.
#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub metadata: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub grant: Option<Grant>,
    pub annotation: Option<Bytes>,
    /// By the peer itself: needs the right to.
    pub own: bool,
}

impl Join {
    /// The peer as it is at the moment of joining.
    pub fn peer_info(&self, id: PeerId, shard: super::ShardId, now: super::Now) -> PeerInfo {
        PeerInfo {
            id,
            identity: self.identity.clone(),
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            attributes: self.attributes.clone(),
            kind: self.kind,
            grant: self.grant.clone(),
            phase: super::PeerPhase::Joined,
            joined_wall_ms: now.wall_ms(),
            version: 1,
            shard,
            publications: Vec::new(),
            channels: Vec::new(),
            annotation: self.annotation.clone(),
        }
    }
}
