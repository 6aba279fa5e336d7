//! One member of a mesh: a Socket.IO signalling server introduces the peers, and each pair connects directly. It ends with the
//! socket, as in the original; whoever wants to come back opens another one.
//!
//! Newcomers offer, and who was there answers. A publisher who finds no place for its media in an offer makes an offer of its
//! own once the connection is there.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::future::select_all;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::error::Error as WsError;

use crate::frames::{self, Frame, Message, Received, Statistics, Wish};
use crate::peers::{self, Told};
use crate::session::SessionError;
use crate::socket::{self, Socket};
use crate::socketio::{self, Client};
use crate::{Codec, PeerError, Section, Url};

mod remote;

use remote::{Remote, Step};

/// Others beyond these are not connected to.
pub const PEERS_MAX: usize = 64;
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Where to, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its path is the namespace: none on a signalling server's own port, `/signal` on madang's main one.
    pub url: Url,
    /// Unlike that of everybody else there.
    pub name: String,
    /// What kind of peer we are, in words of the application's own.
    pub kind: Option<String>,
    pub token: Option<String>,
    /// Only madang has rooms; without it all meet in one.
    pub room: Option<String>,
    /// Connect to these alone. Empty: to everybody.
    pub with: Vec<String>,
    /// Take any certificate. Whoever is between could then listen.
    pub insecure: bool,
}

impl Options {
    pub fn new(url: Url, name: &str) -> Self {
        Self {
            url,
            name: name.to_owned(),
            kind: None,
            token: None,
            room: None,
            with: Vec::new(),
            insecure: false,
        }
    }

    fn auth(&self) -> Value {
        let members = [("token", &self.token), ("room", &self.room)];
        let said = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))));
        Value::Object(said.collect::<Map<_, _>>())
    }
}

#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server let us in; these are there.
    Entered(Vec<String>),
    /// Media and data pass between that peer and us.
    Connected(String),
    Frame(String, Received),
    /// Of what we send, by its place in the wish.
    KeyframeWanted(usize),
    Data(String, Message),
    /// Of the worst connection.
    Statistics(Statistics),
    /// That peer cannot take what we send.
    Unwanted(String, Codec),
    /// That peer left, or the connection to it is over, and why.
    Gone(String, Option<String>),
    /// There are more peers than [`PEERS_MAX`].
    Crowded(String),
    /// The server said goodbye.
    Ended,
}

/// A conversation with everybody. Nothing arrives but inside [`Mesh::next`]; call it again and again, beside whatever else is
/// awaited.
#[derive(Debug)]
pub struct Mesh {
    socket: Socket,
    local: IpAddr,
    client: Client,
    options: Options,
    wish: Wish,
    is_entered: bool,
    remotes: BTreeMap<String, Remote>,
    events: VecDeque<Event>,
}

impl Mesh {
    /// Connects and says who we are. What the server thinks of it, [`Mesh::next`] tells.
    pub async fn open(options: Options, wish: Wish) -> Result<Self, SessionError> {
        let (url, namespace) = Client::address(&options.url);
        let (socket, local) = socket::connect(&url, options.insecure).await?;
        Ok(Self {
            socket,
            local,
            client: Client::new(Instant::now(), &namespace, options.auth()),
            options,
            wish: Wish {
                are_numbered: true,
                ..wish
            },
            is_entered: false,
            remotes: BTreeMap::new(),
            events: VecDeque::new(),
        })
    }

    /// How many peers media and data pass to.
    pub fn connected(&self) -> usize {
        let remotes = self.remotes.values();
        remotes.filter(|remote| remote.is_connected()).count()
    }

    /// Sends a frame of the track at that place of the wish to all who are connected.
    pub fn write(&mut self, track: usize, frame: &Frame) {
        for (name, remote) in &mut self.remotes {
            match remote.write(track, frame) {
                Ok(()) => {}
                Err(PeerError::NotSending) => {
                    let event = Event::Unwanted(name.clone(), frame.codec);
                    self.events.push_back(event);
                }
                Err(error) => {
                    let event = remote.lose(Instant::now(), &error.to_string());
                    self.events.extend(event.map(|why| gone(name, why)));
                }
            }
        }
    }

    /// To all whose channel is open. False: nobody's is, or one of them has no room, and nobody got it.
    pub fn send(&mut self, label: &str, is_binary: bool, bytes: &[u8]) -> bool {
        let open = self.remotes.values_mut();
        let open = open.filter_map(|remote| remote.room_for(label, bytes.len()));
        let room: Vec<_> = open.collect();
        if room.is_empty() || room.contains(&false) {
            return false;
        }
        for (name, remote) in &mut self.remotes {
            if let Err(error) = remote.send(label, is_binary, bytes) {
                let event = remote.lose(Instant::now(), &error.to_string());
                self.events.extend(event.map(|why| gone(name, why)));
            }
        }
        true
    }

    /// Bytes of messages that wait to be sent.
    pub fn waiting_bytes(&mut self) -> usize {
        let remotes = self.remotes.values_mut();
        remotes.map(Remote::waiting_bytes).sum()
    }

    pub fn request_keyframe(&mut self, name: &str, section: Section) {
        if let Some(remote) = self.remotes.get_mut(name) {
            remote.request_keyframe(section);
        }
    }

    /// Drives the conversation until something happens. Cancel safe.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        loop {
            self.say_all().await?;
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let remotes = self.remotes.values();
            let deadlines = remotes.filter_map(Remote::deadline);
            let deadline = deadlines.fold(self.client.poll_timeout(), Instant::min);
            tokio::select! {
                said = self.socket.next() => self.hear(said).await?,
                (name, event) = next_of(&mut self.remotes) => self.media(&name, event).await,
                () = tokio::time::sleep_until(deadline.into()) => self.pass_time().await?,
            }
        }
    }

    /// Says goodbye, and does not wait long for an answer.
    pub async fn close(mut self) {
        for remote in self.remotes.values_mut() {
            remote.close();
        }
        self.client.disconnect();
        let goodbye = async {
            // Whether the goodbyes arrive changes nothing any more.
            let partings = next_of(&mut self.remotes);
            tokio::time::timeout(Duration::from_millis(50), partings)
                .await
                .ok();
            self.say_all().await.ok();
            self.socket.close(None).await.ok();
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await.ok();
    }

    /// A frame leaves the queue when the socket has it: this may be cancelled anywhere.
    async fn say_all(&mut self) -> Result<(), SessionError> {
        while let Some(text) = self.client.next_said() {
            let message = WsMessage::text(text.to_owned());
            self.socket.feed(message).await.map_err(broken)?;
            self.client.pop_said();
            self.socket.flush().await.map_err(broken)?;
        }
        Ok(())
    }

    async fn hear(&mut self, said: Option<Result<WsMessage, WsError>>) -> Result<(), SessionError> {
        let text = match said {
            None
            | Some(
                Ok(WsMessage::Close(_)) | Err(WsError::ConnectionClosed | WsError::AlreadyClosed),
            ) => {
                self.events.push_back(Event::Ended);
                return Ok(());
            }
            Some(Err(error)) => return Err(broken(error)),
            Some(Ok(WsMessage::Text(text))) => text,
            Some(Ok(
                WsMessage::Binary(_)
                | WsMessage::Ping(_)
                | WsMessage::Pong(_)
                | WsMessage::Frame(_),
            )) => return Ok(()),
        };
        match self.client.handle_text(Instant::now(), &text) {
            Some(socketio::Told::Connected) => {
                let Options { name, kind, .. } = &self.options;
                let arguments = peers::ready(name, kind.as_deref());
                self.client.emit("ready", arguments);
            }
            Some(socketio::Told::Refused(sentence)) => return Err(SessionError::Refused(sentence)),
            Some(socketio::Told::Closed) => self.events.push_back(Event::Ended),
            Some(socketio::Told::Event { name, arguments }) => {
                if let Some(told) = peers::read(&name, &arguments) {
                    self.told(told).await?;
                }
            }
            None => {}
        }
        Ok(())
    }

    async fn told(&mut self, told: Told) -> Result<(), SessionError> {
        match told {
            Told::Refused(sentence) => return Err(SessionError::Refused(sentence)),
            Told::Introduced { names, be_polite } => {
                let (wanted, _): (Vec<_>, Vec<_>) =
                    names.into_iter().partition(|name| self.is_wanted(name));
                if !std::mem::replace(&mut self.is_entered, true) {
                    self.events.push_back(Event::Entered(wanted.clone()));
                }
                for name in wanted {
                    self.meet(name, be_polite).await?;
                }
            }
            Told::Left(name) => {
                if self.remotes.remove(&name).is_some() {
                    self.events.push_back(Event::Gone(name, None));
                }
            }
            Told::Description {
                from,
                is_offer,
                sdp,
            } => {
                if !self.remotes.contains_key(&from) && self.is_wanted(&from) {
                    self.meet(from.clone(), true).await?;
                }
                if let Some(remote) = self.remotes.get_mut(&from) {
                    let done = if is_offer {
                        remote.offered(&sdp, self.local, &self.wish).await
                    } else {
                        remote.answered(&sdp).map(|()| None)
                    };
                    self.took(&from, done);
                }
            }
            Told::Candidate { from, line } => {
                if let Some(remote) = self.remotes.get_mut(&from) {
                    remote.candidate(line);
                }
            }
        }
        Ok(())
    }

    fn is_wanted(&self, name: &str) -> bool {
        let with = &self.options.with;
        name != self.options.name && (with.is_empty() || with.iter().any(|one| one == name))
    }

    async fn meet(&mut self, name: String, be_polite: bool) -> Result<(), SessionError> {
        if self.remotes.contains_key(&name) {
            return Ok(());
        }
        if self.remotes.len() >= PEERS_MAX {
            self.events.push_back(Event::Crowded(name));
            return Ok(());
        }
        let mut remote = Remote::new(be_polite);
        if !be_polite {
            let offer = remote.offer(self.local, &self.wish).await?;
            self.describe(&name, true, &offer);
        }
        self.remotes.insert(name, remote);
        Ok(())
    }

    fn describe(&mut self, to: &str, is_offer: bool, sdp: &str) {
        let argument = peers::description(&self.options.name, to, is_offer, sdp);
        self.client.emit("messageOne", vec![argument]);
    }

    /// What came of a step with that peer: perhaps something to say to it, or the end of the connection.
    fn took(&mut self, name: &str, done: Result<Option<Step>, PeerError>) {
        match done {
            Ok(Some(Step::Offer(sdp))) => self.describe(name, true, &sdp),
            Ok(Some(Step::Answer(sdp))) => self.describe(name, false, &sdp),
            Ok(None) => {}
            Err(error) => self.lose(name, &error.to_string()),
        }
    }

    fn lose(&mut self, name: &str, why: &str) {
        if let Some(remote) = self.remotes.get_mut(name) {
            let event = remote.lose(Instant::now(), why);
            self.events.extend(event.map(|why| gone(name, why)));
        }
    }

    async fn media(&mut self, name: &str, event: Result<frames::Event, PeerError>) {
        let Some(remote) = self.remotes.get_mut(name) else {
            return;
        };
        let named = || name.to_owned();
        let event = match event {
            Ok(frames::Event::Connected) => {
                remote.connected();
                self.events.push_back(Event::Connected(named()));
                let more = remote.offer_more(&self.wish);
                return self.took(name, more);
            }
            Ok(frames::Event::Frame(frame)) => Some(Event::Frame(named(), frame)),
            Ok(frames::Event::KeyframeWanted(section)) => {
                remote.track(section).map(Event::KeyframeWanted)
            }
            Ok(frames::Event::Data(message)) => Some(Event::Data(named(), message)),
            Ok(frames::Event::Statistics(statistics)) => {
                remote.statistics = statistics;
                let more = remote.offer_more(&self.wish);
                self.took(name, more);
                Some(Event::Statistics(self.statistics()))
            }
            Ok(frames::Event::ChannelOpen(_)) => None,
            Ok(frames::Event::Closed) => return self.lose(name, "the connection was lost"),
            Err(error) => return self.lose(name, &error.to_string()),
        };
        self.events.extend(event);
    }

    fn statistics(&self) -> Statistics {
        let remotes = self.remotes.values();
        let connected = remotes.filter(|remote| remote.is_connected());
        connected.fold(Statistics::default(), |worst, remote| Statistics {
            loss: [worst.loss, remote.statistics.loss]
                .into_iter()
                .flatten()
                .reduce(f32::max),
            round_trip: worst.round_trip.max(remote.statistics.round_trip),
        })
    }

    async fn pass_time(&mut self) -> Result<(), SessionError> {
        let now = Instant::now();
        if self.client.is_silent(now) {
            return Err(SessionError::Silent);
        }
        let remotes = self.remotes.iter();
        let due = remotes.filter(|(_, remote)| remote.deadline().is_some_and(|at| at <= now));
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            let Some(remote) = self.remotes.get_mut(&name) else {
                continue;
            };
            if remote.is_connecting() {
                self.lose(&name, "no way to it was found");
            } else {
                let offer = remote.offer(self.local, &self.wish).await?;
                self.describe(&name, true, &offer);
            }
        }
        Ok(())
    }
}

/// Whichever peer has something to tell first. Cancel safe.
async fn next_of(
    remotes: &mut BTreeMap<String, Remote>,
) -> (String, Result<frames::Event, PeerError>) {
    let nexts = remotes.iter_mut().filter_map(|(name, remote)| {
        let peer = remote.peer()?;
        Some(Box::pin(async move { (name.clone(), peer.next().await) }))
    });
    let nexts: Vec<_> = nexts.collect();
    if nexts.is_empty() {
        return std::future::pending().await;
    }
    select_all(nexts).await.0
}

fn gone(name: &str, why: String) -> Event {
    Event::Gone(name.to_owned(), Some(why))
}

fn broken(error: WsError) -> SessionError {
    SessionError::Broken(Box::new(error))
}
