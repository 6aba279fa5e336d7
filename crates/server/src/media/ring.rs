//! From shard to shard: a bounded ring for each ordered pair, moving batches. What may be lost is dropped when a ring is
//! full; the rest waits in order before it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use madang_sfu::api::{PeerId, ShardId};
use madang_sfu::{LinkBody, LinkMessage, Slot};
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use tokio::sync::{Notify, futures::Notified};

use super::relay::Run;

/// Parcels in a ring.
pub(crate) const RING_PARCELS_MAX: usize = 1_024;
/// Parcels waiting before a full ring. The other shard stands still, then, and replicas of rooms part if anything is
/// lost: so beyond it we complain, and keep them.
pub(crate) const OVERFLOW_PARCELS_LOUD: usize = 65_536;

#[derive(Debug)]
pub(crate) enum Parcel {
    /// Lossy, as the network they come from.
    Datagrams(Datagrams),
    /// Of these the packets are lossy.
    Links(Vec<LinkMessage>),
    Route(RouteTold),
    /// For clients that the receiver relays for. Lossy.
    Relayed(Runs),
    /// Left its room: what the receiver relays for it ends.
    Left(PeerId),
}

/// The sender owns the connection; datagrams from `remote` that arrive at the receiver's socket are to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteTold {
    pub(crate) remote: SocketAddr,
    pub(crate) slot: Slot,
    pub(crate) known: bool,
}

impl RouteTold {
    pub(crate) fn known(remote: SocketAddr, slot: Slot) -> Self {
        Self {
            remote,
            slot,
            known: true,
        }
    }

    pub(crate) fn gone(remote: SocketAddr, slot: Slot) -> Self {
        Self {
            remote,
            slot,
            known: false,
        }
    }
}

/// Datagrams in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    heads: Vec<Head>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) slot: Slot,
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    /// Its owner may not have told us of this address yet.
    pub(crate) stun: bool,
    length: usize,
}

impl Datagrams {
    pub(crate) fn push(
        &mut self,
        slot: Slot,
        remote: SocketAddr,
        local: SocketAddr,
        stun: bool,
        bytes: &[u8],
    ) {
        self.heads.push(Head {
            slot,
            remote,
            local,
            stun,
            length: bytes.len(),
        });
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Head, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.heads.iter().map(move |head| {
            let (bytes, after) = rest.split_at(head.length);
            rest = after;
            (head, bytes)
        })
    }
}

/// Datagrams to relayed addresses, in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    heads: Vec<RunHead>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct RunHead {
    from: SocketAddr,
    to: SocketAddr,
    segment: Option<usize>,
    count: usize,
    length: usize,
}

impl Runs {
    pub(super) fn push(&mut self, run: &Run<'_>) {
        self.heads.push(RunHead {
            from: run.from,
            to: run.to,
            segment: run.segment,
            count: run.count,
            length: run.contents.len(),
        });
        self.bytes.extend_from_slice(run.contents);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    fn datagrams(&self) -> usize {
        self.heads.iter().map(|head| head.count).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Run<'_>> {
        let mut rest = self.bytes.as_slice();
        self.heads.iter().map(move |head| {
            let (contents, after) = rest.split_at(head.length);
            rest = after;
            Run {
                from: head.from,
                to: head.to,
                contents,
                segment: head.segment,
                count: head.count,
            }
        })
    }
}

/// What a full ring cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lost {
    pub(crate) datagrams: u64,
    pub(crate) packets: u64,
}

/// Our end towards one other shard.
#[derive(Debug)]
pub(crate) struct Outlet {
    to: ShardId,
    ring: Producer<Parcel>,
    overflow: VecDeque<Parcel>,
    wake: Arc<Wake>,
    pushed: bool,
}

impl Outlet {
    /// In order. The other side is woken by [`Outlet::wake`].
    pub(crate) fn push(&mut self, parcel: Parcel) -> Lost {
        self.retry();
        if self.overflow.is_empty() {
            match self.ring.push(parcel) {
                Ok(()) => {
                    self.pushed = true;
                    Lost::default()
                }
                Err(PushError::Full(parcel)) => self.keep(parcel),
            }
        } else {
            self.keep(parcel)
        }
    }

    /// Moves what waited, if there is room now.
    pub(crate) fn retry(&mut self) {
        while let Some(parcel) = self.overflow.pop_front() {
            match self.ring.push(parcel) {
                Ok(()) => self.pushed = true,
                Err(PushError::Full(parcel)) => {
                    self.overflow.push_front(parcel);
                    return;
                }
            }
        }
    }

    /// Costs one load while the other side is awake.
    pub(crate) fn wake(&mut self) {
        if std::mem::take(&mut self.pushed) {
            self.wake.wake();
        }
    }

    pub(crate) fn overflowed(&self) -> usize {
        self.overflow.len()
    }

    fn keep(&mut self, parcel: Parcel) -> Lost {
        let mut lost = Lost::default();
        let kept = match parcel {
            Parcel::Datagrams(datagrams) => {
                lost.datagrams = count(datagrams.len());
                return lost;
            }
            Parcel::Links(mut messages) => {
                messages.retain(|message| {
                    let LinkBody::Packets(packets) = &message.body else {
                        return true;
                    };
                    lost.packets += count(packets.len());
                    false
                });
                if messages.is_empty() {
                    return lost;
                }
                Parcel::Links(messages)
            }
            Parcel::Relayed(runs) => {
                lost.datagrams = count(runs.datagrams());
                return lost;
            }
            kept @ (Parcel::Route(_) | Parcel::Left(_)) => kept,
        };
        self.overflow.push_back(kept);
        if self.overflow.len().is_multiple_of(OVERFLOW_PARCELS_LOUD) {
            tracing::error!(
                shard = self.to.0,
                waiting = self.overflow.len(),
                "a media thread does not take what others send it"
            );
        }
        lost
    }
}

/// Our end from one other shard.
#[derive(Debug)]
pub(crate) struct Inlet {
    pub(crate) from: ShardId,
    ring: Consumer<Parcel>,
}

impl Inlet {
    pub(crate) fn pop(&mut self) -> Option<Parcel> {
        self.ring.pop().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

/// Wakes a shard that sleeps, and costs nothing while it is awake.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    asleep: AtomicBool,
    notify: Notify,
}

impl Wake {
    /// Before the last look at the rings: what is pushed after that look wakes us.
    pub(crate) fn lie_down(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn get_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    pub(crate) fn called(&self) -> Notified<'_> {
        self.notify.notified()
    }

    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }
}

/// One shard's ends of all rings.
#[derive(Debug)]
pub(crate) struct Ends {
    /// By shard; none towards itself.
    pub(crate) outlets: Vec<Option<Outlet>>,
    pub(crate) inlets: Vec<Inlet>,
    pub(crate) wake: Arc<Wake>,
}

/// Rings between all pairs of shards.
pub(crate) fn mesh(shards: u8, parcels_max: usize) -> Vec<Ends> {
    let mut all: Vec<Ends> = (0..shards)
        .map(|_| Ends {
            outlets: Vec::new(),
            inlets: Vec::new(),
            wake: Arc::default(),
        })
        .collect();
    for from in 0..shards {
        for to in 0..shards {
            let mut outlet = None;
            if from != to {
                let (producer, consumer) = RingBuffer::new(parcels_max);
                let target = all.get_mut(usize::from(to)).expect("one for each shard");
                target.inlets.push(Inlet {
                    from: ShardId(from),
                    ring: consumer,
                });
                outlet = Some(Outlet {
                    to: ShardId(to),
                    ring: producer,
                    overflow: VecDeque::new(),
                    wake: Arc::clone(&target.wake),
                    pushed: false,
                });
            }
            let source = all.get_mut(usize::from(from)).expect("one for each shard");
            source.outlets.push(outlet);
        }
    }
    all
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
