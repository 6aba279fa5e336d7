//! The door of the N:M forwarding server over Socket.IO: one connection up, and one down for every member that is
//! watched. Frames are the JSON arrays of events.
//!
//! Who sends what is taken from the conversation, never from `senderSocketID` and `receiverSocketID` of its messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, Event, Identity, Now, Offerer, PeerId, Request, RoomName,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Frame;
use crate::door::{Door, DoorOutput, EnterError, Entered, Entrance, Place, Secret};
use crate::json;
use crate::offering::{is_awaited, offered, wordless};
use crate::room::Topology;
use crate::roster::{Roster, tracks_of};

const ROOM_DEFAULT: &str = "1234";
const HERE: Place = Place(0);
const UP: ConnectionKey = ConnectionKey(0);
/// Members that one conversation watches at a time.
const WATCHED_MAX: usize = 63;
/// Offers and the like from before the room was entered.
const EARLY_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 256;

/// A conversation.
#[derive(Debug)]
pub struct Many {
    identity: Identity,
    token: Option<Secret>,
    state: State,
    /// What came before the room was entered; handled then.
    early: VecDeque<Message>,
    roster: Roster,
    /// Members that the client was told of.
    announced: BTreeSet<PeerId>,
    /// It has asked for the list.
    is_listed: bool,
    has_up: bool,
    downs: BTreeMap<String, ConnectionKey>,
    next_down: u32,
    outputs: VecDeque<DoorOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Entering,
    Inside,
    Over,
}

/// What the client says.
#[derive(Debug)]
enum Message {
    SenderOffer(Offer),
    SenderCandidate(Candidate),
    JoinRoom(Join),
    ReceiverOffer(Offer),
    ReceiverCandidate(Candidate),
}

#[derive(Debug, Deserialize)]
struct Sdp {
    sdp: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    sdp: Sdp,
    #[serde(rename = "senderSocketID", default)]
    sender: Value,
    #[serde(rename = "roomID", default)]
    room: Value,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    #[serde(default)]
    candidate: Option<CandidateLine>,
    #[serde(rename = "senderSocketID", default)]
    sender: Value,
}

#[derive(Debug, Deserialize)]
struct CandidateLine {
    #[serde(default)]
    candidate: String,
}

#[derive(Debug, Deserialize)]
struct Join {
    #[serde(rename = "roomID", default)]
    room: Value,
}

impl Many {
    /// `socket_id` is the conversation's name in the messages of others; `token` what it may have brought along.
    pub fn new(socket_id: &str, token: Option<String>) -> Self {
        Self {
            identity: Identity::new(socket_id),
            token: token.map(Secret::from),
            state: State::Outside,
            early: VecDeque::new(),
            roster: Roster::default(),
            announced: BTreeSet::new(),
            is_listed: false,
            has_up: false,
            downs: BTreeMap::new(),
            next_down: 1,
            outputs: VecDeque::new(),
        }
    }

    fn emit(&mut self, event: &str, payload: &Value) {
        self.outputs.push_back(DoorOutput::Frame(Frame::Text(
            json!([event, payload]).to_string(),
        )));
    }

    fn refuse(&mut self, message: &str) {
        self.emit("error", &json!({ "message": message }));
    }

    fn request(&mut self, request: Request) {
        self.outputs.push_back(DoorOutput::Request(HERE, request));
    }

    fn enter(&mut self, room: &Value) {
        let named = room
            .as_str()
            .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
        let Some(room) = named.or_else(|| room.is_null().then_some(ROOM_DEFAULT)) else {
            self.refuse("roomID is a text of 1 to 256 bytes");
            return;
        };
        self.state = State::Entering;
        let entrance = Entrance {
            token: self.token.clone(),
            ..Entrance::new(RoomName::new(room), self.identity.clone(), Topology::Sfu)
        };
        self.outputs.push_back(DoorOutput::Enter(HERE, entrance));
    }

    fn handle(&mut self, message: Message) {
        match (self.state, &message) {
            (State::Over, _) => {}
            (State::Inside, _) => self.handle_inside(message),
            (State::Entering, _) => self.keep(message),
            (
                State::Outside,
                Message::SenderOffer(Offer { room, .. }) | Message::JoinRoom(Join { room }),
            ) => {
                let room = room.clone();
                self.enter(&room);
                if self.state == State::Entering {
                    self.keep(message);
                }
            }
            // Candidates that precede their offer are of no use to us: the client's checks tell its addresses.
            (State::Outside, Message::SenderCandidate(_) | Message::ReceiverCandidate(_)) => {}
            (State::Outside, Message::ReceiverOffer(_)) => self.refuse("join a room first"),
        }
    }

    fn keep(&mut self, message: Message) {
        if self.early.len() < EARLY_MAX {
            self.early.push_back(message);
        } else {
            self.refuse("too many messages before the room was entered");
        }
    }

    fn handle_inside(&mut self, message: Message) {
        match message {
            Message::SenderOffer(offer) => self.sender_offer(offer.sdp.sdp),
            Message::SenderCandidate(candidate) => self.candidate(UP, candidate),
            Message::JoinRoom(_) => self.list(),
            Message::ReceiverOffer(offer) => match offer.sender.as_str() {
                Some(sender) => self.receiver_offer(sender, offer.sdp.sdp),
                None => self.refuse("senderSocketID is missing"),
            },
            Message::ReceiverCandidate(candidate) => {
                let key = candidate
                    .sender
                    .as_str()
                    .and_then(|sender| self.downs.get(sender))
                    .copied();
                if let Some(key) = key {
                    self.candidate(key, candidate);
                }
            }
        }
    }

    fn sender_offer(&mut self, sdp: String) {
        let is_new = !std::mem::replace(&mut self.has_up, true);
        let open = is_new.then(|| options(true));
        for request in offered(UP, open, Vec::new(), sdp, 0) {
            self.request(request);
        }
    }

    fn receiver_offer(&mut self, sender: &str, sdp: String) {
        let Some(info) = self.roster.by_identity(sender) else {
            self.refuse("there is no such member");
            return;
        };
        let tracks = tracks_of(info);
        let (key, open) = match self.downs.get(sender) {
            Some(key) => (*key, None),
            None if self.downs.len() >= WATCHED_MAX => {
                self.refuse("too many members are watched at once");
                return;
            }
            None => {
                let key = ConnectionKey(self.next_down);
                self.next_down += 1;
                self.downs.insert(sender.to_owned(), key);
                (key, Some(options(false)))
            }
        };
        for request in offered(key, open, tracks, sdp, 0) {
            self.request(request);
        }
    }

    fn candidate(&mut self, connection: ConnectionKey, candidate: Candidate) {
        let line = candidate
            .candidate
            .map(|line| line.candidate)
            .unwrap_or_default();
        if !line.is_empty() && (connection != UP || self.has_up) {
            self.request(Request::Candidate {
                connection,
                candidate: line,
            });
        }
    }

    fn list(&mut self) {
        self.is_listed = true;
        let users: Vec<Value> = self
            .roster
            .publishers()
            .map(|info| json!({ "id": info.identity.as_str() }))
            .collect();
        self.announced = self.roster.publishers().map(|info| info.id).collect();
        self.emit("allUsers", &json!({ "users": users }));
    }

    /// To those who were given the list: whoever publishes since then.
    fn user_enters(&mut self, peer: PeerId, identity: &Identity) {
        if self.is_listed && self.announced.insert(peer) {
            self.emit("userEnter", &json!({ "id": identity.as_str() }));
        }
    }

    fn user_exits(&mut self, peer: PeerId, identity: &Identity) {
        if let Some(connection) = self.downs.remove(identity.as_str()) {
            self.request(Request::Close { connection });
        }
        if self.announced.remove(&peer) {
            self.emit("userExit", &json!({ "id": identity.as_str() }));
        }
    }

    fn answered(&mut self, connection: ConnectionKey, sdp: &str) {
        let sdp = json!({ "type": "answer", "sdp": sdp });
        if connection == UP {
            self.emit("getSenderAnswer", &json!({ "sdp": sdp }));
            return;
        }
        let sender = self
            .downs
            .iter()
            .find(|(_, key)| **key == connection)
            .map(|(sender, _)| sender.clone());
        if let Some(sender) = sender {
            self.emit("getReceiverAnswer", &json!({ "id": sender, "sdp": sdp }));
        }
    }
}

impl Door for Many {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        let Frame::Text(text) = frame else {
            return;
        };
        match parse(&text) {
            Ok(message) => self.handle(message),
            Err(sentence) => self.refuse(&sentence),
        }
    }

    fn handle_entered(&mut self, _now: Now, _place: Place, entered: Result<Entered, EnterError>) {
        match entered {
            Ok(entered) => {
                let join = entered.join(&self.identity, "", BTreeMap::new());
                self.request(Request::Join(Box::new(join)));
            }
            Err(error) => {
                self.state = State::Outside;
                self.early.clear();
                self.refuse(&error.to_string());
            }
        }
    }

    fn handle_event(&mut self, _now: Now, _place: Place, event: Event) {
        match event {
            Event::Joined(state) => {
                self.roster.set(state.others);
                self.state = State::Inside;
                while let Some(message) = self.early.pop_front() {
                    self.handle_inside(message);
                }
            }
            Event::PeerJoined(info) | Event::PeerUpdated(info) => {
                if info.identity != self.identity {
                    self.roster.put(info);
                }
            }
            Event::Published { peer, .. } => {
                let (id, identity) = (peer.id, peer.identity.clone());
                self.roster.put(peer);
                self.user_enters(id, &identity);
            }
            Event::Unpublished { peer, .. } => {
                let is_silent = peer.publications.is_empty();
                let (id, identity) = (peer.id, peer.identity.clone());
                self.roster.put(peer);
                if is_silent {
                    self.user_exits(id, &identity);
                }
            }
            Event::PeerLeft { peer, .. } => {
                self.roster.remove(peer.id);
                self.user_exits(peer.id, &peer.identity);
            }
            Event::Answer {
                connection, sdp, ..
            } => self.answered(connection, &sdp),
            Event::Refused { request, refusal } => {
                if is_awaited(&request) {
                    self.refuse(&refusal.to_string());
                }
            }
            Event::Closed { .. } => {
                self.state = State::Over;
                self.outputs.push_back(DoorOutput::Close);
            }
            // No words for these: the protocol has neither data nor layers, and never renegotiates.
            Event::Data { .. }
            | Event::DataReceived { .. }
            | Event::ChannelOpen { .. }
            | Event::Unsubscribed { .. }
            | wordless!() => {}
        }
    }

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }
}

/// The error is a sentence for the client.
fn parse(text: &str) -> Result<Message, String> {
    let event: Vec<Value> = json::read(text).map_err(|error| error.to_string())?;
    let mut event = event.into_iter();
    let name = event.next();
    let argument = event.next().unwrap_or(Value::Null);
    let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
    let message = match name {
        "senderOffer" => serde_json::from_value(argument).map(Message::SenderOffer),
        "senderCandidate" => serde_json::from_value(argument).map(Message::SenderCandidate),
        "joinRoom" => serde_json::from_value(argument).map(Message::JoinRoom),
        "receiverOffer" => serde_json::from_value(argument).map(Message::ReceiverOffer),
        "receiverCandidate" => serde_json::from_value(argument).map(Message::ReceiverCandidate),
        _ => return Err("no such event".to_owned()),
    };
    message.map_err(|_| format!("{name}: its members are not as they should be"))
}

fn options(publish: bool) -> ConnectionOptions {
    ConnectionOptions {
        offerer: Offerer::Client,
        publish,
        subscribe: !publish,
        primary: publish,
        publish_unannounced: publish,
        answers_ahead: false,
        bitrate_max_bps: None,
        channels: Vec::new(),
    }
}
