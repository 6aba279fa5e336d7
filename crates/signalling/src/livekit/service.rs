//! The administrators' API, `RoomService` over Twirp (https://twitchtv.github.io/twirp/docs/spec_v7.html), without its
//! carrier: bytes in, a [`ServiceCall`] that the server carries out, a [`Reply`] as bytes out.

mod json;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use livekit_protocol as proto;
use madang_sfu::api::{
    DataMessage, Grant, Identity, PeerInfo, Publication, Recipients, RoomInfo, RoomName, TrackId,
    Update,
};
use prost::Message;
use serde::de::DeserializeOwned;

use super::claims::Claims;
use super::info::{self, Attendance};
use super::{
    ATTRIBUTES_BYTES_MAX, FORM, LABEL_LOSSY, LABEL_RELIABLE, METADATA_BYTES_MAX, NAME_BYTES_MAX,
    ROOM_NAME_BYTES_MAX, data,
};
use crate::room::{Bounds, RoomSettings};

/// The server refuses larger bodies before it reads them.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Where all calls are found.
pub const PREFIX: &str = "/twirp/livekit.";

const NONCE_BYTES: usize = 16;
/// What other servers of this protocol have and this one has not.
const ABSENT_SERVICES: [&str; 8] = [
    "Egress",
    "Ingress",
    "SIP",
    "AgentDispatchService",
    "Connector",
    "PhoneNumberService",
    "CloudAgent",
    "AgentSimulation",
];
const ABSENT_METHODS: [&str; 3] = ["ForwardParticipant", "MoveParticipant", "PerformRpc"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/protobuf",
            Self::Json => "application/json",
        }
    }
}

/// What an administrator wants done.
#[derive(Debug, Clone)]
pub enum ServiceCall {
    /// Answered by [`Reply::Room`]; a room that is there stays as it is.
    CreateRoom {
        name: RoomName,
        settings: RoomSettings,
    },
    /// No names: all. Answered by [`Reply::Rooms`].
    ListRooms { names: Vec<RoomName> },
    /// Answered by [`Reply::Empty`].
    DeleteRoom { room: RoomName },
    /// Answered by [`Reply::Participants`], empty for a room that is not there.
    ListParticipants { room: RoomName },
    /// Answered by [`Reply::Participant`].
    GetParticipant { room: RoomName, identity: Identity },
    /// Answered by [`Reply::Empty`].
    RemoveParticipant { room: RoomName, identity: Identity },
    /// Answered by [`Reply::Track`]. `track` is None for what is no id at all.
    MutePublishedTrack {
        room: RoomName,
        identity: Identity,
        track: Option<TrackId>,
        muted: bool,
    },
    /// Answered by [`Reply::Participant`], as it is after the update.
    UpdateParticipant {
        room: RoomName,
        identity: Identity,
        update: ParticipantUpdate,
    },
    /// Answered by [`Reply::Empty`].
    UpdateSubscriptions {
        room: RoomName,
        identity: Identity,
        tracks: Vec<TrackId>,
        subscribe: bool,
    },
    /// From nobody. Answered by [`Reply::Empty`].
    SendData {
        room: RoomName,
        message: Box<DataMessage>,
    },
    /// Answered by [`Reply::Room`].
    UpdateRoomMetadata { room: RoomName, metadata: String },
}

/// Empty texts leave things as they are; an empty attribute is deleted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParticipantUpdate {
    name: String,
    metadata: String,
    attributes: BTreeMap<String, String>,
    permission: Option<proto::ParticipantPermission>,
}

impl ParticipantUpdate {
    /// `before`: what the member may do now.
    pub fn into_update(self, before: &Grant) -> Update {
        let given = |text: String| (!text.is_empty()).then_some(text);
        Update {
            name: given(self.name),
            metadata: given(self.metadata),
            attributes: self.attributes,
            grant: self
                .permission
                .map(|permission| info::grant_of_permission(&permission, before)),
            annotation: None,
            own: false,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Reply {
    Room(Arc<RoomInfo>, Attendance),
    Rooms(Vec<(Arc<RoomInfo>, Attendance)>),
    Participant(Arc<PeerInfo>),
    Participants(Vec<Arc<PeerInfo>>),
    Track(Option<Arc<Publication>>),
    Empty,
}

/// The codes that we use, of those that Twirp has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Unauthenticated,
    InvalidArgument,
    Malformed,
    NotFound,
    BadRoute,
    FailedPrecondition,
    ResourceExhausted,
    Unimplemented,
    Internal,
    Unavailable,
    DeadlineExceeded,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidArgument => "invalid_argument",
            Self::Malformed => "malformed",
            Self::NotFound => "not_found",
            Self::BadRoute => "bad_route",
            Self::FailedPrecondition => "failed_precondition",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    pub fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::InvalidArgument | Self::Malformed => 400,
            Self::NotFound | Self::BadRoute => 404,
            Self::FailedPrecondition => 412,
            Self::ResourceExhausted => 429,
            Self::Unimplemented => 501,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 408,
        }
    }
}

/// A call that fails: always answered as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {msg}", code.as_str())]
pub struct TwirpError {
    pub code: Code,
    pub msg: String,
    /// The route that was asked for, where that is what is wrong.
    pub route: Option<String>,
}

impl TwirpError {
    pub fn new(code: Code, msg: &str) -> Self {
        Self {
            code,
            msg: msg.to_owned(),
            route: None,
        }
    }

    pub fn denied() -> Self {
        Self::new(Code::Unauthenticated, "permissions denied")
    }

    pub fn no_room() -> Self {
        Self::new(Code::NotFound, "requested room does not exist")
    }

    pub fn no_participant() -> Self {
        Self::new(Code::NotFound, "participant does not exist")
    }

    pub fn status(&self) -> u16 {
        self.code.status()
    }

    pub fn body(&self) -> Vec<u8> {
        let mut body = serde_json::json!({ "code": self.code.as_str(), "msg": self.msg });
        if let (Some(route), Some(object)) = (&self.route, body.as_object_mut()) {
            let meta = serde_json::json!({ "twirp_invalid_route": route });
            object.insert("meta".to_owned(), meta);
        }
        body.to_string().into_bytes()
    }

    fn bad_route(msg: String, method: &str, path: &str) -> Self {
        Self {
            code: Code::BadRoute,
            msg,
            route: Some(format!("{method} {path}")),
        }
    }
}

/// Reads a call. `path` begins with [`PREFIX`].
pub fn parse(
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(ServiceCall, Encoding), TwirpError> {
    if method != "POST" {
        let msg = format!("unsupported method {method:?} (only POST is allowed)");
        return Err(TwirpError::bad_route(msg, method, path));
    }
    let no_handler = || {
        let msg = format!("no handler for path {path:?}");
        TwirpError::bad_route(msg, method, path)
    };
    let (service, name) = path
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(no_handler)?;
    if ABSENT_SERVICES.contains(&service)
        || (service == "RoomService" && ABSENT_METHODS.contains(&name))
    {
        let msg = format!("{service}/{name} is not part of this server");
        return Err(TwirpError::new(Code::Unimplemented, &msg));
    }
    if service != "RoomService" {
        return Err(no_handler());
    }
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    let encoding = match media_type.to_ascii_lowercase().as_str() {
        "application/json" => Encoding::Json,
        "application/protobuf" => Encoding::Protobuf,
        _ => {
            let msg = format!("unexpected Content-Type: {content_type:?}");
            return Err(TwirpError::bad_route(msg, method, path));
        }
    };
    let call = call_named(name, Body { encoding, body }).ok_or_else(no_handler)??;
    Ok((call, encoding))
}

impl ServiceCall {
    /// Whether a token lets its bearer do this, and then whether it can be done at all.
    pub fn admit(&self, claims: Option<&Claims>) -> Result<(), TwirpError> {
        let video = claims.and_then(|claims| claims.video.as_ref());
        let Some(video) = video else {
            return Err(TwirpError::denied());
        };
        let of_room = |room: &RoomName| video.room_admin && video.room == room.as_str();
        let allowed = match self {
            Self::CreateRoom { .. } | Self::DeleteRoom { .. } => video.room_create,
            Self::ListRooms { .. } => video.room_list,
            Self::ListParticipants { room }
            | Self::GetParticipant { room, .. }
            | Self::RemoveParticipant { room, .. }
            | Self::MutePublishedTrack { room, .. }
            | Self::UpdateParticipant { room, .. }
            | Self::UpdateSubscriptions { room, .. }
            | Self::SendData { room, .. }
            | Self::UpdateRoomMetadata { room, .. } => of_room(room),
        };
        if !allowed {
            return Err(TwirpError::denied());
        }
        self.within_limits()
    }

    fn within_limits(&self) -> Result<(), TwirpError> {
        let too_long = match self {
            Self::CreateRoom { name, settings } => {
                if name.as_str().len() > ROOM_NAME_BYTES_MAX {
                    Some("room name length exceeds limits: max length 256")
                } else {
                    (settings.metadata.len() > METADATA_BYTES_MAX)
                        .then_some("metadata size exceeds limits")
                }
            }
            Self::UpdateParticipant { update, .. } => {
                let attributes = update.attributes.iter();
                let bytes: usize = attributes.map(|(key, value)| key.len() + value.len()).sum();
                if update.name.len() > NAME_BYTES_MAX {
                    Some("name length exceeds limits")
                } else if update.metadata.len() > METADATA_BYTES_MAX {
                    Some("metadata size exceeds limits")
                } else {
                    (bytes > ATTRIBUTES_BYTES_MAX).then_some("attribute size exceeds limits")
                }
            }
            Self::UpdateRoomMetadata { metadata, .. } => {
                (metadata.len() > METADATA_BYTES_MAX).then_some("metadata size exceeds limits")
            }
            Self::ListRooms { .. }
            | Self::DeleteRoom { .. }
            | Self::ListParticipants { .. }
            | Self::GetParticipant { .. }
            | Self::RemoveParticipant { .. }
            | Self::MutePublishedTrack { .. }
            | Self::UpdateSubscriptions { .. }
            | Self::SendData { .. } => None,
        };
        match too_long {
            Some(msg) => Err(TwirpError::new(Code::InvalidArgument, msg)),
            None => Ok(()),
        }
    }
}

impl Reply {
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Json => self.json(),
            Encoding::Protobuf => self.protobuf(),
        }
    }

    fn protobuf(&self) -> Vec<u8> {
        match self {
            Self::Room(room, attendance) => info::room(room, *attendance).encode_to_vec(),
            Self::Rooms(rooms) => proto::ListRoomsResponse {
                rooms: rooms_of(rooms),
            }
            .encode_to_vec(),
            Self::Participant(peer) => info::participant(peer).encode_to_vec(),
            Self::Participants(peers) => proto::ListParticipantsResponse {
                participants: participants_of(peers),
            }
            .encode_to_vec(),
            Self::Track(publication) => proto::MuteRoomTrackResponse {
                track: publication.as_deref().map(info::track),
            }
            .encode_to_vec(),
            Self::Empty => Vec::new(),
        }
    }

    fn json(&self) -> Vec<u8> {
        match self {
            Self::Room(room, attendance) => json::room(&info::room(room, *attendance)),
            Self::Rooms(rooms) => json::rooms(&rooms_of(rooms)),
            Self::Participant(peer) => json::participant(&info::participant(peer)),
            Self::Participants(peers) => json::participants(&participants_of(peers)),
            Self::Track(publication) => {
                json::muted_track(publication.as_deref().map(info::track).as_ref())
            }
            Self::Empty => b"{}".to_vec(),
        }
    }
}

fn rooms_of(rooms: &[(Arc<RoomInfo>, Attendance)]) -> Vec<proto::Room> {
    rooms
        .iter()
        .map(|(room, attendance)| info::room(room, *attendance))
        .collect()
}

fn participants_of(peers: &[Arc<PeerInfo>]) -> Vec<proto::ParticipantInfo> {
    peers.iter().map(|peer| info::participant(peer)).collect()
}

#[derive(Clone, Copy)]
struct Body<'a> {
    encoding: Encoding,
    body: &'a [u8],
}

impl Body<'_> {
    fn read<T: Message + Default + DeserializeOwned>(self) -> Result<T, TwirpError> {
        match self.encoding {
            Encoding::Protobuf => T::decode(self.body).map_err(|_| {
                let msg = "the protobuf request could not be decoded";
                TwirpError::new(Code::Malformed, msg)
            }),
            Encoding::Json => serde_json::from_slice(self.body).map_err(|_| {
                let msg = "the json request could not be decoded";
                TwirpError::new(Code::Malformed, msg)
            }),
        }
    }
}

/// None: there is no such method.
fn call_named(name: &str, body: Body<'_>) -> Option<Result<ServiceCall, TwirpError>> {
    Some(match name {
        "CreateRoom" => body.read().and_then(create_room),
        "ListRooms" => body.read().map(|r: proto::ListRoomsRequest| {
            let names = r.names.iter().map(|name| RoomName::new(name)).collect();
            ServiceCall::ListRooms { names }
        }),
        "DeleteRoom" => body
            .read()
            .map(|r: proto::DeleteRoomRequest| ServiceCall::DeleteRoom {
                room: RoomName::new(&r.room),
            }),
        "ListParticipants" => {
            body.read().map(
                |r: proto::ListParticipantsRequest| ServiceCall::ListParticipants {
                    room: RoomName::new(&r.room),
                },
            )
        }
        "GetParticipant" => {
            body.read().map(
                |r: proto::RoomParticipantIdentity| ServiceCall::GetParticipant {
                    room: RoomName::new(&r.room),
                    identity: Identity::new(&r.identity),
                },
            )
        }
        "RemoveParticipant" => {
            body.read().map(
                |r: proto::RoomParticipantIdentity| ServiceCall::RemoveParticipant {
                    room: RoomName::new(&r.room),
                    identity: Identity::new(&r.identity),
                },
            )
        }
        "MutePublishedTrack" => {
            body.read().map(
                |r: proto::MuteRoomTrackRequest| ServiceCall::MutePublishedTrack {
                    room: RoomName::new(&r.room),
                    identity: Identity::new(&r.identity),
                    track: info::track_of(&r.track_sid),
                    muted: r.muted,
                },
            )
        }
        "UpdateParticipant" => body.read().map(update_participant),
        "UpdateSubscriptions" => body.read().map(|request| update_subscriptions(&request)),
        "SendData" => body.read().and_then(|request| send_data(&request)),
        "UpdateRoomMetadata" => {
            body.read().map(
                |r: proto::UpdateRoomMetadataRequest| ServiceCall::UpdateRoomMetadata {
                    room: RoomName::new(&r.room),
                    metadata: r.metadata,
                },
            )
        }
        _ => return None,
    })
}

fn create_room(request: proto::CreateRoomRequest) -> Result<ServiceCall, TwirpError> {
    let bounds = Bounds::named(&request.room_preset)
        .map_err(|text| TwirpError::new(Code::InvalidArgument, text))?;
    let kept = (request.empty_timeout, request.departure_timeout);
    let limits = [request.max_participants, kept.0, kept.1];
    Ok(ServiceCall::CreateRoom {
        name: RoomName::new(&request.name),
        settings: RoomSettings::said(request.metadata, limits, bounds),
    })
}

fn update_participant(request: proto::UpdateParticipantRequest) -> ServiceCall {
    ServiceCall::UpdateParticipant {
        room: RoomName::new(&request.room),
        identity: Identity::new(&request.identity),
        update: ParticipantUpdate {
            name: request.name,
            metadata: request.metadata,
            attributes: request.attributes.into_iter().collect(),
            permission: request.permission,
        },
    }
}

fn update_subscriptions(request: &proto::UpdateSubscriptionsRequest) -> ServiceCall {
    let of_participants = request.participant_tracks.iter();
    let sids = of_participants
        .flat_map(|of_one| &of_one.track_sids)
        .chain(&request.track_sids);
    ServiceCall::UpdateSubscriptions {
        room: RoomName::new(&request.room),
        identity: Identity::new(&request.identity),
        tracks: sids.filter_map(|sid| info::track_of(sid)).collect(),
        subscribe: request.subscribe,
    }
}

#[expect(deprecated, reason = "older SDKs name receivers by their sids")]
fn send_data(request: &proto::SendDataRequest) -> Result<ServiceCall, TwirpError> {
    if !matches!(request.nonce.len(), 0 | NONCE_BYTES) {
        let bytes = request.nonce.len();
        let msg = format!("nonce should be 16-bytes or not present, got: {bytes} bytes");
        return Err(TwirpError::new(Code::InvalidArgument, &msg));
    }
    let reliable = request.kind() == proto::data_packet::Kind::Reliable;
    let user = proto::UserPacket {
        payload: request.data.clone(),
        topic: request.topic.clone(),
        destination_identities: request.destination_identities.clone(),
        nonce: request.nonce.clone(),
        ..proto::UserPacket::default()
    };
    let identities = request.destination_identities.iter();
    let identities: Vec<_> = identities.map(|text| Identity::new(text)).collect();
    let sids = request.destination_sids.iter();
    let peers: Vec<_> = sids.filter_map(|sid| sid.parse().ok()).collect();
    let to = if !identities.is_empty() {
        Recipients::Identities(identities)
    } else if request.destination_sids.is_empty() {
        Recipients::Others
    } else {
        Recipients::Peers(peers)
    };
    let packet = data::packet_of(reliable, "", "", user);
    Ok(ServiceCall::SendData {
        room: RoomName::new(&request.room),
        message: Box::new(DataMessage {
            label: Arc::from(if reliable {
                LABEL_RELIABLE
            } else {
                LABEL_LOSSY
            }),
            reliable,
            binary: true,
            form: FORM,
            translate: false,
            plain: None,
            payload: Bytes::from(packet.encode_to_vec()),
            to,
            from_peer: false,
        }),
    })
}

#[cfg(test)]
mod tests;
