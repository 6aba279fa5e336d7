//! Rooms, members and tracks in this protocol's words, and its ids read back.

use bytes::Bytes;
use livekit_protocol as proto;
use madang_sfu::api::{
    ChannelInfo, Codec, Grant, LayerInfo, LeaveReason, MediaKind, PeerInfo, PeerPhase, Publication,
    RoomInfo, Source, SourceSet, TrackId,
};
use prost::Message;
use proto::participant_info::State;

use super::claims::Claims;
use super::entry::Entry;

/// Codecs that a room takes, in the order in which clients should prefer them. VP8 first: clients fall back to the
/// first video codec of the list. Video before audio: one SDK takes the first entry for a video codec unseen.
pub(crate) const ROOM_CODECS: [Codec; 6] = [
    Codec::Vp8,
    Codec::H264,
    Codec::Vp9,
    Codec::Av1,
    Codec::Opus,
    Codec::Red,
];

/// How many members a room has is not known to its members' sessions but by counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attendance {
    pub peers: u32,
    pub publishers: u32,
}

pub fn room(room: &RoomInfo, attendance: Attendance) -> proto::Room {
    proto::Room {
        sid: room.id.to_string(),
        name: room.name.as_str().to_owned(),
        empty_timeout: room.empty_timeout_s,
        departure_timeout: room.departure_timeout_s,
        max_participants: room.peers_max.unwrap_or(0),
        creation_time: signed(room.created_wall_ms / 1000),
        creation_time_ms: signed(room.created_wall_ms),
        enabled_codecs: codecs(&ROOM_CODECS),
        metadata: room.metadata.clone(),
        num_participants: attendance.peers,
        num_publishers: attendance.publishers,
        ..proto::Room::default()
    }
}

pub(crate) fn codecs(codecs: &[Codec]) -> Vec<proto::Codec> {
    codecs
        .iter()
        .map(|codec| proto::Codec {
            mime: codec.mime().to_owned(),
            fmtp_line: String::new(),
        })
        .collect()
}

pub fn participant(peer: &PeerInfo) -> proto::ParticipantInfo {
    // A template of our own kind; members of other dialects have none.
    let template = proto::ParticipantInfo::decode(peer.annotation.clone()).unwrap_or_default();
    proto::ParticipantInfo {
        sid: peer.id.to_string(),
        identity: peer.identity.as_str().to_owned(),
        state: match peer.phase {
            PeerPhase::Joined => State::Joined,
            PeerPhase::Active => State::Active,
            PeerPhase::Gone => State::Disconnected,
        } as i32,
        tracks: peer.publications.iter().map(|p| track(p)).collect(),
        metadata: peer.metadata.clone(),
        joined_at: signed(peer.joined_wall_ms / 1000),
        joined_at_ms: signed(peer.joined_wall_ms),
        name: peer.name.clone(),
        version: peer.version,
        permission: Some(permission(&peer.grant)),
        region: String::new(),
        is_publisher: !peer.publications.is_empty() || !peer.channels.is_empty(),
        kind: i32::from(peer.kind.0),
        attributes: peer.attributes.clone().into_iter().collect(),
        disconnect_reason: 0,
        kind_details: template.kind_details,
        data_tracks: peer.channels.iter().map(data_track).collect(),
        client_protocol: template.client_protocol,
        capabilities: template.capabilities,
    }
}

/// Somebody is gone: who, and why.
pub(crate) fn departed(peer: &PeerInfo, reason: LeaveReason) -> proto::ParticipantInfo {
    proto::ParticipantInfo {
        state: State::Disconnected as i32,
        tracks: Vec::new(),
        data_tracks: Vec::new(),
        disconnect_reason: super::leave::disconnect_reason(reason) as i32,
        ..participant(peer)
    }
}

/// What only this dialect knows of its own member.
pub(crate) fn peer_annotation(entry: &Entry, claims: &Claims) -> Bytes {
    let template = proto::ParticipantInfo {
        kind_details: claims.kind_details(),
        client_protocol: entry.client_protocol,
        capabilities: entry.capabilities.clone(),
        ..proto::ParticipantInfo::default()
    };
    Bytes::from(template.encode_to_vec())
}

#[expect(
    deprecated,
    reason = "older clients read the fields that newer ones replaced"
)]
pub(crate) fn permission(grant: &Grant) -> proto::ParticipantPermission {
    proto::ParticipantPermission {
        can_subscribe: grant.subscribe,
        can_publish: grant.publish,
        can_publish_data: grant.publish_data,
        can_publish_sources: grant
            .sources
            .map(|set| set.iter().map(source_number).collect())
            .unwrap_or_default(),
        hidden: grant.hidden,
        recorder: grant.recorder,
        can_update_metadata: grant.update_own_metadata,
        agent: grant.agent,
        can_subscribe_metrics: grant.subscribe_metrics,
        can_manage_agent_session: false,
    }
}

/// A permission as an administrator sets it, over the rights that this message cannot say.
#[expect(
    deprecated,
    reason = "older clients write the fields that newer ones replaced"
)]
pub(crate) fn grant_of_permission(
    permission: &proto::ParticipantPermission,
    before: &Grant,
) -> Grant {
    let mut sources = SourceSet::default();
    for number in &permission.can_publish_sources {
        sources.insert(source_of(*number));
    }
    Grant {
        publish: permission.can_publish,
        subscribe: permission.can_subscribe,
        publish_data: permission.can_publish_data,
        sources: (!permission.can_publish_sources.is_empty()).then_some(sources),
        update_own_metadata: permission.can_update_metadata,
        hidden: permission.hidden,
        recorder: permission.recorder,
        agent: permission.agent,
        admin: before.admin,
        subscribe_metrics: permission.can_subscribe_metrics,
    }
}

#[expect(
    deprecated,
    reason = "older clients read the fields that newer ones replaced"
)]
pub fn track(publication: &Publication) -> proto::TrackInfo {
    let mut info = proto::TrackInfo::decode(publication.annotation.clone()).unwrap_or_default();
    info.sid = publication.id.to_string();
    info.r#type = match publication.kind {
        MediaKind::Audio => proto::TrackType::Audio,
        MediaKind::Video => proto::TrackType::Video,
    } as i32;
    info.name.clone_from(&publication.name);
    info.muted = publication.muted;
    info.width = publication.width_px;
    info.height = publication.height_px;
    info.source = source_number(publication.source);
    info.stream.clone_from(&publication.stream);
    if info.stream.is_empty() {
        info.stream = stream_of(publication.source).to_owned();
    }
    info.layers = publication.layers.iter().map(layer).collect();
    info.simulcast = info.layers.len() > 1;
    if let Some(mid) = &publication.mid {
        info.mid.clone_from(mid);
    }
    if let Some(codec) = publication.codec {
        codec.mime().clone_into(&mut info.mime_type);
    }
    if info.codecs.is_empty() {
        info.codecs.push(proto::SimulcastCodecInfo {
            cid: publication.client_id.clone(),
            video_layer_mode: proto::video_layer::Mode::OneSpatialLayerPerStream as i32,
            ..proto::SimulcastCodecInfo::default()
        });
    }
    if let Some(first) = info.codecs.first_mut() {
        first.layers.clone_from(&info.layers);
        if publication.codec.is_some() {
            first.mime_type.clone_from(&info.mime_type);
        }
        first.mid.clone_from(&info.mid);
    }
    info
}

/// What a publisher asked for beyond what the core understands.
#[expect(
    deprecated,
    reason = "older clients write the fields that newer ones replaced"
)]
pub(crate) fn track_annotation(request: &proto::AddTrackRequest) -> Bytes {
    use proto::AudioTrackFeature as Feature;
    let mut features = deduplicated(&request.audio_features);
    for (asked, feature) in [
        (request.stereo, Feature::TfStereo),
        (request.disable_dtx, Feature::TfNoDtx),
    ] {
        if asked && !features.contains(&(feature as i32)) {
            features.push(feature as i32);
        }
    }
    let audio = request.r#type == proto::TrackType::Audio as i32;
    let regression = proto::BackupCodecPolicy::Regression as i32;
    let template = proto::TrackInfo {
        stereo: features.contains(&(Feature::TfStereo as i32)),
        disable_dtx: features.contains(&(Feature::TfNoDtx as i32)),
        audio_features: features,
        disable_red: request.disable_red,
        encryption: request.encryption,
        backup_codec_policy: if audio && request.backup_codec_policy != regression {
            proto::BackupCodecPolicy::Simulcast as i32
        } else {
            request.backup_codec_policy
        },
        packet_trailer_features: deduplicated(&request.packet_trailer_features),
        codecs: codecs_asked(request),
        ..proto::TrackInfo::default()
    };
    Bytes::from(template.encode_to_vec())
}

/// The annotation with other audio features in it.
#[expect(
    deprecated,
    reason = "older clients read the fields that newer ones replaced"
)]
pub(crate) fn with_features(annotation: &Bytes, features: &[i32]) -> Bytes {
    use proto::AudioTrackFeature as Feature;
    let mut template = proto::TrackInfo::decode(annotation.clone()).unwrap_or_default();
    template.audio_features = deduplicated(features);
    template.stereo = features.contains(&(Feature::TfStereo as i32));
    template.disable_dtx = features.contains(&(Feature::TfNoDtx as i32));
    Bytes::from(template.encode_to_vec())
}

/// The annotation with further codecs ("backup codecs") in it.
pub(crate) fn with_codecs(annotation: &Bytes, request: &proto::AddTrackRequest) -> Bytes {
    let mut template = proto::TrackInfo::decode(annotation.clone()).unwrap_or_default();
    for codec in codecs_asked(request) {
        let known = template
            .codecs
            .iter()
            .position(|known| known.mime_type.eq_ignore_ascii_case(&codec.mime_type));
        if let Some(known) = known.and_then(|place| template.codecs.get_mut(place)) {
            known.cid = codec.cid;
        } else if template.codecs.len() < ROOM_CODECS.len() {
            template.codecs.push(codec);
        }
    }
    Bytes::from(template.encode_to_vec())
}

fn codecs_asked(request: &proto::AddTrackRequest) -> Vec<proto::SimulcastCodecInfo> {
    use proto::video_layer::Mode;
    let video = request.r#type == proto::TrackType::Video as i32;
    let mut codecs: Vec<proto::SimulcastCodecInfo> = Vec::new();
    for asked in request.simulcast_codecs.iter().take(ROOM_CODECS.len()) {
        let mime_type = mime_of(&asked.codec, video);
        if mime_type.is_empty() || codecs.iter().any(|codec| codec.mime_type == mime_type) {
            continue;
        }
        let svc = matches!(mime_type.as_str(), "video/VP9" | "video/AV1");
        let mode = match asked.video_layer_mode() {
            Mode::Unused if svc => Mode::MultipleSpatialLayersPerStream,
            Mode::Unused => Mode::OneSpatialLayerPerStream,
            given @ (Mode::OneSpatialLayerPerStream
            | Mode::MultipleSpatialLayersPerStream
            | Mode::OneSpatialLayerPerStreamIncompleteRtcpSr) => given,
        };
        codecs.push(proto::SimulcastCodecInfo {
            mime_type,
            cid: asked.cid.clone(),
            layers: asked.layers.clone(),
            video_layer_mode: mode as i32,
            ..proto::SimulcastCodecInfo::default()
        });
    }
    if codecs.is_empty() {
        codecs.push(proto::SimulcastCodecInfo {
            cid: request.cid.clone(),
            layers: request.layers.clone(),
            video_layer_mode: Mode::OneSpatialLayerPerStream as i32,
            ..proto::SimulcastCodecInfo::default()
        });
    }
    codecs
}

/// `vp8`, `VP8`, `video/vp8` … as we write it; a codec that we do not take becomes the one that everybody has.
fn mime_of(name: &str, video: bool) -> String {
    if name.is_empty() {
        return String::new();
    }
    let short = name.rsplit('/').next().unwrap_or(name);
    let found = ROOM_CODECS.iter().map(|codec| codec.mime()).find(|mime| {
        mime.rsplit('/')
            .next()
            .is_some_and(|known| known.eq_ignore_ascii_case(short))
    });
    let fallback = if video { "video/VP8" } else { "audio/opus" };
    found.unwrap_or(fallback).to_owned()
}

fn layer(layer: &LayerInfo) -> proto::VideoLayer {
    proto::VideoLayer {
        quality: i32::from(layer.quality.min(2)),
        width: layer.width_px,
        height: layer.height_px,
        bitrate: layer.bitrate_bps,
        spatial_layer: i32::from(layer.quality.min(2)),
        rid: layer.rid.clone().unwrap_or_default(),
        ..proto::VideoLayer::default()
    }
}

/// The codec that the client means to send first; for audio its own order counts.
pub(crate) fn codec_asked(request: &proto::AddTrackRequest) -> Option<Codec> {
    let video = request.r#type == proto::TrackType::Video as i32;
    let asked = request.simulcast_codecs.first().filter(|_| video)?;
    let mime = mime_of(&asked.codec, video);
    ROOM_CODECS.into_iter().find(|codec| codec.mime() == mime)
}

pub(crate) fn layers_asked(request: &proto::AddTrackRequest) -> Vec<LayerInfo> {
    let layers = match request.simulcast_codecs.first() {
        Some(codec) if !codec.layers.is_empty() => &codec.layers,
        Some(_) | None => &request.layers,
    };
    layers
        .iter()
        .take(8)
        .map(|layer| LayerInfo {
            quality: u8::try_from(layer.quality.clamp(0, 2)).expect("at most 2"),
            rid: (!layer.rid.is_empty()).then(|| layer.rid.clone()),
            width_px: layer.width,
            height_px: layer.height,
            bitrate_bps: layer.bitrate,
        })
        .collect()
}

pub(crate) fn data_track(channel: &ChannelInfo) -> proto::DataTrackInfo {
    let mut info = proto::DataTrackInfo::decode(channel.annotation.clone()).unwrap_or_default();
    info.pub_handle = u32::from(channel.handle);
    info.sid = data_track_sid(channel.id);
    info.name.clone_from(&channel.name);
    info
}

/// Data tracks have a prefix of their own: `DTR_`.
pub(crate) fn data_track_sid(id: TrackId) -> String {
    format!("D{id}")
}

pub(crate) fn data_track_of(sid: &str) -> Option<TrackId> {
    sid.strip_prefix('D')?.parse().ok()
}

pub(crate) fn track_of(sid: &str) -> Option<TrackId> {
    sid.parse().ok()
}

pub(crate) fn source_number(source: Source) -> i32 {
    (match source {
        Source::Unknown => proto::TrackSource::Unknown,
        Source::Camera => proto::TrackSource::Camera,
        Source::Microphone => proto::TrackSource::Microphone,
        Source::ScreenShare => proto::TrackSource::ScreenShare,
        Source::ScreenShareAudio => proto::TrackSource::ScreenShareAudio,
    }) as i32
}

pub(crate) fn source_of(number: i32) -> Source {
    match proto::TrackSource::try_from(number) {
        Ok(proto::TrackSource::Camera) => Source::Camera,
        Ok(proto::TrackSource::Microphone) => Source::Microphone,
        Ok(proto::TrackSource::ScreenShare) => Source::ScreenShare,
        Ok(proto::TrackSource::ScreenShareAudio) => Source::ScreenShareAudio,
        Ok(proto::TrackSource::Unknown) | Err(_) => Source::Unknown,
    }
}

/// Camera and microphone play together, and so do a screen and its sound.
pub(crate) fn stream_of(source: Source) -> &'static str {
    match source {
        Source::Camera | Source::Microphone => "camera",
        Source::ScreenShare | Source::ScreenShareAudio => "screen",
        Source::Unknown => "unknown",
    }
}

pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn deduplicated(numbers: &[i32]) -> Vec<i32> {
    let mut seen = Vec::new();
    for number in numbers.iter().take(16) {
        if !seen.contains(number) {
            seen.push(*number);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
