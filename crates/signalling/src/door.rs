//! What the doors for older programs have in common: a conversation that learns by its messages which rooms to enter,
//! and that may hold several places at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionOptions, DataForm, DataMessage, Event, Grant, Identity, LeaveReason, MsidStyle, Now,
    Offerer, PeerId, PlainData, Recipients, Request, RoomInfo, RoomName, ShardSet,
};

use crate::Frame;
use crate::room::Topology;
use crate::ways::{Ways, WaysWish};

/// Application data as plain bytes under a channel's label: what every door but the SDKs' one speaks.
pub const FORM_PLAIN: DataForm = DataForm(0);

/// One of the places that a conversation holds; numbered by the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

/// A wish to enter a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    pub room: RoomName,
    pub identity: Identity,
    /// Of this door; a room may be bound to the other one.
    pub topology: Topology,
    /// Somebody of that identity stays, and the newcomer is refused; else the newcomer takes the place.
    pub is_exclusive: bool,
    /// With a moderator's right the newcomer takes an exclusive place all the same.
    pub takes_over: bool,
    /// Who holds a place with a key and comes back with it before the old line is known to be dead takes it all the same.
    pub key: Option<Secret>,
    /// Why this conversation may enter, if it said so: a signed token.
    pub token: Option<Secret>,
}

impl Entrance {
    /// Of whoever shows nothing and pushes nobody aside.
    pub fn new(room: RoomName, identity: Identity, topology: Topology) -> Self {
        Self {
            room,
            identity,
            topology,
            is_exclusive: false,
            takes_over: false,
            key: None,
            token: None,
        }
    }
}

/// What lets its holder in. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A place was given. The dialect's next request for it is `Join`.
#[derive(Debug, Clone)]
pub struct Entered {
    pub peer: PeerId,
    pub room: Arc<RoomInfo>,
    pub shards: ShardSet,
    /// What the token, or the configuration, allows.
    pub grant: Grant,
    /// What the token says of who holds it.
    pub attributes: BTreeMap<String, String>,
    /// Nobody in this room is to learn another's address.
    pub hides_addresses: bool,
}

/// Why no place was given; each dialect has its own sentence for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    #[error("the identity is taken")]
    Taken,
    #[error("requested room does not exist")]
    NoSuchRoom,
    #[error("room is full")]
    RoomFull,
    #[error("server is full")]
    ServerFull,
    #[error("not allowed")]
    NotAllowed,
    #[error("the server is stopping")]
    Stopping,
    #[error("the members of this room connect to each other, not by way of the server")]
    Mesh,
    #[error("the members of this room are connected by way of the server, not to each other")]
    Sfu,
}

impl EnterError {
    /// Whoever asked has to ask for something else; the others may pass by themselves.
    pub(crate) fn is_own_fault(self) -> bool {
        matches!(self, Self::NotAllowed | Self::Mesh | Self::Sfu)
    }
}

/// Why a file was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    #[error("the file is larger than allowed")]
    TooLarge,
    #[error("not a picture of a kind that is allowed")]
    Kind,
    #[error("the store is full")]
    Full,
}

/// What a door wants done. Drained to the end after every `handle_` call.
#[derive(Debug)]
pub enum DoorOutput {
    /// Over Socket.IO a frame is the JSON array of an event: its name and its arguments.
    Frame(Frame),
    Enter(Place, Entrance),
    Request(Place, Request),
    /// The place is given up; its peer leaves.
    Quit(Place),
    /// A picture for the others to fetch by the name that comes back.
    Upload(Vec<u8>),
    /// By which ways the media of this place may go.
    Ways(Place, WaysWish),
    /// The conversation is over: all its places are given up, the carrier is closed.
    Close,
}

/// A protocol's side of one conversation over one carrier. Nothing outlives the carrier.
pub trait Door: Send {
    fn handle_frame(&mut self, now: Now, frame: Frame);
    fn handle_entered(&mut self, now: Now, place: Place, entered: Result<Entered, EnterError>);
    fn handle_event(&mut self, now: Now, place: Place, event: Event);
    fn poll_output(&mut self) -> Option<DoorOutput>;

    /// The answer to `Upload`, in order: the name by which it can be fetched. Who never asks is never answered.
    fn handle_uploaded(&mut self, _now: Now, _uploaded: Result<String, UploadError>) {}

    /// The answer to `Ways`. Who never asks is never answered.
    fn handle_ways(&mut self, _now: Now, _ways: &Ways) {}

    /// The time of `poll_timeout` has come.
    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What was not acted upon so far.
    fn dropped(&self) -> Dropped {
        Dropped::default()
    }
}

/// How far a conversation is that enters one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Entering,
    Present,
    Over,
}

/// What a conversation did not act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Frames that cannot be read, and words that nobody knows.
    pub malformed: u64,
    /// What is not this client's to say or to ask for.
    pub refused: u64,
    /// What came too early, more than is kept.
    pub early: u64,
    /// Messages to nobody who is here.
    pub nobody: u64,
}

/// A connection on which the client offers, once or again.
pub(crate) fn client_offers(publish: bool, bitrate_max_bps: Option<u64>) -> ConnectionOptions {
    ConnectionOptions {
        offerer: Offerer::Client,
        publish,
        subscribe: !publish,
        primary: true,
        publish_unannounced: publish,
        answers_ahead: false,
        bitrate_max_bps: bitrate_max_bps.filter(|_| publish),
        channels: Vec::new(),
    }
}

/// Words for others of the same door.
pub(crate) fn relayed(label: &str, form: DataForm, text: String, to: Recipients) -> DataMessage {
    DataMessage {
        label: Arc::from(label),
        reliable: true,
        binary: false,
        form,
        translate: true,
        payload: Bytes::from(text),
        plain: None,
        to,
        from_peer: true,
    }
}

/// Bytes of the own client's channel, to others.
pub(crate) fn plain_data(
    label: Arc<str>,
    payload: Bytes,
    binary: bool,
    to: Recipients,
) -> DataMessage {
    DataMessage {
        label: Arc::clone(&label),
        reliable: true,
        binary,
        form: FORM_PLAIN,
        translate: false,
        payload: payload.clone(),
        plain: Some(PlainData { label, payload }),
        to,
        from_peer: true,
    }
}

/// Why a stay ended, to somebody who did not end it himself.
pub(crate) fn farewell(reason: LeaveReason) -> Option<&'static str> {
    match reason {
        LeaveReason::Own | LeaveReason::SignallingLost => None,
        LeaveReason::Duplicate => Some("somebody else took this place"),
        LeaveReason::Removed => Some("removed by a moderator"),
        LeaveReason::RoomDeleted => Some("the room was closed"),
        LeaveReason::Shutdown => Some("the server is stopping"),
        LeaveReason::ConnectionLost => Some("the media connection was lost"),
        LeaveReason::TooSlow => Some("what was sent was not read in time"),
        LeaveReason::Fault => Some("the server failed"),
    }
}

impl Entered {
    /// The usual `Join` of such a door.
    pub fn join(
        &self,
        identity: &Identity,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> madang_sfu::api::Join {
        madang_sfu::api::Join {
            room: Arc::clone(&self.room),
            shards: self.shards,
            identity: identity.clone(),
            name: name.to_owned(),
            metadata: String::new(),
            attributes,
            kind: madang_sfu::api::PeerKind::default(),
            grant: self.grant.clone(),
            auto_subscribe: false,
            form: FORM_PLAIN,
            msid: MsidStyle::PerPeer,
            annotation: Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests;
