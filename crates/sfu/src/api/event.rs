use std::sync::Arc;

use bytes::Bytes;

use super::{
    Codec, ConnectionKey, DataForm, Identity, LeaveReason, PeerId, PeerInfo, PlainData,
    Publication, RoomInfo, TrackId,
};

/// What the core tells a dialect about its peer's room. Events of one peer arrive in the order they happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The answer to `Join` and `Resync`: everything as it is now.
    Joined(Box<RoomState>),
    RoomUpdated(Arc<RoomInfo>),
    /// A peer is to be seen from now on.
    PeerJoined(Arc<PeerInfo>),
    /// Something of a peer changed, also of the own one; `Published`/`Unpublished` come besides.
    PeerUpdated(Arc<PeerInfo>),
    PeerLeft {
        peer: Arc<PeerInfo>,
        reason: LeaveReason,
    },
    /// The own track is accepted and has its id.
    Announced {
        publication: Arc<Publication>,
    },
    Published {
        peer: Arc<PeerInfo>,
        track: TrackId,
    },
    Unpublished {
        peer: Arc<PeerInfo>,
        track: TrackId,
    },
    /// The server ended one of the own publications (a right was withdrawn).
    OwnUnpublished {
        track: TrackId,
    },
    /// Our offer; `sections` names what each sending section carries.
    Offer {
        connection: ConnectionKey,
        sdp: String,
        number: u32,
        sections: SectionMap,
    },
    Answer {
        connection: ConnectionKey,
        sdp: String,
        number: u32,
        sections: SectionMap,
    },
    /// The client should offer again, with at least so many receiving sections more than are free now (0, 0: as it is).
    SectionsWanted {
        connection: ConnectionKey,
        audio: u32,
        video: u32,
    },
    Connected {
        connection: ConnectionKey,
    },
    /// The media path broke; it may still come back by an ICE restart.
    Disconnected {
        connection: ConnectionKey,
    },
    Subscribed {
        track: TrackId,
    },
    Unsubscribed {
        track: TrackId,
    },
    /// Somebody subscribed to this own track for the first time.
    Watched {
        track: TrackId,
    },
    /// Packets of this own track arrive, or have stopped to.
    Flowing {
        track: TrackId,
        flowing: bool,
    },
    /// May this peer see that track (the publisher decides).
    Allowed {
        publisher: PeerId,
        track: TrackId,
        allowed: bool,
    },
    /// Only what changed; a level of 0 means: fell silent.
    Speakers(Vec<Speaker>),
    Quality(Vec<QualityReport>),
    /// Which layers of the own track anybody wants: the others may rest.
    LayersWanted {
        track: TrackId,
        codec: Option<Codec>,
        wishes: Vec<LayerWish>,
    },
    /// A subscription is fed, or paused for want of bandwidth.
    Streaming {
        publisher: PeerId,
        track: TrackId,
        active: bool,
    },
    /// A channel by which we can reach the client is open.
    ChannelOpen {
        label: Arc<str>,
    },
    /// The own client sent this.
    DataReceived {
        label: Arc<str>,
        payload: Bytes,
        binary: bool,
    },
    /// Another peer sent this in a form that needs this dialect's translation.
    Data {
        from: PeerId,
        identity: Identity,
        label: Arc<str>,
        reliable: bool,
        binary: bool,
        form: DataForm,
        payload: Bytes,
        plain: Option<PlainData>,
    },
    /// A moderator mutes the own track.
    MuteAsked {
        track: TrackId,
        muted: bool,
    },
    Refused {
        request: RequestKind,
        refusal: Refusal,
    },
    /// The stay is over; nothing follows.
    Closed {
        reason: LeaveReason,
    },
}

#[derive(Debug, Clone)]
pub struct RoomState {
    pub room: Arc<RoomInfo>,
    pub own: Arc<PeerInfo>,
    /// Hidden ones left out.
    pub others: Vec<Arc<PeerInfo>>,
}

/// `mid` → track, of the sections that we send on.
pub type SectionMap = Vec<(String, TrackId)>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speaker {
    pub peer: PeerId,
    /// 0 silent … 1 loudest.
    pub level: f32,
    pub active: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    Lost,
    Poor,
    Good,
    Excellent,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityReport {
    pub peer: PeerId,
    pub quality: Quality,
    /// 1 worst … 5 best, like a mean opinion score.
    pub score: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerWish {
    pub quality: u8,
    pub wanted: bool,
}

/// Which request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestKind {
    Join,
    Open(ConnectionKey),
    Offer {
        connection: ConnectionKey,
        number: u32,
    },
    Answer {
        connection: ConnectionKey,
        number: u32,
    },
    Candidate(ConnectionKey),
    Publish {
        client_id: String,
    },
    Unpublish(TrackId),
    Mute(TrackId),
    UpdatePublication(TrackId),
    Subscribe(TrackId),
    Prefer(TrackId),
    Data,
    Update,
}

/// The peer's fault: said to it in its dialect's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not allowed by the token")]
    NotAllowed,
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("the description cannot be read: {0}")]
    Sdp(String),
    #[error("a limit is reached: {0}")]
    Limit(&'static str),
    #[error("too large: {0}")]
    TooLarge(&'static str),
    #[error("the receiver has no decoder for it")]
    Codec,
    #[error("not in this state: {0}")]
    State(&'static str),
}
