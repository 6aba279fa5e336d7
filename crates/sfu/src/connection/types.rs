//! What a connection is told, and what it tells.

use std::cmp::Ordering;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::media::{Mid, Rid};

use super::{Extensions, Sent};
use crate::api::{Codec, MediaKind, SectionMap, TrackId};

/// Something we send on a connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub(crate) struct DownKey(pub(crate) u32);

/// A media section (m-line) by its mid (RFC 8843 §7.2).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub(crate) struct Section(pub(super) Mid);

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a simulcast encoding (RFC 8852).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
pub(crate) struct RidName(pub(super) Rid);

impl RidName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialOrd for RidName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RidName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Display for RidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A section of the client's that sends media to us, or may some day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteSection {
    pub(crate) section: Section,
    pub(crate) kind: MediaKind,
    /// Of its `a=msid`; empty where it has none.
    pub(crate) stream_id: String,
    pub(crate) track_id: String,
    /// In the client's order.
    pub(crate) rids: Vec<RidName>,
    pub(crate) sending: bool,
    /// The first that both sides have.
    pub(crate) codec: Option<Codec>,
}

/// A track to be sent to the client.
#[derive(Debug, Clone)]
pub(crate) struct DownTrack {
    pub(crate) track: TrackId,
    pub(crate) kind: MediaKind,
    pub(crate) stream_id: String,
    pub(crate) track_id: String,
    pub(crate) codec: Option<Codec>,
}

/// A media packet of the client's.
#[derive(Debug, Clone)]
pub(crate) struct UpPacket {
    pub(crate) section: Section,
    pub(crate) rid: Option<RidName>,
    pub(crate) codec: Codec,
    /// Extended.
    pub(crate) seq: u64,
    /// RTP time, extended.
    pub(crate) time: u64,
    pub(crate) marker: bool,
    /// Empty: padding, which only takes a number.
    pub(crate) payload: Arc<[u8]>,
    pub(crate) extensions: Extensions,
    pub(crate) arrived: Instant,
    /// By the sender's reports, on our clock; else `arrived`.
    pub(crate) captured: Instant,
}

/// A packet to be sent, numbered for its receiver.
#[derive(Debug)]
pub(crate) struct DownPacket<'a> {
    pub(crate) codec: Codec,
    pub(crate) seq: u64,
    pub(crate) time: u32,
    pub(crate) marker: bool,
    pub(crate) payload: &'a [u8],
    /// Where it is to be found if it must be sent again.
    pub(crate) source: Source,
    pub(crate) extensions: &'a Extensions,
    pub(crate) captured: Instant,
    pub(crate) nackable: bool,
    pub(crate) vp8: Option<Vp8Rewrite>,
    /// In place of the dependency descriptor among the extensions.
    pub(crate) descriptor: Option<Arc<[u8]>>,
}

/// A packet of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) encoding: u8,
    /// The low bits of its number.
    pub(crate) seq: u32,
}

/// New ids for a VP8 payload descriptor (RFC 7741 §4.2), as wide as the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vp8Rewrite {
    pub(crate) picture_id: u16,
    pub(crate) tl0_pic_idx: u8,
    pub(crate) key_idx: Option<u8>,
}

/// About something that is sent to the client.
#[derive(Debug)]
pub(crate) enum Said {
    /// Packets can be written from now on: negotiated, and the transport is up. Once per binding to a section.
    Ready,
    /// The client asks for a picture that it can start with.
    KeyframeWanted,
    /// The client asks for these once more.
    Missed(Vec<Sent>),
}

#[derive(Debug)]
pub(crate) enum Output {
    /// Media may come from this address from now on: it passed an authenticated check.
    Route(SocketAddr),
    /// The same of the stream from there to one of our addresses.
    Stream {
        local: SocketAddr,
        remote: SocketAddr,
    },
    Packet(UpPacket),
    OfTrack(DownKey, Said),
    Offer {
        sdp: String,
        number: u32,
        sections: SectionMap,
    },
    SectionsWanted {
        audio: u32,
        video: u32,
    },
    Connected,
    /// The path broke; it may come back.
    Disconnected,
    /// Nothing follows.
    Closed,
    ChannelOpen {
        label: Arc<str>,
    },
    /// The client closed it.
    ChannelClosed {
        label: Arc<str>,
    },
    ChannelData {
        label: Arc<str>,
        binary: bool,
        payload: Bytes,
    },
    Report(Report),
}

/// The quality of the path since the last report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    /// Lost parts, 0 … 1.
    pub(crate) up_loss: f32,
    pub(crate) down_loss: f32,
    pub(crate) rtt: Option<Duration>,
    pub(crate) up_packets: u64,
    pub(crate) down_packets: u64,
}
