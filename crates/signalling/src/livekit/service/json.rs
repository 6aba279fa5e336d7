//! Answers as JSON in the form that this API's clients have always got: names as in the schema, every field present,
//! enums as text, 64-bit numbers as text.

use std::collections::BTreeMap;

use livekit_protocol as proto;
use serde::Serialize;

pub(super) fn room(room: &proto::Room) -> Vec<u8> {
    written(&Room::of(room))
}

pub(super) fn rooms(rooms: &[proto::Room]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Rooms<'a> {
        rooms: Vec<Room<'a>>,
    }
    written(&Rooms {
        rooms: rooms.iter().map(Room::of).collect(),
    })
}

pub(super) fn participant(participant: &proto::ParticipantInfo) -> Vec<u8> {
    written(&Participant::of(participant))
}

pub(super) fn participants(participants: &[proto::ParticipantInfo]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Participants<'a> {
        participants: Vec<Participant<'a>>,
    }
    written(&Participants {
        participants: participants.iter().map(Participant::of).collect(),
    })
}

pub(super) fn muted_track(track: Option<&proto::TrackInfo>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Muted<'a> {
        track: Option<Track<'a>>,
    }
    written(&Muted {
        track: track.map(Track::of),
    })
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data has a JSON form")
}

#[derive(Serialize)]
struct Room<'a> {
    sid: &'a str,
    name: &'a str,
    empty_timeout: u32,
    departure_timeout: u32,
    max_participants: u32,
    creation_time: String,
    creation_time_ms: String,
    turn_password: &'a str,
    enabled_codecs: Vec<Codec<'a>>,
    metadata: &'a str,
    num_participants: u32,
    num_publishers: u32,
    active_recording: bool,
    version: Option<Version>,
}

impl<'a> Room<'a> {
    fn of(room: &'a proto::Room) -> Self {
        Self {
            sid: &room.sid,
            name: &room.name,
            empty_timeout: room.empty_timeout,
            departure_timeout: room.departure_timeout,
            max_participants: room.max_participants,
            creation_time: room.creation_time.to_string(),
            creation_time_ms: room.creation_time_ms.to_string(),
            turn_password: &room.turn_password,
            enabled_codecs: room.enabled_codecs.iter().map(Codec::of).collect(),
            metadata: &room.metadata,
            num_participants: room.num_participants,
            num_publishers: room.num_publishers,
            active_recording: room.active_recording,
            version: room.version.as_ref().map(Version::of),
        }
    }
}

#[derive(Serialize)]
struct Codec<'a> {
    mime: &'a str,
    fmtp_line: &'a str,
}

impl<'a> Codec<'a> {
    fn of(codec: &'a proto::Codec) -> Self {
        Self {
            mime: &codec.mime,
            fmtp_line: &codec.fmtp_line,
        }
    }
}

#[derive(Serialize)]
struct Version {
    unix_micro: String,
    ticks: i32,
}

impl Version {
    fn of(version: &proto::TimedVersion) -> Self {
        Self {
            unix_micro: version.unix_micro.to_string(),
            ticks: version.ticks,
        }
    }
}

#[derive(Serialize)]
struct Participant<'a> {
    sid: &'a str,
    identity: &'a str,
    state: &'static str,
    tracks: Vec<Track<'a>>,
    metadata: &'a str,
    joined_at: String,
    joined_at_ms: String,
    name: &'a str,
    version: u32,
    permission: Option<Permission>,
    region: &'a str,
    is_publisher: bool,
    kind: &'static str,
    attributes: BTreeMap<&'a str, &'a str>,
    disconnect_reason: &'static str,
    kind_details: Vec<&'static str>,
    data_tracks: Vec<DataTrack<'a>>,
    client_protocol: i32,
    capabilities: Vec<&'static str>,
}

impl<'a> Participant<'a> {
    fn of(peer: &'a proto::ParticipantInfo) -> Self {
        let attributes: BTreeMap<&str, &str> = sorted(&peer.attributes);
        Self {
            sid: &peer.sid,
            identity: &peer.identity,
            state: peer.state().as_str_name(),
            tracks: peer.tracks.iter().map(Track::of).collect(),
            metadata: &peer.metadata,
            joined_at: peer.joined_at.to_string(),
            joined_at_ms: peer.joined_at_ms.to_string(),
            name: &peer.name,
            version: peer.version,
            permission: peer.permission.as_ref().map(Permission::of),
            region: &peer.region,
            is_publisher: peer.is_publisher,
            kind: peer.kind().as_str_name(),
            attributes,
            disconnect_reason: peer.disconnect_reason().as_str_name(),
            kind_details: peer
                .kind_details()
                .map(|detail| detail.as_str_name())
                .collect(),
            data_tracks: peer.data_tracks.iter().map(DataTrack::of).collect(),
            client_protocol: peer.client_protocol,
            capabilities: peer
                .capabilities()
                .map(|capability| capability.as_str_name())
                .collect(),
        }
    }
}

#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a right of its own on the wire"
)]
struct Permission {
    can_subscribe: bool,
    can_publish: bool,
    can_publish_data: bool,
    can_publish_sources: Vec<&'static str>,
    hidden: bool,
    recorder: bool,
    can_update_metadata: bool,
    agent: bool,
    can_subscribe_metrics: bool,
    can_manage_agent_session: bool,
}

impl Permission {
    #[expect(deprecated, reason = "every field is present")]
    fn of(permission: &proto::ParticipantPermission) -> Self {
        Self {
            can_subscribe: permission.can_subscribe,
            can_publish: permission.can_publish,
            can_publish_data: permission.can_publish_data,
            can_publish_sources: permission
                .can_publish_sources()
                .map(|source| source.as_str_name())
                .collect(),
            hidden: permission.hidden,
            recorder: permission.recorder,
            can_update_metadata: permission.can_update_metadata,
            agent: permission.agent,
            can_subscribe_metrics: permission.can_subscribe_metrics,
            can_manage_agent_session: permission.can_manage_agent_session,
        }
    }
}

#[derive(Serialize)]
struct Track<'a> {
    sid: &'a str,
    r#type: &'static str,
    name: &'a str,
    muted: bool,
    width: u32,
    height: u32,
    simulcast: bool,
    disable_dtx: bool,
    source: &'static str,
    layers: Vec<Layer<'a>>,
    mime_type: &'a str,
    mid: &'a str,
    codecs: Vec<TrackCodec<'a>>,
    stereo: bool,
    disable_red: bool,
    encryption: &'static str,
    stream: &'a str,
    version: Option<Version>,
    audio_features: Vec<&'static str>,
    backup_codec_policy: &'static str,
    packet_trailer_features: Vec<&'static str>,
}

impl<'a> Track<'a> {
    #[expect(deprecated, reason = "every field is present")]
    fn of(track: &'a proto::TrackInfo) -> Self {
        Self {
            sid: &track.sid,
            r#type: track.r#type().as_str_name(),
            name: &track.name,
            muted: track.muted,
            width: track.width,
            height: track.height,
            simulcast: track.simulcast,
            disable_dtx: track.disable_dtx,
            source: track.source().as_str_name(),
            layers: track.layers.iter().map(Layer::of).collect(),
            mime_type: &track.mime_type,
            mid: &track.mid,
            codecs: track.codecs.iter().map(TrackCodec::of).collect(),
            stereo: track.stereo,
            disable_red: track.disable_red,
            encryption: track.encryption().as_str_name(),
            stream: &track.stream,
            version: track.version.as_ref().map(Version::of),
            audio_features: track
                .audio_features()
                .map(|feature| feature.as_str_name())
                .collect(),
            backup_codec_policy: track.backup_codec_policy().as_str_name(),
            packet_trailer_features: track
                .packet_trailer_features()
                .map(|feature| feature.as_str_name())
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Layer<'a> {
    quality: &'static str,
    width: u32,
    height: u32,
    bitrate: u32,
    ssrc: u32,
    spatial_layer: i32,
    rid: &'a str,
    repair_ssrc: u32,
}

impl<'a> Layer<'a> {
    fn of(layer: &'a proto::VideoLayer) -> Self {
        Self {
            quality: layer.quality().as_str_name(),
            width: layer.width,
            height: layer.height,
            bitrate: layer.bitrate,
            ssrc: layer.ssrc,
            spatial_layer: layer.spatial_layer,
            rid: &layer.rid,
            repair_ssrc: layer.repair_ssrc,
        }
    }
}

#[derive(Serialize)]
struct TrackCodec<'a> {
    mime_type: &'a str,
    mid: &'a str,
    cid: &'a str,
    layers: Vec<Layer<'a>>,
    video_layer_mode: &'static str,
    sdp_cid: &'a str,
}

impl<'a> TrackCodec<'a> {
    fn of(codec: &'a proto::SimulcastCodecInfo) -> Self {
        Self {
            mime_type: &codec.mime_type,
            mid: &codec.mid,
            cid: &codec.cid,
            layers: codec.layers.iter().map(Layer::of).collect(),
            video_layer_mode: codec.video_layer_mode().as_str_name(),
            sdp_cid: &codec.sdp_cid,
        }
    }
}

#[derive(Serialize)]
struct DataTrack<'a> {
    pub_handle: u32,
    sid: &'a str,
    name: &'a str,
    encryption: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_encoding: Option<&'a proto::DataTrackFrameEncoding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a proto::DataTrackSchemaId>,
}

impl<'a> DataTrack<'a> {
    fn of(track: &'a proto::DataTrackInfo) -> Self {
        Self {
            pub_handle: track.pub_handle,
            sid: &track.sid,
            name: &track.name,
            encryption: track.encryption().as_str_name(),
            frame_encoding: track.frame_encoding.as_ref(),
            schema: track.schema.as_ref(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "collected into a sorted map, so its order does not show"
)]
fn sorted(map: &std::collections::HashMap<String, String>) -> BTreeMap<&str, &str> {
    map.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}
