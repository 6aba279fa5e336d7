//! STUN (RFC 8489) and TURN (RFC 8656), sans-IO: no socket, no clock, no thread. A relayed address is an entry of a table, and
//! a socket besides only where peers elsewhere are let in ([`Elsewhere`]); what a client sends there leaves as a [`Verdict`],
//! and what is sent to it comes back in an [`Envelope`].

mod allocation;
mod api;
mod codec;
mod counters;
mod credentials;
mod hashing;
mod limiter;
mod nonce;
mod peers;
mod ports;
mod requests;
mod special;
mod stream;
mod table;
#[cfg(test)]
mod testing;
mod turn;
mod wish;

pub use api::{
    Account, Auth, Config, Dropped, Families, Flow, Now, PeerClass, Policy, Principal, Refused,
    Transport, User, Verdict,
};
pub use codec::CHANNEL_HEADER_BYTES;
pub use counters::Counters;
pub use credentials::{Mint, Minted, USER_HASH_BYTES, user_hash};
pub use peers::{Elsewhere, Network, NotANetwork, Public};
pub use ports::Ports;
pub use special::{Special, special};
pub use stream::{Frame, frame};
pub use turn::{Envelope, Turn};
