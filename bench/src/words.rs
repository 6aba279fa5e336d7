//! What the measuring process and the clients' process say to each other, a line of JSON each.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// 0 is the publisher.
pub(crate) type Number = u32;

pub(crate) const PUBLISHER: Number = 0;

/// To the clients.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Publish {
        ip: IpAddr,
    },
    Answer {
        sdp: String,
    },
    Watch {
        number: Number,
        ip: IpAddr,
    },
    Offer {
        number: Number,
        sdp: String,
        offer: u32,
    },
    /// Frames of so many packets, for ever.
    Send {
        frames_per_second: u32,
        packets: u32,
        payload_bytes: usize,
    },
    /// Subscribers fall silent and read nothing any more.
    Freeze,
}

/// From the clients.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    Offer {
        sdp: String,
    },
    Answer {
        number: Number,
        sdp: String,
        offer: u32,
    },
    Connected {
        number: Number,
    },
    /// The first media packet arrived.
    Received {
        number: Number,
    },
    Frozen,
}
