//! What happened on the packet path of one shard, in numbers. Everything that is dropped has a line here.

use super::demux::Unowned;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Totals since the start, and gauges (`*_now`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct PathCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl PathCounters {
            /// Name and value of each, in a fixed order.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    ticks,
    received,
    received_bytes,
    /// Of another shard's connection: handed over by a ring, and got by one.
    handed_over,
    taken_over,
    /// Not STUN, DTLS, RTP or RTCP by its first byte (RFC 7983).
    dropped_kind,
    /// TURN inside of what was relayed, or to or from a relayed address that nobody can have.
    dropped_turn,
    /// STUN that names no connection of ours.
    dropped_stun,
    /// From an address that has not passed an authenticated STUN check.
    dropped_route,
    /// Arrived on an address family that no candidate has.
    dropped_local,
    /// The owner's ring was full.
    dropped_ring,
    /// RTP packets to another shard, its ring being full.
    dropped_link_packets,
    /// Messages that wait for room in another shard's ring.
    overflow_now,
    routes_now,
    /// The table of routes was full.
    routes_refused,
    sent,
    sent_bytes,
    /// System calls that `sent` took.
    sent_groups,
    /// The socket was full: queued.
    send_queued,
    /// The queue before the socket was full too.
    dropped_send_queue,
    /// The system refused to send it.
    send_failed,
    receive_failed,
    /// By the sockets of allocations, from peers elsewhere and to them.
    elsewhere_sockets_now,
    elsewhere_received,
    elsewhere_received_bytes,
    elsewhere_sent,
    /// System calls that `elsewhere_sent` took.
    elsewhere_sent_groups,
    /// The system refused to send it: nobody there, no way there, no room.
    elsewhere_send_failed,
    /// Clients of the relay that came by TCP or TLS.
    streams_now,
    /// From them, and to them: those that were dropped afterwards, too.
    stream_received,
    stream_received_bytes,
    stream_sent,
    stream_sent_bytes,
    /// A client did not take them: its queue was full, or its stream closed.
    dropped_stream_queue,
    commands,
    events,
    /// Peers let go because they did not read their events, or asked for more than could be handled.
    peers_too_slow,
    /// Peers let go because their session was dropped without a word.
    peers_abandoned,
}

impl PathCounters {
    pub(super) fn count_unowned(&mut self, unowned: Unowned) {
        let counter = match unowned {
            Unowned::Kind => &mut self.dropped_kind,
            Unowned::Turn => &mut self.dropped_turn,
            Unowned::Stun => &mut self.dropped_stun,
            Unowned::Route => &mut self.dropped_route,
        };
        *counter += 1;
    }
}
