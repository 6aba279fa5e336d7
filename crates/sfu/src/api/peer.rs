use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Identity, PeerId, RoomId, RoomName, ShardId, TrackId};

/// A room as its members see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    pub id: RoomId,
    pub name: RoomName,
    pub metadata: String,
    pub created_wall_ms: u64,
    /// None: no limit of its own.
    pub peers_max: Option<u32>,
    /// How long an empty room is kept, and a room whose last member has left.
    pub empty_timeout_s: u32,
    pub departure_timeout_s: u32,
}

/// What kind of member; dialects number them, the core only carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerKind(pub u8);

/// What a peer may do. Decided before the core by its token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a separate right that a token grants"
)]
pub struct Grant {
    pub publish: bool,
    pub subscribe: bool,
    pub publish_data: bool,
    /// Which sources may be published; None: all.
    pub sources: Option<SourceSet>,
    pub update_own_metadata: bool,
    /// Not shown to others.
    pub hidden: bool,
    pub recorder: bool,
    pub agent: bool,
    pub admin: bool,
    pub subscribe_metrics: bool,
}

impl Grant {
    pub fn everything() -> Self {
        Self {
            publish: true,
            subscribe: true,
            publish_data: true,
            sources: None,
            update_own_metadata: true,
            hidden: false,
            recorder: false,
            agent: false,
            admin: false,
            subscribe_metrics: false,
        }
    }

    pub fn may_publish(&self, source: Source) -> bool {
        self.publish && self.sources.is_none_or(|set| set.contains(source))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    Audio,
    Video,
}

/// What is being captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Source {
    #[default]
    Unknown,
    Camera,
    Microphone,
    ScreenShare,
    ScreenShareAudio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceSet(u8);

impl SourceSet {
    pub fn insert(&mut self, source: Source) {
        self.0 |= 1 << source as u8;
    }

    pub fn contains(&self, source: Source) -> bool {
        self.0 & (1 << source as u8) != 0
    }

    pub fn iter(&self) -> impl Iterator<Item = Source> + use<> {
        let set = *self;
        [
            Source::Unknown,
            Source::Camera,
            Source::Microphone,
            Source::ScreenShare,
            Source::ScreenShareAudio,
        ]
        .into_iter()
        .filter(move |source| set.contains(*source))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    Opus,
    /// RFC 2198 around Opus.
    Red,
    Pcmu,
    Pcma,
    Vp8,
    Vp9,
    H264,
    Av1,
}

impl Codec {
    /// As in `a=rtpmap`, with the kind in front: `video/VP8`.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Red => "audio/red",
            Self::Pcmu => "audio/PCMU",
            Self::Pcma => "audio/PCMA",
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
            Self::Av1 => "video/AV1",
        }
    }

    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Red | Self::Pcmu | Self::Pcma => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => MediaKind::Video,
        }
    }

    /// RTP clock (RFC 7587 §4.1, RFC 7741 §4, …).
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Opus | Self::Red => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1 => 90_000,
        }
    }
}

/// One encoding of a publication, lowest picture first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerInfo {
    /// Quality as viewers ask for it: 0 low, 1 medium, 2 high.
    pub quality: u8,
    pub rid: Option<String>,
    pub width_px: u32,
    pub height_px: u32,
    pub bitrate_bps: u32,
}

/// A track as it is announced to the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub id: TrackId,
    /// What the publisher's own program calls it: the track id of its `a=msid`.
    pub client_id: String,
    pub kind: MediaKind,
    pub source: Source,
    pub name: String,
    /// Tracks that play together; empty: by peer.
    pub stream: String,
    pub muted: bool,
    pub width_px: u32,
    pub height_px: u32,
    /// Sorted from the lowest picture to the highest.
    pub layers: Vec<LayerInfo>,
    /// Known once media is negotiated.
    pub codec: Option<Codec>,
    /// The section that carries it up, once negotiated.
    pub mid: Option<String>,
    /// The publisher's dialect keeps here what only its own kind understands.
    pub annotation: Bytes,
}

/// An application data stream with a number of its own ("data track"), as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    pub id: TrackId,
    pub name: String,
    /// The publisher's own number for it.
    pub handle: u16,
    pub annotation: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerPhase {
    /// Signalling is up, no media path yet.
    Joined,
    /// Its main connection is up.
    Active,
    Gone,
}

/// Why a peer's stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// It said so itself.
    Own,
    /// The same identity joined again.
    Duplicate,
    Removed,
    RoomDeleted,
    /// The server is going down.
    Shutdown,
    /// Its signalling went away and did not come back in time.
    SignallingLost,
    /// Its media path never came up, or broke and did not come back.
    ConnectionLost,
    /// It did not read what it was sent.
    TooSlow,
    /// A bug of ours ended it; counted.
    Fault,
}

/// A member as others see it. `version` grows with every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    pub id: PeerId,
    pub identity: Identity,
    pub name: String,
    pub metadata: String,
    pub attributes: BTreeMap<String, String>,
    pub kind: PeerKind,
    pub grant: Grant,
    pub phase: PeerPhase,
    pub joined_wall_ms: u64,
    pub version: u32,
    pub shard: ShardId,
    /// In the order of publishing.
    pub publications: Vec<Arc<Publication>>,
    pub channels: Vec<ChannelInfo>,
    /// The peer's dialect keeps here what only its own kind understands.
    pub annotation: Bytes,
}

impl PeerInfo {
    pub fn publication(&self, track: TrackId) -> Option<&Arc<Publication>> {
        self.publications
            .iter()
            .find(|publication| publication.id == track)
    }
}
