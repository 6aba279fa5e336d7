//! One conversation with a server: signalling, media and data together. It ends with the socket, as in the original; whoever
//! wants to come back opens another one.
//!
//! A publisher says in its [`Wish`] what it sends, and writes frames by their place in it:
//!
//! ```no_run
//! use madang_client::Kind;
//! use madang_client::frames::{Frame, Wish};
//! use madang_client::session::{Event, Options, Session};
//! use madang_client::spider::{Role, Url};
//!
//! # async fn next_picture() -> Frame { std::future::pending().await }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = Url::parse("ws://localhost:7880")?.channel(Role::Publisher, "yard", &[]);
//! let wish = Wish {
//!     send: vec![Kind::Video],
//!     ..Wish::default()
//! };
//! let options = Options::new(url, Role::Publisher);
//! let mut session = Session::open(&options, wish.channel("stream")).await?;
//! loop {
//!     tokio::select! {
//!         event = session.next() => match event? {
//!             Event::Data(message) => println!("steer: {:?}", message.payload),
//!             Event::Ended(_) => return Ok(()),
//!             _ => {}
//!         },
//!         picture = next_picture() => session.write(0, &picture)?,
//!     }
//! }
//! # }
//! ```

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::error::Error as WsError;

use crate::frames::{self, Frame, Message, Peer, Received, Statistics, Wish};
use crate::socket::{self, Socket};
use crate::spider::{Client, Role, Told, Url};
use crate::{ConnectError, PeerError, Section};

/// From the answer to the first datagram that passes.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(15);
/// Media that ends before the socket: the server may be about to say why.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Where to, and how.
#[derive(Debug, Clone)]
pub struct Options {
    pub url: Url,
    pub role: Role,
    /// Take any certificate, also one that the server made for itself. Whoever is between could then listen.
    pub insecure: bool,
}

impl Options {
    pub fn new(url: Url, role: Role) -> Self {
        Self {
            url,
            role,
            insecure: false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// In the server's own words.
    #[error("the server refuses: {0}")]
    Refused(String),
    #[error("the connection to the server broke: {0}")]
    Broken(Box<WsError>),
    #[error("the server is silent")]
    Silent,
    #[error(
        "the server answered, and its media cannot be reached: is its UDP port (7882) open, and does it announce the right address?"
    )]
    NoMedia,
    #[error("the media connection was lost")]
    MediaLost,
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl SessionError {
    /// Trying again later does not help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_final(),
            // A name that is taken may be free when the server has noticed that its holder is gone.
            Self::Refused(sentence) => {
                let finals = ["not allowed", "Authentication error", "A peer ID "];
                finals.iter().any(|part| sentence.contains(part))
            }
            Self::Broken(_) | Self::Silent | Self::NoMedia | Self::MediaLost | Self::Peer(_) => {
                false
            }
        }
    }
}

#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Media and data pass.
    Connected,
    Frame(Received),
    /// Of what we send, by its place in the wish.
    KeyframeWanted(usize),
    /// By its label.
    ChannelOpen(String),
    Data(Message),
    Statistics(Statistics),
    /// How many watch what we publish.
    Viewers(u64),
    /// To a subscriber: the publisher came or went.
    PublisherChanged,
    /// The server said goodbye, and perhaps why.
    Ended(Option<String>),
}

/// A conversation. Nothing arrives but inside [`Session::next`]; call it again and again, beside whatever else is awaited.
#[derive(Debug)]
pub struct Session {
    socket: Socket,
    local: IpAddr,
    client: Client,
    role: Role,
    wish: Wish,
    peer: Peer,
    sections: Vec<Section>,
    outbox: VecDeque<String>,
    answered_at: Option<Instant>,
    is_connected: bool,
    media_lost_at: Option<Instant>,
}

impl Session {
    /// Connects and offers. What the server thinks of it, [`Session::next`] tells.
    pub async fn open(options: &Options, wish: Wish) -> Result<Self, SessionError> {
        let (socket, local) = socket::connect(&options.url, options.insecure).await?;
        let mut peer = Peer::bind(local).await?;
        let (offer, sections) = peer.offer(&wish)?;
        Ok(Self {
            socket,
            local,
            client: Client::new(Instant::now()),
            role: options.role,
            wish,
            peer,
            sections,
            outbox: VecDeque::from([Client::offer(&offer)]),
            answered_at: None,
            is_connected: false,
            media_lost_at: None,
        })
    }

    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    fn is_up(&self) -> bool {
        self.is_connected && self.media_lost_at.is_none()
    }

    /// Sends a frame of the track at that place of the wish. Before the connection is up, frames are lost.
    pub fn write(&mut self, track: usize, frame: &Frame) -> Result<(), PeerError> {
        match self.sections.get(track) {
            Some(section) if self.is_up() => self.peer.write(*section, frame),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the channel took it: it is open and has room.
    pub fn send(&mut self, label: &str, is_binary: bool, bytes: &[u8]) -> Result<bool, PeerError> {
        if self.is_up() {
            self.peer.send(label, is_binary, bytes)
        } else {
            Ok(false)
        }
    }

    /// Bytes of messages that wait to be sent.
    pub fn waiting_bytes(&mut self) -> usize {
        self.peer.waiting_bytes()
    }

    pub fn request_keyframe(&mut self, section: Section) {
        self.peer.request_keyframe(section);
    }

    /// Drives the conversation until something happens. Cancel safe.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        loop {
            self.say_all().await?;
            let is_lost = self.media_lost_at.is_some();
            let deadline = self.deadline();
            let event = tokio::select! {
                said = self.socket.next() => self.hear(said).await?,
                event = self.peer.next(), if !is_lost => self.media(event?),
                () = tokio::time::sleep_until(deadline.into()) => {
                    self.pass_time(Instant::now())?;
                    None
                }
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    fn media_deadline(&self) -> Option<Instant> {
        let first = self.answered_at.filter(|_| !self.is_connected);
        let first = first.map(|at| at + MEDIA_TIMEOUT);
        first.or(self.media_lost_at.map(|at| at + REASON_TIMEOUT))
    }

    fn deadline(&self) -> Instant {
        let deadline = self.client.poll_timeout();
        self.media_deadline()
            .map_or(deadline, |at| at.min(deadline))
    }

    fn pass_time(&mut self, now: Instant) -> Result<(), SessionError> {
        if self.media_deadline().is_some_and(|at| at <= now) {
            return Err(if self.is_connected {
                SessionError::MediaLost
            } else {
                SessionError::NoMedia
            });
        }
        if self.client.is_silent(now) {
            return Err(SessionError::Silent);
        }
        self.outbox.extend(self.client.handle_timeout(now));
        Ok(())
    }

    /// Says goodbye, and does not wait long for an answer.
    pub async fn close(mut self) {
        self.peer.close();
        let goodbye = async {
            // Whether the goodbye arrives changes nothing any more.
            tokio::time::timeout(Duration::from_millis(50), self.peer.next())
                .await
                .ok();
            self.socket.close(None).await.ok();
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await.ok();
    }

    /// A frame leaves the outbox when the socket has it: this may be cancelled anywhere.
    async fn say_all(&mut self) -> Result<(), SessionError> {
        while let Some(text) = self.outbox.front() {
            let message = WsMessage::text(text.clone());
            self.socket.feed(message).await.map_err(broken)?;
            self.outbox.pop_front();
            self.socket.flush().await.map_err(broken)?;
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        said: Option<Result<WsMessage, WsError>>,
    ) -> Result<Option<Event>, SessionError> {
        let text = match said {
            None
            | Some(
                Ok(WsMessage::Close(_)) | Err(WsError::ConnectionClosed | WsError::AlreadyClosed),
            ) => return Ok(Some(Event::Ended(None))),
            Some(Err(error)) => return Err(broken(error)),
            Some(Ok(WsMessage::Text(text))) => text,
            Some(Ok(
                WsMessage::Binary(_)
                | WsMessage::Ping(_)
                | WsMessage::Pong(_)
                | WsMessage::Frame(_),
            )) => return Ok(None),
        };
        // The original's goodbye.
        if text.as_str() == "close" {
            return Ok(Some(Event::Ended(None)));
        }
        match self.client.handle_text(Instant::now(), &text) {
            Some(Told::Answer(sdp)) => {
                self.peer.take_answer(&sdp)?;
                self.answered_at = Some(Instant::now());
                Ok(None)
            }
            Some(Told::Candidate(line)) => {
                self.peer.take_candidate(&line);
                Ok(None)
            }
            Some(Told::Joins(count)) => match self.role {
                Role::Publisher => Ok(count.parse().ok().map(Event::Viewers)),
                Role::Subscriber => self.publisher_changed().await,
            },
            Some(Told::Goodbye(sentence)) => Ok(Some(Event::Ended(Some(sentence)))),
            Some(Told::Error(sentence)) => Err(SessionError::Refused(sentence)),
            None => Ok(None),
        }
    }

    /// What was negotiated with the publisher that was there is worth nothing any more: a new offer waits for the next one.
    async fn publisher_changed(&mut self) -> Result<Option<Event>, SessionError> {
        if self.answered_at.is_none() {
            return Ok(None);
        }
        let mut peer = Peer::bind(self.local).await?;
        let (offer, sections) = peer.offer(&self.wish)?;
        self.peer = peer;
        self.sections = sections;
        self.answered_at = None;
        self.is_connected = false;
        self.media_lost_at = None;
        self.outbox.push_back(Client::offer(&offer));
        Ok(Some(Event::PublisherChanged))
    }

    fn media(&mut self, event: frames::Event) -> Option<Event> {
        match event {
            frames::Event::Connected => {
                self.is_connected = true;
                Some(Event::Connected)
            }
            frames::Event::Frame(frame) => Some(Event::Frame(frame)),
            frames::Event::KeyframeWanted(wanted) => {
                let track = self.sections.iter().position(|section| *section == wanted);
                track.map(Event::KeyframeWanted)
            }
            frames::Event::ChannelOpen(label) => Some(Event::ChannelOpen(label)),
            frames::Event::Data(message) => Some(Event::Data(message)),
            frames::Event::Statistics(statistics) => Some(Event::Statistics(statistics)),
            frames::Event::Closed => {
                self.media_lost_at = Some(Instant::now());
                None
            }
        }
    }
}

fn broken(error: WsError) -> SessionError {
    SessionError::Broken(Box::new(error))
}
