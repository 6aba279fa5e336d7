//! What transcripts talk about: members and tracks with names, and the core's words for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use madang_sfu::api::{
    ChannelInfo, Codec, Grant, Identity, Join, LayerInfo, LeaveReason, MediaKind, Now, PeerId,
    PeerInfo, PeerKind, PeerPhase, Publication, Publish, Recipients, Request, RoomId, RoomInfo,
    RoomName, ShardId, Source, TrackId,
};

/// 2026-11-20T00:00:00Z.
const EPOCH_S: u64 = 1_795_132_800;

pub(crate) struct World {
    start: Instant,
    elapsed: Duration,
    pub(crate) room: Arc<RoomInfo>,
    pub(crate) peers: BTreeMap<String, PeerInfo>,
    tracks: BTreeMap<String, TrackId>,
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant has to come from somewhere; all others are counted from it"
    )]
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed: Duration::ZERO,
            room: Arc::new(RoomInfo {
                id: RoomId(7),
                name: RoomName::new("yard"),
                metadata: String::new(),
                created_wall_ms: EPOCH_S * 1000,
                peers_max: None,
                empty_timeout_s: 300,
                departure_timeout_s: 20,
            }),
            peers: BTreeMap::new(),
            tracks: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            instant: self.start + self.elapsed,
            wall: Duration::from_secs(EPOCH_S) + self.elapsed,
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.elapsed += time;
    }

    pub(crate) fn time_of(&self, instant: Instant) -> Duration {
        instant.duration_since(self.start)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    pub(crate) fn peer_id(name: &str) -> PeerId {
        let number = name.bytes().fold(0_u64, |sum, byte| {
            sum.wrapping_mul(251).wrapping_add(u64::from(byte))
        });
        PeerId(number)
    }

    /// A member as it is when it is first spoken of.
    pub(crate) fn peer(&mut self, name: &str) -> &mut PeerInfo {
        let joined_wall_ms = self.now().wall_ms();
        self.peers
            .entry(name.to_owned())
            .or_insert_with(|| PeerInfo {
                id: Self::peer_id(name),
                // `bob2` is Bob come again.
                identity: Identity::new(name.trim_end_matches('2')),
                name: String::new(),
                metadata: String::new(),
                attributes: BTreeMap::new(),
                kind: PeerKind::default(),
                grant: Grant {
                    update_own_metadata: false,
                    ..Grant::everything()
                },
                phase: PeerPhase::Joined,
                joined_wall_ms,
                version: 1,
                shard: ShardId(0),
                publications: Vec::new(),
                channels: Vec::new(),
                annotation: Bytes::new(),
            })
    }

    /// A session's own member is what it asked to be.
    pub(crate) fn entered(&mut self, name: &str, join: &Join) {
        let peer = self.peer(name);
        peer.name.clone_from(&join.name);
        peer.metadata.clone_from(&join.metadata);
        peer.attributes.clone_from(&join.attributes);
        peer.kind = join.kind;
        peer.grant = join.grant.clone();
        peer.annotation = join.annotation.clone();
    }

    pub(crate) fn track(&mut self, name: &str) -> TrackId {
        let next = TrackId(100 + u64::try_from(self.tracks.len()).expect("few"));
        *self.tracks.entry(name.to_owned()).or_insert(next)
    }

    /// `name=Bob`, `active`, `hidden`, `+mic:audio`, `-mic`, `+chan~data:5` …
    pub(crate) fn change(&mut self, name: &str, changes: &[&str]) {
        self.peer(name);
        for change in changes {
            self.change_one(name, change);
        }
    }

    fn change_one(&mut self, name: &str, change: &str) {
        if let Some(track) = change.strip_prefix('+') {
            self.add(name, track);
            return;
        }
        if let Some(track) = change.strip_prefix('-') {
            let id = self.track(track);
            let peer = self.peer(name);
            peer.publications.retain(|publication| publication.id != id);
            peer.channels.retain(|channel| channel.id != id);
            return;
        }
        if let Some(track) = change.strip_prefix("mute:") {
            let id = self.track(track);
            for publication in &mut self.peer(name).publications {
                if publication.id == id {
                    Arc::make_mut(publication).muted = true;
                }
            }
            return;
        }
        let peer = self.peer(name);
        let (key, value) = change.split_once('=').unwrap_or((change, ""));
        match key {
            "name" => peer.name = value.to_owned(),
            "metadata" => peer.metadata = value.to_owned(),
            "version" => peer.version = value.parse().expect("a number"),
            "active" => peer.phase = PeerPhase::Active,
            "gone" => peer.phase = PeerPhase::Gone,
            "hidden" => peer.grant.hidden = true,
            "agent" => peer.grant.agent = true,
            "updates" => peer.grant.update_own_metadata = true,
            "metrics" => peer.grant.subscribe_metrics = true,
            "no-publish" => peer.grant.publish = false,
            "no-data" => peer.grant.publish_data = false,
            _ => {
                let key = key.strip_prefix('@').expect("an attribute or a known word");
                if value.is_empty() {
                    peer.attributes.remove(key);
                } else {
                    peer.attributes.insert(key.to_owned(), value.to_owned());
                }
            }
        }
    }

    /// `mic:audio`, `cam:video:VP8`, `chan:data:5`.
    fn add(&mut self, name: &str, track: &str) {
        let mut parts = track.split(':');
        let alias = parts.next().expect("a name");
        let kind = parts.next().expect("a kind");
        let rest = parts.next();
        let id = self.track(alias);
        if kind == "data" {
            let handle = rest.expect("a handle").parse().expect("a number");
            let channel = ChannelInfo {
                id,
                name: alias.to_owned(),
                handle,
                annotation: Bytes::new(),
            };
            self.peer(name).channels.push(channel);
            return;
        }
        let mut publication = publication(id, alias, kind);
        publication.mid = Some("0".to_owned());
        if kind == "video" {
            publication.codec = Some(Codec::Vp8);
        }
        self.peer(name).publications.push(Arc::new(publication));
    }

    pub(crate) fn info(&mut self, name: &str) -> Arc<PeerInfo> {
        Arc::new(self.peer(name).clone())
    }

    pub(crate) fn infos(&mut self, names: &[&str]) -> Vec<Arc<PeerInfo>> {
        names.iter().map(|name| self.info(name)).collect()
    }

    /// `{bob}` → `PA_…`, `{mic}` → `TR_…`.
    pub(crate) fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for name in self.peers.keys() {
            text = text.replace(&format!("{{{name}}}"), &Self::peer_id(name).to_string());
        }
        for (name, id) in &self.tracks {
            text = text.replace(&format!("{{{name}}}"), &id.to_string());
        }
        text.replace("{yard}", &self.room.id.to_string())
    }

    /// The other way.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for name in self.peers.keys() {
            text = text.replace(&Self::peer_id(name).to_string(), &format!("{{{name}}}"));
        }
        for (name, id) in &self.tracks {
            text = text.replace(&id.to_string(), &format!("{{{name}}}"));
        }
        text.replace(&self.room.id.to_string(), "{yard}")
    }
}

fn publication(id: TrackId, client_id: &str, kind: &str) -> Publication {
    let kind = match kind {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        other => panic!("{other} is no kind"),
    };
    Publication {
        id,
        client_id: client_id.to_owned(),
        kind,
        source: match kind {
            MediaKind::Audio => Source::Microphone,
            MediaKind::Video => Source::Camera,
        },
        name: String::new(),
        stream: String::new(),
        muted: false,
        width_px: 0,
        height_px: 0,
        layers: Vec::new(),
        codec: None,
        mid: None,
        annotation: Bytes::new(),
    }
}

/// What the core makes of a request to publish.
pub(crate) fn announced(id: TrackId, publish: &Publish) -> Publication {
    Publication {
        id,
        client_id: publish.client_id.clone(),
        kind: publish.kind,
        source: publish.source,
        name: publish.name.clone(),
        stream: publish.stream.clone(),
        muted: publish.muted,
        width_px: publish.width_px,
        height_px: publish.height_px,
        layers: publish.layers.clone(),
        codec: None,
        mid: None,
        annotation: publish.annotation.clone(),
    }
}

pub(crate) fn reason(word: &str) -> LeaveReason {
    match word {
        "own" => LeaveReason::Own,
        "duplicate" => LeaveReason::Duplicate,
        "removed" => LeaveReason::Removed,
        "room-deleted" => LeaveReason::RoomDeleted,
        "shutdown" => LeaveReason::Shutdown,
        "signalling-lost" => LeaveReason::SignallingLost,
        "connection-lost" => LeaveReason::ConnectionLost,
        "too-slow" => LeaveReason::TooSlow,
        "fault" => LeaveReason::Fault,
        other => panic!("{other} is no reason"),
    }
}

/// A request in few words.
#[expect(clippy::too_many_lines, reason = "one arm for each request")]
pub(crate) fn said(request: &Request) -> String {
    match request {
        Request::Join(join) => {
            let flags = [
                (join.auto_subscribe, "auto-subscribe"),
                (join.grant.hidden, "hidden"),
                (!join.grant.publish, "no-publish"),
                (!join.grant.subscribe, "no-subscribe"),
                (!join.grant.publish_data, "no-data"),
                (join.grant.update_own_metadata, "updates"),
            ];
            let room = join.room.name.as_str();
            with_flags(format!("join {} {}", room, join.identity), &flags)
        }
        Request::Open {
            connection,
            options,
        } => {
            let flags = [
                (options.publish, "publish"),
                (options.subscribe, "subscribe"),
                (options.primary, "primary"),
            ];
            let labels = options.channels.iter().map(|channel| {
                let lossy = channel.retransmits_max.is_some() && !channel.ordered;
                format!(" {}{}", channel.label, if lossy { "(lossy)" } else { "" })
            });
            let labels: String = labels.collect();
            let offerer = format!("{:?}", options.offerer).to_lowercase();
            with_flags(format!("open {} by {offerer}", connection.0), &flags) + &labels
        }
        Request::Offer {
            connection,
            sdp,
            number,
        } => format!("offer {} #{number} {sdp}", connection.0),
        Request::Answer {
            connection,
            sdp,
            number,
        } => format!("answer {} #{number} {sdp}", connection.0),
        Request::Candidate {
            connection,
            candidate,
        } => format!("candidate {} {candidate}", connection.0),
        Request::Restart { connection } => format!("restart {}", connection.0),
        Request::Close { connection } => format!("close {}", connection.0),
        Request::Publish(publish) => said_publish(publish),
        Request::Unpublish { track } => format!("unpublish {track}"),
        Request::Mute { track, muted } => format!("mute {track} {muted}"),
        Request::UpdatePublication(update) => {
            let size = update.size_px.map(|(w, h)| format!(" {w}x{h}"));
            let annotation = update.annotation.as_ref().map(|_| " annotation");
            let size = size.unwrap_or_default();
            format!("update {}{size}{}", update.track, annotation.unwrap_or(""))
        }
        Request::Subscribe { tracks, .. } => format!("subscribe {tracks:?}"),
        Request::Unsubscribe { tracks } => format!("unsubscribe {tracks:?}"),
        Request::Prefer { track, preference } => {
            let mut text = format!("prefer {track}");
            if !preference.enabled {
                text += " off";
            }
            if let Some(quality) = preference.quality {
                text += &format!(" quality {quality}");
            }
            if let Some((w, h)) = preference.size_px {
                text += &format!(" {w}x{h}");
            }
            if let Some(fps) = preference.fps {
                text += &format!(" {fps}fps");
            }
            text
        }
        Request::Allow(allowance) => {
            let everybody = allowance.everybody;
            let peers: Vec<_> = allowance
                .peers
                .iter()
                .map(|(identity, tracks)| format!(" {identity}: {tracks:?}"))
                .collect();
            format!("allow everybody={everybody}{}", peers.concat())
        }
        Request::Data(message) => {
            let to = match &message.to {
                Recipients::Others => "others".to_owned(),
                Recipients::Identities(identities) => format!("{identities:?}"),
                Recipients::Peers(peers) => format!("{peers:?}"),
            };
            let translate = if message.translate { " translate" } else { "" };
            format!(
                "data {} to {to}{translate} {}",
                message.label,
                payload(&message.label, &message.payload)
            )
        }
        Request::Send {
            label, payload: p, ..
        } => format!("send {label} {}", payload(label, p)),
        Request::Channels(channels) => {
            let channels = channels.iter();
            let each: Vec<_> = channels
                .map(|c| format!(" {}:{}", c.name, c.handle))
                .collect();
            format!("channels{}", each.concat())
        }
        Request::Update(update) => {
            let mut text = "update".to_owned();
            for (key, value) in [("name", &update.name), ("metadata", &update.metadata)] {
                if let Some(value) = value {
                    text += &format!(" {key}={value}");
                }
            }
            for (key, value) in &update.attributes {
                text += &format!(" @{key}={value}");
            }
            text
        }
        Request::UpdateRoom(room) => format!("room {}", room.metadata),
        Request::Resync => "resync".to_owned(),
        Request::Remove { reason } => format!("remove {reason:?}"),
        Request::Leave => "leave".to_owned(),
    }
}

fn said_publish(publish: &Publish) -> String {
    let flags = [
        (publish.muted, "muted"),
        (publish.stereo, "stereo"),
        (publish.no_dtx, "no-dtx"),
    ];
    let layers = publish.layers.iter().map(|layer: &LayerInfo| {
        let rid = layer.rid.clone().unwrap_or_default();
        format!(
            " {rid}{}={}x{}",
            layer.quality, layer.width_px, layer.height_px
        )
    });
    let layers: String = layers.collect();
    let mut kind = format!("{:?} {:?}", publish.kind, publish.source).to_lowercase();
    if let Some(codec) = publish.codec {
        kind += &format!(" {}", codec.mime());
    }
    with_flags(format!("publish {} {kind}", publish.client_id), &flags) + &layers
}

fn with_flags(text: String, flags: &[(bool, &str)]) -> String {
    let set = flags.iter().filter(|(set, _)| *set);
    set.fold(text, |text, (_, flag)| format!("{text} {flag}"))
}

/// Packets as JSON, frames of data tracks as hexadecimal digits.
fn payload(label: &str, payload: &[u8]) -> String {
    use livekit_protocol::DataPacket;
    use prost::Message as _;
    if label == "_data_track" {
        return payload.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    let packet = DataPacket::decode(payload).expect("what we write is a packet");
    serde_json::to_value(&packet)
        .expect("has a JSON form")
        .to_string()
}
