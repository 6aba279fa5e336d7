//! The media core of madang: rooms, peers, connections, tracks, subscriptions, forwarders. Sans-IO: no socket, no
//! clock, no thread. See `ARCHITECTURE.md`.

pub mod api;
mod codec;
mod connection;
mod connections;
mod context;
mod counters;
mod deadlines;
mod forwarder;
mod io;
mod keyframes;
mod link;
mod packet;
mod quality;
mod room;
mod rtcp;
mod sfu;
mod speakers;
mod srtp;
#[cfg(test)]
mod testing;
mod ufrag;

pub use connection::Extensions;
pub use counters::Counters;
pub use io::{Config, Local, Received, Route, Slot, Transmit, Transmits};
pub use link::{LinkBody, LinkMessage, Wants};
pub use packet::{FrameInfo, LayerIndex, TrackPacket, Vp8Ids};
pub use sfu::Sfu;
pub use ufrag::{owner_of_stun, owner_of_ufrag};
