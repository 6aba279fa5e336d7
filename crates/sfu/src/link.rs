//! What shards tell each other about a room that they share. Every shard with members holds a replica: its own peers
//! with their connections, and the others' as they were told. Messages between two shards arrive in order.

use std::sync::Arc;

use crate::api::{
    Allowance, DataMessage, LeaveReason, PeerId, PeerInfo, QualityReport, RoomId, RoomInfo,
    Speaker, TrackId,
};
use crate::packet::{LayerIndex, TrackPacket};

#[derive(Debug, Clone)]
pub struct LinkMessage {
    pub room: RoomId,
    pub body: LinkBody,
}

/// Encodings of a track, a bit per layer index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    pub wanted: u8,
    /// To be sent too, as what is wanted does not come: which of them comes in its place can only be seen from packets. The
    /// publisher is not told to make them.
    pub instead: u8,
}

impl Wants {
    pub(crate) fn are_none(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn contain(self, encoding: LayerIndex) -> bool {
        (self.wanted | self.instead) & encoding.bit() != 0
    }
}

#[derive(Debug, Clone)]
pub enum LinkBody {
    /// "I hold a replica of this room, and these are my own peers": answered by `State` with the receiver's.
    Hello {
        room: Arc<RoomInfo>,
        peers: Vec<(Arc<PeerInfo>, Arc<Allowance>)>,
    },
    State {
        room: Arc<RoomInfo>,
        peers: Vec<(Arc<PeerInfo>, Arc<Allowance>)>,
    },
    /// New or changed.
    Peer(Arc<PeerInfo>),
    PeerLeft {
        peer: PeerId,
        reason: LeaveReason,
    },
    /// The sender's last member left: it wants nothing more.
    Bye,
    Room(Arc<RoomInfo>),
    /// To the publisher's shard: what of the track is wanted here.
    Wanted {
        track: TrackId,
        wants: Wants,
    },
    Keyframe {
        track: TrackId,
        encoding: LayerIndex,
    },
    /// To the subscribers' shards: each packet once, however many subscribe there.
    Packets(Vec<TrackPacket>),
    Speakers(Vec<Speaker>),
    Quality(Vec<QualityReport>),
    Data {
        from: PeerId,
        message: Arc<DataMessage>,
    },
    /// Who may see the publisher's tracks has changed.
    Allowance {
        publisher: PeerId,
        allowance: Arc<Allowance>,
    },
    /// Somebody on the sending shard subscribed to a track of the receiver.
    Watched(TrackId),
}
