//! The session API: everything a dialect can ask of the media core and everything the core can tell it.
//!
//! Plain data only. A dialect turns its own words into a [`Request`], and an [`Event`] back into its own words. Both
//! enums are closed: a new variant must be decided in every dialect.

mod event;
mod ids;
mod peer;
mod request;

pub use event::{
    Event, LayerWish, Quality, QualityReport, Refusal, RequestKind, RoomState, SectionMap, Speaker,
};
pub use ids::{
    ConnectionKey, DataForm, IdTextError, Identity, PeerId, RoomId, RoomName, ShardId, ShardSet,
    TrackId,
};
pub use peer::{
    ChannelInfo, Codec, Grant, LayerInfo, LeaveReason, MediaKind, PeerInfo, PeerKind, PeerPhase,
    Publication, RoomInfo, Source, SourceSet,
};
pub use request::{
    Allowance, ChannelSpec, ConnectionOptions, DataMessage, Join, MsidStyle, Offerer, PlainData,
    Preference, Publish, Recipients, Request, Update, UpdatePublication,
};

use std::time::{Duration, Instant};

/// The time at which something is handled: monotonic for timers, wall for what is shown to people and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub instant: Instant,
    /// Since the Unix epoch.
    pub wall: Duration,
}

impl Now {
    pub fn wall_ms(&self) -> u64 {
        u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Where randomness comes from. The server seeds it from the operating system, a simulation from its seed.
pub trait Entropy: Send {
    fn fill(&mut self, bytes: &mut [u8]);

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
