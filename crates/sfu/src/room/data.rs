//! Application data between peers.

use std::sync::Arc;

use bytes::Bytes;

use crate::api::{
    DataMessage, Event, Identity, LeaveReason, PeerId, Recipients, Refusal, RequestKind, ShardSet,
};
use crate::context::Context;
use crate::io::Slot;
use crate::link::LinkBody;

use super::{Room, Seat};

impl Room {
    /// From a local peer (or from the server in its name) to others.
    pub(crate) fn data(
        &mut self,
        from: PeerId,
        message: DataMessage,
        cx: &mut Context<'_>,
    ) -> Result<(), (RequestKind, Refusal)> {
        let Some(info) = self.info_of(from) else {
            return Ok(());
        };
        if message.from_peer && !info.grant.publish_data {
            cx.count_data_drop(&message);
            return Err((RequestKind::Data, Refusal::NotAllowed));
        }
        cx.counters.data_in += 1;
        let message = Arc::new(message);
        self.deliver(from, &message, cx);
        for shard in self.shards_of(from, &message.to).iter() {
            cx.link(
                shard,
                self.id(),
                LinkBody::Data {
                    from,
                    message: Arc::clone(&message),
                },
            );
        }
        Ok(())
    }

    /// To the recipients on this shard.
    pub(super) fn deliver(&mut self, from: PeerId, message: &DataMessage, cx: &mut Context<'_>) {
        let identity = self
            .info_of(from)
            .map_or_else(|| Identity::new(""), |info| info.identity.clone());
        for peer in self.local_ids() {
            if !self.is_recipient(peer, from, &message.to) {
                continue;
            }
            let same_form = self
                .local(peer)
                .is_some_and(|local| local.form == message.form);
            if same_form && !message.translate {
                let payload = message.payload.clone();
                self.send_to(
                    peer,
                    &message.label,
                    message.reliable,
                    message.binary,
                    payload,
                    cx,
                );
            } else {
                cx.event(
                    peer,
                    Event::Data {
                        from,
                        identity: identity.clone(),
                        label: Arc::clone(&message.label),
                        reliable: message.reliable,
                        binary: message.binary,
                        form: message.form,
                        payload: message.payload.clone(),
                        plain: message.plain.clone(),
                    },
                );
            }
        }
    }

    fn is_recipient(&self, peer: PeerId, from: PeerId, to: &Recipients) -> bool {
        match to {
            Recipients::Others => peer != from,
            Recipients::Peers(peers) => peers.contains(&peer),
            Recipients::Identities(identities) => self
                .info_of(peer)
                .is_some_and(|info| identities.contains(&info.identity)),
        }
    }

    fn shards_of(&self, from: PeerId, to: &Recipients) -> ShardSet {
        self.members
            .iter()
            .filter_map(|(peer, member)| match member.seat {
                Seat::Remote(shard) if self.is_recipient(*peer, from, to) => Some(shard),
                Seat::Remote(_) | Seat::Local(_) => None,
            })
            .collect()
    }

    /// Lossy: now or never. Reliable: in order, and kept until its channel takes it.
    pub(crate) fn send_to(
        &mut self,
        peer: PeerId,
        label: &Arc<str>,
        reliable: bool,
        binary: bool,
        payload: Bytes,
        cx: &mut Context<'_>,
    ) {
        let limit = cx.config.data_queue_bytes_max;
        let Some(local) = self.local_mut(peer) else {
            return;
        };
        let waiting = local
            .queues
            .get(label)
            .is_some_and(|queue| !queue.is_empty());
        if !waiting
            && let Some(slot) = local.channels.get(label).copied()
            && send_now(slot, label, binary, &payload, cx)
        {
            return;
        }
        if !reliable {
            cx.counters.data_dropped += 1;
            return;
        }
        if local.queued_bytes + payload.len() > limit {
            cx.counters.data_dropped += 1;
            if local.channels.contains_key(label) {
                cx.leaving.push((peer, LeaveReason::TooSlow));
            }
            return;
        }
        local.queued_bytes += payload.len();
        local
            .queues
            .entry(Arc::clone(label))
            .or_default()
            .push_back((binary, payload));
    }

    pub(crate) fn channel_open(
        &mut self,
        peer: PeerId,
        slot: Slot,
        label: Arc<str>,
        cx: &mut Context<'_>,
    ) {
        let primary = cx
            .connections
            .get(slot)
            .is_some_and(|entry| entry.options.primary);
        let Some(local) = self.local_mut(peer) else {
            return;
        };
        if primary || !local.channels.contains_key(&label) {
            local.channels.insert(Arc::clone(&label), slot);
        }
        cx.event(peer, Event::ChannelOpen { label });
        self.send_queued(peer, cx);
    }

    /// What waited for it is lost, and counted; what comes later waits until the client opens it again.
    pub(crate) fn channel_closed(
        &mut self,
        peer: PeerId,
        slot: Slot,
        label: &Arc<str>,
        cx: &mut Context<'_>,
    ) {
        let Some(local) = self.local_mut(peer) else {
            return;
        };
        if local.channels.get(label) != Some(&slot) {
            return;
        }
        local.channels.remove(label);
        for (_, payload) in local.queues.remove(label).into_iter().flatten() {
            local.queued_bytes = local.queued_bytes.saturating_sub(payload.len());
            cx.counters.data_dropped += 1;
        }
    }

    pub(crate) fn has_queued(&self, peer: PeerId) -> bool {
        self.local(peer).is_some_and(|local| local.queued_bytes > 0)
    }

    /// Whatever waits and can go.
    pub(crate) fn send_queued(&mut self, peer: PeerId, cx: &mut Context<'_>) {
        let Some(local) = self.local_mut(peer) else {
            return;
        };
        let mut freed = 0;
        for (label, queue) in &mut local.queues {
            let Some(slot) = local.channels.get(label).copied() else {
                continue;
            };
            while let Some((binary, payload)) = queue.front() {
                if !send_now(slot, label, *binary, payload, cx) {
                    break;
                }
                freed += payload.len();
                queue.pop_front();
            }
        }
        local.queued_bytes = local.queued_bytes.saturating_sub(freed);
        local.queues.retain(|_, queue| !queue.is_empty());
    }
}

fn send_now(slot: Slot, label: &str, binary: bool, payload: &Bytes, cx: &mut Context<'_>) -> bool {
    let Some(entry) = cx.connections.get_mut(slot) else {
        return false;
    };
    let sent = entry
        .guard(|connection| connection.send_data(label, binary, payload))
        .unwrap_or(false);
    if sent {
        cx.counters.data_out += 1;
        cx.connections.mark(slot);
    }
    sent
}
