//! What happened on the control side, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use madang_signalling::door;
use madang_signalling::livekit::Dropped;

macro_rules! stats {
    (gauges { $($(#[$gauge_doc:meta])* $gauge:ident),* $(,)? } totals { $($(#[$doc:meta])* $total:ident),* $(,)? }) => {
        #[derive(Debug, Default)]
        pub(crate) struct Stats {
            $($gauge: AtomicU64,)*
            $($(#[$doc])* pub(crate) $total: AtomicU64,)*
        }

        impl Stats {
            $(
                /// Counted until it is dropped.
                pub(crate) fn $gauge(self: &Arc<Self>) -> Live {
                    Live::new(self, |stats| &stats.$gauge)
                }
            )*

            pub(crate) fn sockets_now(&self) -> u64 {
                self.socket.load(Ordering::Relaxed)
            }

            /// Name, whether it only grows, value.
            pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, bool, u64)> + use<> {
                [
                    $((concat!(stringify!($gauge), "s"), false, self.$gauge.load(Ordering::Relaxed)),)*
                    $((stringify!($total), true, self.$total.load(Ordering::Relaxed)),)*
                ]
                .into_iter()
            }
        }
    };
}

stats! {
    gauges {
        /// A TCP connection, upgraded or not.
        socket,
        tls_handshake,
        /// Clients of the relay: by TCP, and by TLS.
        tcp_relay_stream,
        tls_relay_stream,
        /// Clients that send media over TCP without a relay.
        ice_stream,
        carrier,
        session,
    }
    totals {
        accepted,
        /// There were too many connections.
        refused_connections,
        refused_connections_of_ip,
        /// Nothing was relayed for them.
        relay_streams_idle,
        /// What they said could not be read.
        relay_streams_broken,
        /// Media over TCP without a relay: for no connection of ours; with no right check for long, or of a connection that is over; no frames.
        ice_streams_foreign,
        ice_streams_idle,
        ice_streams_broken,
        /// A protocol that the port does not speak.
        refused_protocols,
        tls_handshakes_done,
        tls_handshakes_failed,
        /// Not done in time.
        tls_handshakes_slow,
        /// There were too many at one time.
        tls_handshakes_refused,
        /// A certificate authority asked whether the name is ours.
        acme_challenges_answered,
        /// A newer certificate is shown.
        certificates_renewed,
        /// A newer certificate could not be got, or not be used.
        certificates_failed,
        refused_joins_of_ip,
        accept_failed,
        refused_tokens,
        joins,
        resumes,
        resumes_refused,
        carriers_too_slow,
        carriers_silent,
        /// A client said more than it may: we read slower.
        carriers_paused,
        frames_in,
        frames_out,
        /// The client was away; it is told everything when it comes back.
        frames_without_carrier,
        frames_too_large,
        api_calls,
        /// Pictures shown to others.
        uploads,
        uploads_refused,
        /// What sessions that are over did not act upon.
        signals_malformed,
        signals_unused,
        signals_unsent,
        data_malformed,
        data_refused,
        data_repeated,
        data_unwanted,
        doors_malformed,
        doors_refused,
        /// Said before the room was entered, more than is kept.
        doors_early,
        /// Said to nobody who is here.
        doors_nobody,
    }
}

/// One of what a gauge counts.
#[derive(Debug)]
pub(crate) struct Live {
    stats: Arc<Stats>,
    gauge: fn(&Stats) -> &AtomicU64,
}

impl Stats {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self, dropped: Dropped) {
        for (total, count) in [
            (&self.signals_malformed, dropped.malformed),
            (&self.signals_unused, dropped.unused),
            (&self.signals_unsent, dropped.unsent),
            (&self.data_malformed, dropped.data_malformed),
            (&self.data_refused, dropped.data_refused),
            (&self.data_repeated, dropped.data_repeated),
            (&self.data_unwanted, dropped.data_unwanted),
        ] {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Stats {
    pub(crate) fn count_dropped_at_door(&self, dropped: door::Dropped) {
        for (total, count) in [
            (&self.doors_malformed, dropped.malformed),
            (&self.doors_refused, dropped.refused),
            (&self.doors_early, dropped.early),
            (&self.doors_nobody, dropped.nobody),
        ] {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Live {
    fn new(stats: &Arc<Stats>, gauge: fn(&Stats) -> &AtomicU64) -> Self {
        gauge(stats).fetch_add(1, Ordering::Relaxed);
        Self {
            stats: Arc::clone(stats),
            gauge,
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        (self.gauge)(&self.stats).fetch_sub(1, Ordering::Relaxed);
    }
}
