//! The core under virtual time: several shards, a lossy network, and clients that are real WebRTC endpoints.
//! Development only; nothing depends on it.

mod client;
mod net;
mod stream;
mod world;

pub use client::{Client, Profile};
pub use net::{Link, Random};
pub use stream::{Stream, StreamReport};
pub use world::{Setup, World};
