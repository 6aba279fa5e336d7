//! A peer's two queues between its session (control runtime) and its shard (media thread).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use madang_sfu::Counters;
use madang_sfu::api::{Event, LeaveReason, PeerId, Request, RoomId, RoomState};
use tokio::sync::{mpsc, oneshot};

use super::counters::PathCounters;
use super::stream::{LineId, Said};

/// Events that a session may leave unread; one more and its peer is let go as too slow.
pub const EVENTS_PENDING_MAX: usize = 4_096;
/// Requests of one peer that its shard has not come to yet; one more and the peer is let go as too slow.
pub const REQUESTS_PENDING_MAX: u32 = 1_024;

/// The peer's stay is over, or the server is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer is gone")]
pub struct Gone;

/// One peer's way to and from its shard. The halves may be taken apart; the peer is let go when `events` is dropped.
#[derive(Debug)]
pub struct PeerPort {
    pub requests: PeerRequests,
    pub events: PeerEvents,
}

#[derive(Debug, Clone)]
pub struct PeerRequests {
    peer: PeerId,
    shared: Arc<PeerShared>,
    commands: mpsc::UnboundedSender<Command>,
}

#[derive(Debug)]
pub struct PeerEvents {
    peer: PeerId,
    shared: Arc<PeerShared>,
    commands: mpsc::UnboundedSender<Command>,
    queue: mpsc::Receiver<Event>,
    closed: bool,
}

impl PeerRequests {
    /// Requests are handled in the order sent. Never blocks.
    pub fn send(&self, request: Request) -> Result<(), Gone> {
        if self.shared.ended.get().is_some() {
            return Err(Gone);
        }
        let before = self.shared.pending.fetch_add(1, Ordering::Relaxed);
        if before == REQUESTS_PENDING_MAX {
            // Its own only: later ones return before this, so that the queue is bounded.
            return match self.commands.send(Command::Flooded { peer: self.peer }) {
                Ok(()) | Err(_) => Err(Gone),
            };
        }
        if before > REQUESTS_PENDING_MAX {
            return Err(Gone);
        }
        let command = Command::Request {
            peer: self.peer,
            request,
        };
        self.commands.send(command).map_err(|_| Gone)
    }

    pub fn peer(&self) -> PeerId {
        self.peer
    }
}

impl PeerEvents {
    /// In the order they happened. `Event::Closed` is always the last one before `None`. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        if self.closed {
            return None;
        }
        let event = self.queue.recv().await.unwrap_or_else(|| Event::Closed {
            reason: self
                .shared
                .ended
                .get()
                .copied()
                .unwrap_or(LeaveReason::Shutdown),
        });
        self.closed = matches!(event, Event::Closed { .. });
        Some(event)
    }
}

impl Drop for PeerEvents {
    fn drop(&mut self) {
        if !self.closed {
            // A shard that is gone has no peers left.
            self.commands.send(Command::Detach { peer: self.peer }).ok();
        }
    }
}

/// What reaches a shard from outside, in order.
#[derive(Debug)]
pub(crate) enum Command {
    Attach {
        peer: PeerId,
        queue: PeerQueue,
    },
    Request {
        peer: PeerId,
        request: Request,
    },
    /// Too many requests at once.
    Flooded {
        peer: PeerId,
    },
    /// Nobody reads the events any more.
    Detach {
        peer: PeerId,
    },
    Room {
        room: RoomId,
        reply: oneshot::Sender<Option<RoomState>>,
    },
    Counters {
        reply: oneshot::Sender<(Counters, PathCounters)>,
    },
    RelayCounters {
        reply: oneshot::Sender<madang_turn::Counters>,
    },
    /// Of a client that came by TCP or TLS.
    Stream {
        line: LineId,
        said: Said,
    },
    Stop,
    #[cfg(test)]
    Panic,
}

/// The shard's end.
#[derive(Debug)]
pub(crate) struct PeerQueue {
    shared: Arc<PeerShared>,
    events: mpsc::Sender<Event>,
    leaving: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    More,
    /// The stay is over.
    Last,
    Full,
    /// Nobody reads it; we shall be told.
    Abandoned,
}

impl PeerQueue {
    /// A request of this peer was taken from the queue.
    pub(crate) fn request_taken(&mut self, request: &Request) {
        self.shared.pending.fetch_sub(1, Ordering::Relaxed);
        self.leaving |= matches!(request, Request::Leave | Request::Remove { .. });
    }

    /// It said goodbye: nobody need read what follows.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(crate) fn push(&self, event: Event) -> Pushed {
        let mut pushed = Pushed::More;
        if let Event::Closed { reason } = &event {
            self.end(*reason);
            pushed = Pushed::Last;
        }
        match self.events.try_send(event) {
            Ok(()) => pushed,
            // Dropping the queue tells the reason as well.
            Err(_) if pushed == Pushed::Last => pushed,
            Err(mpsc::error::TrySendError::Full(_)) => Pushed::Full,
            Err(mpsc::error::TrySendError::Closed(_)) => Pushed::Abandoned,
        }
    }

    /// From now on requests are refused; when the queue is dropped its reader learns the reason.
    pub(crate) fn end(&self, reason: LeaveReason) {
        // The first reason is the true one.
        self.shared.ended.set(reason).ok();
    }
}

#[derive(Debug, Default)]
struct PeerShared {
    pending: AtomicU32,
    ended: OnceLock<LeaveReason>,
}

/// Both ends; the shard's travels by `commands` before any request can.
pub(crate) fn attach(commands: &mpsc::UnboundedSender<Command>, peer: PeerId) -> PeerPort {
    let shared = Arc::new(PeerShared::default());
    let (events, queue) = mpsc::channel(EVENTS_PENDING_MAX);
    let own = PeerQueue {
        shared: Arc::clone(&shared),
        events,
        leaving: false,
    };
    if commands.send(Command::Attach { peer, queue: own }).is_err() {
        shared.ended.set(LeaveReason::Shutdown).ok();
    }
    PeerPort {
        requests: PeerRequests {
            peer,
            shared: Arc::clone(&shared),
            commands: commands.clone(),
        },
        events: PeerEvents {
            peer,
            shared,
            commands: commands.clone(),
            queue,
            closed: false,
        },
    }
}
