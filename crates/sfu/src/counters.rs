//! What happened, in numbers. Everything that is dropped has a line here.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Totals since the start, and gauges (`*_now`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Name and value of each, in a fixed order.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    rooms_now,
    peers_now,
    remote_peers_now,
    connections_now,
    tracks_now,
    remote_tracks_now,
    subscriptions_now,
    routes_now,
    datagrams_in,
    datagrams_out,
    /// No such slot, or not accepted by its connection.
    datagrams_refused,
    rtp_in,
    rtp_in_bytes,
    rtp_out,
    rtp_out_bytes,
    /// Sent once more because a client missed it; asked for, but forgotten by then or more than repairs may take.
    rtp_resent,
    rtp_resend_refused,
    /// Packets times subscriptions: each comes to `rtp_out`, `rtp_unwanted` or `rtp_unforwarded`.
    forwards,
    /// Too late to be rewritten, or its connection could not take it.
    rtp_unforwarded,
    /// Not of the wanted layer, or waiting for a key frame.
    rtp_unwanted,
    /// Of no known section or track, or beyond the batch limit.
    rtp_dropped,
    /// Of publishers, and of other shards.
    keyframes_asked,
    /// Wished for, but the publisher sends nothing that it could be asked about.
    keyframes_unasked,
    keyframes_asked_by_clients,
    /// RTP packets handed to another shard, and got from one.
    link_packets_out,
    link_packets_in,
    link_messages_out,
    link_messages_in,
    data_in,
    data_out,
    data_dropped,
    requests,
    refusals,
    /// Connections ended by a panic of ours.
    faults,
}
