//! A conversation of either kind, as the verbs see it: with a server that passes media on, or with peers.

use super::{CliError, SessionError};
use crate::frames::{Frame, Message, Received, Statistics, Wish};
use crate::mesh::{self, Mesh};
use crate::session::{self, Session};
use crate::{PeerError, Section};

/// Where to.
#[derive(Debug)]
pub(super) enum Way {
    Spider {
        options: session::Options,
        channel: String,
    },
    Peers(mesh::Options),
}

#[derive(Debug)]
pub(super) enum Conversation {
    Spider {
        session: Box<Session>,
        channel: String,
    },
    Peers(Box<Mesh>),
}

/// What is told by either. `from`: of several peers, which one.
#[derive(Debug)]
pub(super) enum Told {
    /// The server takes part; what is said about it.
    Entered(String),
    /// Media and data pass to that channel or peer.
    Connected(String),
    Frame {
        from: Option<String>,
        frame: Received,
    },
    Data {
        from: Option<String>,
        message: Message,
    },
    Statistics(Statistics),
    /// How many watch.
    Viewers(u64),
    /// What comes now, if anything, is of another connection; what is said about it.
    Changed {
        from: Option<String>,
        said: String,
    },
    /// What is said, and nothing else.
    Said(String),
    Ended(Option<String>),
    /// What the verbs have no use for.
    Nothing,
}

impl Conversation {
    pub(super) async fn open(way: &Way, wish: Wish) -> Result<Self, SessionError> {
        match way {
            Way::Spider { options, channel } => Ok(Self::Spider {
                session: Box::new(Session::open(options, wish).await?),
                channel: channel.clone(),
            }),
            Way::Peers(options) => {
                let mesh = Mesh::open(options.clone(), wish).await?;
                Ok(Self::Peers(Box::new(mesh)))
            }
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        match self {
            Self::Spider { session, .. } => session.is_connected(),
            Self::Peers(mesh) => mesh.connected() > 0,
        }
    }

    /// Where no server says it.
    pub(super) fn viewers(&self) -> Option<u64> {
        match self {
            Self::Spider { .. } => None,
            Self::Peers(mesh) => u64::try_from(mesh.connected()).ok(),
        }
    }

    pub(super) fn write(&mut self, track: usize, frame: &Frame) -> Result<(), CliError> {
        match self {
            Self::Spider { session, .. } => match session.write(track, frame) {
                Err(PeerError::NotSending) => Err(CliError::Media(format!(
                    "the server does not take {} here",
                    frame.codec
                ))),
                done => Ok(done?),
            },
            Self::Peers(mesh) => {
                mesh.write(track, frame);
                Ok(())
            }
        }
    }

    /// Whether it was taken.
    pub(super) fn send(&mut self, label: &str, text: &str) -> Result<bool, PeerError> {
        match self {
            Self::Spider { session, .. } => session.send(label, false, text.as_bytes()),
            Self::Peers(mesh) => Ok(mesh.send(label, false, text.as_bytes())),
        }
    }

    pub(super) fn waiting_bytes(&mut self) -> usize {
        match self {
            Self::Spider { session, .. } => session.waiting_bytes(),
            Self::Peers(mesh) => mesh.waiting_bytes(),
        }
    }

    pub(super) fn request_keyframe(&mut self, from: Option<&str>, section: Section) {
        match self {
            Self::Spider { session, .. } => session.request_keyframe(section),
            Self::Peers(mesh) => mesh.request_keyframe(from.unwrap_or_default(), section),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Spider { session, .. } => session.close().await,
            Self::Peers(mesh) => mesh.close().await,
        }
    }

    /// Drives it until something happens. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Told, SessionError> {
        match self {
            Self::Spider { session, channel } => Ok(of_channel(session.next().await?, channel)),
            Self::Peers(mesh) => Ok(of_peers(mesh.next().await?)),
        }
    }
}

fn of_channel(event: session::Event, channel: &str) -> Told {
    let from = None;
    match event {
        session::Event::Connected => Told::Connected(channel.to_owned()),
        session::Event::Frame(frame) => Told::Frame { from, frame },
        session::Event::Data(message) => Told::Data { from, message },
        session::Event::Statistics(statistics) => Told::Statistics(statistics),
        session::Event::Viewers(count) => Told::Viewers(count),
        session::Event::PublisherChanged => Told::Changed {
            from,
            said: "the publisher came or went".to_owned(),
        },
        session::Event::Ended(why) => Told::Ended(why),
        // Files and other programs make key frames when they do.
        session::Event::KeyframeWanted(_) | session::Event::ChannelOpen(_) => Told::Nothing,
    }
}

fn of_peers(event: mesh::Event) -> Told {
    match event {
        mesh::Event::Entered(names) if names.is_empty() => {
            Told::Entered("nobody else is there; waiting".to_owned())
        }
        mesh::Event::Entered(names) => Told::Entered(format!("present: {}", names.join(", "))),
        mesh::Event::Connected(name) => Told::Connected(name),
        mesh::Event::Frame(name, frame) => Told::Frame {
            from: Some(name),
            frame,
        },
        mesh::Event::Data(name, message) => Told::Data {
            from: Some(name),
            message,
        },
        mesh::Event::Statistics(statistics) => Told::Statistics(statistics),
        mesh::Event::Unwanted(name, codec) => Told::Said(format!("{name} does not take {codec}")),
        mesh::Event::Gone(name, why) => Told::Changed {
            said: match why {
                None => format!("{name} left"),
                Some(why) => format!("{name}: {why}"),
            },
            from: Some(name),
        },
        mesh::Event::Crowded(name) => Told::Said(format!(
            "{name} is not connected to: more than {} peers",
            mesh::PEERS_MAX
        )),
        mesh::Event::Ended => Told::Ended(None),
        // Files and other programs make key frames when they do.
        mesh::Event::KeyframeWanted(_) => Told::Nothing,
    }
}
