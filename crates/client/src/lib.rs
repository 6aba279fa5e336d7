//! A client for madang, and for any server of Spider RTCPub: a robot or a camera publishes encoded pictures, sound and data
//! into a channel; whoever subscribes gets them, and can talk back over data channels. Or peers do so among themselves, introduced
//! by a Socket.IO signalling server.
//!
//! Nothing is encoded or decoded here. Pictures are access units of VP8 or H.264, sound is packets of Opus: from a file, from
//! standard input, or from a program that encodes ([`source`]).
//!
//! ```no_run
//! use madang_client::session::{Event, Options, Session};
//! use madang_client::spider::{Role, Url};
//! use madang_client::frames::Wish;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = Url::parse("wss://robot.example.org:8267")?.channel(Role::Subscriber, "yard", &[]);
//! let wish = Wish::watch().channel("metric");
//! let mut session = Session::open(&Options::new(url, Role::Subscriber), wish).await?;
//! loop {
//!     match session.next().await? {
//!         Event::Frame(frame) => println!("{} bytes of {}", frame.data.len(), frame.codec),
//!         Event::Data(message) => println!("{}: {:?}", message.label, message.payload),
//!         Event::Ended(_) => break,
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`session`] | one conversation with a server: signalling, media and data together |
//! | [`spider`] | the dialect alone, without sockets or clock |
//! | [`mesh`] | one member of a mesh: signalling between peers, and a connection to each of them |
//! | [`peers`] | the words of that signalling alone |
//! | [`frames`] | one WebRTC connection of whole frames and data channels; signalling is the caller's |
//! | [`media`] | IVF, annex B and Ogg, read and written piece by piece |
//! | [`source`] | files, standard input, cameras and test patterns as frames at their time |
//! | [`Peer`] | one WebRTC connection of bare RTP packets, for tests and for measuring |

mod backoff;
#[cfg(feature = "cli")]
pub mod cli;
pub mod frames;
mod line;
pub mod media;
pub mod mesh;
mod packets;
pub mod peers;
pub mod session;
mod socket;
mod socketio;
pub mod source;
pub mod spider;
mod url;

use str0m::media::Mid;

pub use line::PeerError;
pub use packets::{Happening, Incoming, Outgoing, Peer};
pub use socket::ConnectError;
pub use url::{Url, UrlError};

/// Sound or pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
}

impl Kind {
    fn media(self) -> str0m::media::MediaKind {
        match self {
            Self::Audio => str0m::media::MediaKind::Audio,
            Self::Video => str0m::media::MediaKind::Video,
        }
    }
}

/// What frames are encoded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Opus,
    Vp8,
    H264,
}

impl Codec {
    /// What such frames are.
    pub fn kind(self) -> Kind {
        match self {
            Self::Opus => Kind::Audio,
            Self::Vp8 | Self::H264 => Kind::Video,
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opus => "Opus",
            Self::Vp8 => "VP8",
            Self::H264 => "H.264",
        })
    }
}

impl From<Codec> for str0m::format::Codec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Opus => Self::Opus,
            Codec::Vp8 => Self::Vp8,
            Codec::H264 => Self::H264,
        }
    }
}

/// A media section by its mid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Section(pub(crate) Mid);

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
