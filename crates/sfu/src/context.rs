//! What every step of the core may touch besides the room it works on.

use std::collections::VecDeque;

use crate::api::{
    DataMessage, Entropy, Event, LeaveReason, Now, PeerId, RoomId, ShardId, ShardSet,
};
use crate::connection::Shared;
use crate::connections::Connections;
use crate::counters::Counters;
use crate::forwarder::Start;
use crate::io::{Config, Route, Transmits};
use crate::link::{LinkBody, LinkMessage};

/// Queues towards the server, drained after every flush.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: Transmits,
    pub(crate) events: VecDeque<(PeerId, Event)>,
    pub(crate) links: VecDeque<(ShardId, LinkMessage)>,
    pub(crate) routes: VecDeque<Route>,
}

impl Outbox {
    pub(crate) fn tell(&mut self, peer: PeerId, event: Event) {
        self.events.push_back((peer, event));
    }
}

/// Peers whose stay must end for a reason that was found while their room was being worked on.
pub(crate) type Leaving = Vec<(PeerId, LeaveReason)>;

pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a Config,
    pub(crate) shared: &'a Shared,
    pub(crate) entropy: &'a mut dyn Entropy,
    pub(crate) counters: &'a mut Counters,
    pub(crate) connections: &'a mut Connections,
    pub(crate) out: &'a mut Outbox,
    pub(crate) leaving: &'a mut Leaving,
}

impl Context<'_> {
    pub(crate) fn event(&mut self, peer: PeerId, event: Event) {
        self.out.events.push_back((peer, event));
    }

    pub(crate) fn link(&mut self, to: ShardId, room: RoomId, body: LinkBody) {
        self.counters.link_messages_out += 1;
        self.out.links.push_back((to, LinkMessage { room, body }));
    }

    pub(crate) fn link_all(&mut self, to: ShardSet, room: RoomId, body: &LinkBody) {
        for shard in to.iter() {
            self.link(shard, room, body.clone());
        }
    }

    /// Where a new outgoing stream's numbers begin: random (RFC 3550 §5.1), and in the lower half so that the receiver's
    /// rollover counter starts at zero for certain (RFC 3711 §3.3.1).
    pub(crate) fn start(&mut self) -> Start {
        let random = self.entropy.next_u64().to_le_bytes();
        let [a, b, c, d, e, f, g, h] = random;
        Start {
            seq: u16::from_le_bytes([a, b]) & 0x7fff,
            time: u32::from_le_bytes([c, d, e, f]),
            picture_id: u16::from_le_bytes([g, h]) & 0x7fff,
            tl0_pic_idx: h,
        }
    }

    pub(crate) fn count_data_drop(&mut self, message: &DataMessage) {
        self.counters.data_dropped += 1;
        tracing::debug!(label = %message.label, bytes = message.payload.len(), "data dropped");
    }
}
