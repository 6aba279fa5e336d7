//! Where packets go whose owner is known.

use std::net::SocketAddr;

use madang_sfu::api::{Now, ShardId};
use madang_sfu::{Received, Sfu};

use super::counters::PathCounters;
use super::demux::Owner;
use super::ring::Datagrams;

/// Where a packet goes whose owner is known: our own into the core, others' to what is collected for them.
pub(super) struct Desk<'a> {
    pub(super) own: ShardId,
    pub(super) sfu: &'a mut Sfu,
    pub(super) foreign: &'a mut [Datagrams],
}

pub(super) struct Packet<'a> {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) bytes: &'a [u8],
}

impl Desk<'_> {
    pub(super) fn give(
        &mut self,
        now: Now,
        owner: Owner,
        packet: &Packet<'_>,
        counters: &mut PathCounters,
    ) {
        let Packet {
            remote,
            local,
            bytes,
        } = *packet;
        if owner.shard == self.own {
            let slot = owner.slot;
            let received = Received {
                slot,
                remote,
                local: local.into(),
                bytes,
            };
            self.sfu.handle_packet(now, received);
        } else if let Some(batch) = self.foreign.get_mut(usize::from(owner.shard.0)) {
            counters.handed_over += 1;
            let stun = bytes.first().is_some_and(|first| *first <= 3);
            batch.push(owner.slot, remote, local, stun, bytes);
        }
    }
}
