//! The answers to a join and to a resume.

use std::collections::BTreeSet;

use livekit_protocol as proto;
use madang_sfu::api::{Codec, MediaKind, PeerInfo, RoomInfo};

use super::entry::{Entry, Path};
use super::info::{self, Attendance, ROOM_CODECS};
use super::{IceServer, PING_INTERVAL_S, PING_TIMEOUT_S, PROTOCOL, ServerInfo};

/// From this protocol version on a client takes the connection on which we offer for its main one.
const PROTOCOL_SUBSCRIBER_PRIMARY: i32 = 3;

pub(crate) struct Joining<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) server: &'a ServerInfo,
    pub(crate) ice_servers: &'a [IceServer],
    pub(crate) room: &'a RoomInfo,
    pub(crate) own: &'a PeerInfo,
    pub(crate) others: Vec<&'a PeerInfo>,
}

pub(crate) fn response(joining: &Joining<'_>) -> proto::JoinResponse {
    let &Joining {
        entry,
        server,
        own,
        room,
        ..
    } = joining;
    let attendance = attendance(own, joining.others.iter().copied());
    proto::JoinResponse {
        room: Some(info::room(room, attendance)),
        participant: Some(info::participant(own)),
        other_participants: joining
            .others
            .iter()
            .map(|peer| info::participant(peer))
            .collect(),
        server_version: server.version.clone(),
        ice_servers: ice_servers(joining.ice_servers),
        subscriber_primary: subscriber_primary(entry, own.grant.subscribe),
        client_configuration: configuration(&entry.client),
        server_region: server.region.clone(),
        ping_timeout: PING_TIMEOUT_S,
        ping_interval: PING_INTERVAL_S,
        server_info: Some(server_info(server)),
        sif_trailer: sif_trailer(room),
        enabled_publish_codecs: info::codecs(&publish_codecs(&entry.client)),
        fast_publish: own.grant.publish,
        ..proto::JoinResponse::default()
    }
}

pub(crate) fn subscriber_primary(entry: &Entry, may_subscribe: bool) -> bool {
    entry.path == Path::V0 && entry.protocol >= PROTOCOL_SUBSCRIBER_PRIMARY && may_subscribe
}

pub(crate) fn reconnect_response(
    entry: &Entry,
    server: &ServerInfo,
    servers: &[IceServer],
    last_message_seq: u32,
) -> proto::ReconnectResponse {
    proto::ReconnectResponse {
        ice_servers: ice_servers(servers),
        client_configuration: configuration(&entry.client),
        server_info: Some(server_info(server)),
        last_message_seq,
    }
}

pub(crate) fn attendance<'a>(
    own: &'a PeerInfo,
    others: impl Iterator<Item = &'a PeerInfo>,
) -> Attendance {
    let mut attendance = Attendance::default();
    let own = (!own.grant.hidden).then_some(own);
    for peer in others.chain(own) {
        attendance.peers += 1;
        attendance.publishers += u32::from(!peer.publications.is_empty());
    }
    attendance
}

fn server_info(server: &ServerInfo) -> proto::ServerInfo {
    proto::ServerInfo {
        version: server.version.clone(),
        protocol: PROTOCOL,
        region: server.region.clone(),
        node_id: server.node_id.clone(),
        debug_info: server.debug_info.clone(),
        agent_protocol: 1,
        ..proto::ServerInfo::default()
    }
}

fn ice_servers(servers: &[IceServer]) -> Vec<proto::IceServer> {
    servers
        .iter()
        .map(|server| proto::IceServer {
            urls: server.urls.clone(),
            username: server.username.clone(),
            credential: server.credential.clone(),
        })
        .collect()
}

/// Marks frames that a server puts into an encrypted stream. We put none in, but clients insist on a mark: one per life
/// of a room, 32 characters, made from its random id.
fn sif_trailer(room: &RoomInfo) -> Vec<u8> {
    let mut state = room.id.0;
    (0..4)
        .flat_map(|_| {
            state = mixed(state);
            format!("{state:016x}").into_bytes().into_iter().take(8)
        })
        .collect()
}

/// SplitMix64: spreads one number over all bits.
pub(crate) fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What this client must not send, and what it cannot receive either.
struct Disabled {
    both: BTreeSet<Codec>,
    publish: BTreeSet<Codec>,
}

/// Known defects of browsers.
fn disabled(client: &proto::ClientInfo) -> Disabled {
    let mut both = BTreeSet::new();
    let mut publish = BTreeSet::new();
    let browser = client.browser.to_ascii_lowercase();
    let os = client.os.to_ascii_lowercase();
    if browser == "safari" {
        both.insert(Codec::Av1);
        if newer_than(&client.browser_version, [18, 3]) {
            publish.insert(Codec::Vp9);
        }
    }
    if browser.starts_with("firefox") && (os == "linux" || os == "android") {
        publish.insert(Codec::H264);
    }
    Disabled { both, publish }
}

fn configuration(client: &proto::ClientInfo) -> Option<proto::ClientConfiguration> {
    let disabled = disabled(client);
    if disabled.both.is_empty() && disabled.publish.is_empty() {
        return None;
    }
    let listed =
        |codecs: &BTreeSet<Codec>| info::codecs(&codecs.iter().copied().collect::<Vec<_>>());
    Some(proto::ClientConfiguration {
        disabled_codecs: Some(proto::DisabledCodecs {
            codecs: listed(&disabled.both),
            publish: listed(&disabled.publish),
        }),
        ..proto::ClientConfiguration::default()
    })
}

fn publish_codecs(client: &proto::ClientInfo) -> Vec<Codec> {
    let disabled = disabled(client);
    ROOM_CODECS
        .into_iter()
        .filter(|codec| {
            codec.kind() == MediaKind::Audio
                || !(disabled.both.contains(codec) || disabled.publish.contains(codec))
        })
        .collect()
}

fn newer_than(version: &str, than: [u32; 2]) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let version: [u32; 2] = [parts.next().unwrap_or(0), parts.next().unwrap_or(0)];
    version > than
}

#[cfg(test)]
mod tests;
