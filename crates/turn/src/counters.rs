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
    allocations_now,
    allocations,
    /// Ended by their participant's leaving the room.
    allocations_left,
    /// Ended because nobody refreshed them.
    allocations_expired,
    /// Ended because their client's stream was closed.
    allocations_closed,
    /// STUN: who asked for their own address was told.
    bindings,
    /// Answers 401 and 438: credentials are wanted.
    challenges,
    /// Other answers to who has shown no credentials: 400 and 420.
    refused_unknown,
    /// Not answered: the source had enough answers for this second.
    suppressed,
    /// Refused to who is known.
    refused_quota,
    refused_full,
    refused,
    /// Ports that another program had, passed over for the next one.
    ports_in_use,
    /// Peers refused: of a special-purpose address, and others.
    denied_special,
    denied_foreign,
    relayed_up,
    relayed_up_bytes,
    relayed_down,
    relayed_down_bytes,
    dropped_malformed,
    dropped_ignored,
    dropped_no_allocation,
    dropped_no_permission,
    dropped_bandwidth,
}
