//! The door of the Socket.IO signalling server for peers that connect to each other: it introduces them and carries
//! their messages, unread but for who sent them. See `docs/protocols/peers.md`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use madang_sfu::api::{
    DataForm, Event, Identity, Now, PeerId, PeerInfo, Recipients, Request, RoomName,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Frame;
use crate::door::{
    Door, DoorOutput, Dropped, EnterError, Entered, Entrance, Place, Secret, relayed,
};
use crate::hiding;
use crate::json::{self, Members, quoted};
use crate::offering::{media, wordless};
use crate::query::Query;
use crate::room::Topology;
use crate::ways::{Asked, Ways};

/// How this dialect writes messages: the object that is the argument of `message`.
pub const FORM: DataForm = DataForm(4);
/// Where everybody meets who names no room.
pub const ROOM_DEFAULT: &str = "signalling";
pub const PEER_ID_BYTES_MAX: usize = 256;
pub const PEER_TYPE_BYTES_MAX: usize = 256;
pub const ROOM_NAME_BYTES_MAX: usize = 256;

const PLACE: Place = Place(0);
/// Messages that came before the peer was in the room.
const EARLY_MESSAGES_MAX: usize = 64;
const LABEL: &str = "message";
const DOOR: &str = "door";
const DOOR_NAME: &str = "peers";
const SOCKET_ID: &str = "socketId";
const PEER_TYPE: &str = "peerType";
const CAN_TRICKLE: &str = "canTrickleIceCandidates";
const LEFT: &str = "Peer has left the signaling server";

/// A peer as others are told of it, and as `GET /connections` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    pub socket_id: String,
    pub peer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_trickle_ice_candidates: Option<bool>,
}

impl Connection {
    /// None: a member who came by another door.
    pub fn of(identity: &Identity, attributes: &BTreeMap<String, String>) -> Option<Self> {
        if attributes.get(DOOR).map(String::as_str) != Some(DOOR_NAME) {
            return None;
        }
        Some(Self {
            socket_id: attributes.get(SOCKET_ID)?.clone(),
            peer_id: identity.as_str().to_owned(),
            peer_type: attributes.get(PEER_TYPE).cloned(),
            can_trickle_ice_candidates: attributes.get(CAN_TRICKLE).map(|text| text == "true"),
        })
    }
}

/// A conversation.
#[derive(Debug)]
pub struct Peers {
    room: RoomName,
    token: Option<Secret>,
    ways: Asked,
    socket_id: String,
    stage: Stage,
    /// The others who came by this door and said `ready`.
    members: BTreeMap<PeerId, Connection>,
    early: VecDeque<Message>,
    dropped: Dropped,
    outputs: VecDeque<DoorOutput>,
}

#[derive(Debug)]
enum Stage {
    /// Hears nothing yet: who is told of others before he says who he is, waits for them to offer as they wait for him.
    Nameless,
    /// `ready` was said.
    Entering(Ready),
    Present(Identity),
    Over,
}

#[derive(Debug, Clone)]
struct Ready {
    identity: Identity,
    attributes: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Message {
    All(String),
    One(String),
}

impl Peers {
    /// `auth` is the JSON that came with the connect packet of the namespace (empty: none), `query` the URL's query. The
    /// error is a sentence for the connect error.
    pub fn new(auth: &str, query: &str, socket_id: &str) -> Result<Self, String> {
        json::check(auth).map_err(|error| error.to_string())?;
        let query = Query::parse(query);
        let auth = Members::read(auth);
        let said = |name: &str| {
            let said = auth.as_ref().and_then(|auth| auth.string(name));
            said.unwrap_or_else(|| query.text(name).to_owned())
        };
        let room = Some(said("room"))
            .filter(|room| !room.is_empty())
            .unwrap_or_else(|| ROOM_DEFAULT.to_owned());
        if room.len() > ROOM_NAME_BYTES_MAX {
            return Err("The room's name is too long".to_owned());
        }
        let token = [said("token"), said("access_token")];
        let token = token.into_iter().find(|token| !token.is_empty());
        Ok(Self {
            room: RoomName::new(&room),
            token: token.map(Secret::from),
            ways: Asked::new(said("ice") == "1"),
            socket_id: socket_id.to_owned(),
            stage: Stage::Nameless,
            members: BTreeMap::new(),
            early: VecDeque::new(),
            dropped: Dropped::default(),
            outputs: VecDeque::new(),
        })
    }

    fn ready(&mut self, arguments: &[&RawValue]) {
        match &self.stage {
            Stage::Nameless => {}
            Stage::Entering(Ready { identity, .. }) | Stage::Present(identity) => {
                let sentence = format!("This socket is {identity} already.");
                self.refuse(&sentence);
                return;
            }
            Stage::Over => return,
        }
        let identity = match peer_id(arguments.first().copied()) {
            Ok(identity) => identity,
            Err(sentence) => {
                self.refuse(sentence);
                return;
            }
        };
        let mut attributes = BTreeMap::from([
            (DOOR.to_owned(), DOOR_NAME.to_owned()),
            (SOCKET_ID.to_owned(), self.socket_id.clone()),
        ]);
        let peer_type = arguments.get(1).and_then(|raw| text_of(raw));
        if let Some(peer_type) = peer_type.filter(|text| text.len() <= PEER_TYPE_BYTES_MAX) {
            attributes.insert(PEER_TYPE.to_owned(), peer_type);
        }
        let can_trickle = arguments.get(2).map(|raw| raw.get());
        if let Some(can_trickle @ ("true" | "false")) = can_trickle {
            attributes.insert(CAN_TRICKLE.to_owned(), can_trickle.to_owned());
        }
        let entrance = Entrance {
            is_exclusive: true,
            token: self.token.clone(),
            ..Entrance::new(self.room.clone(), identity.clone(), Topology::Mesh)
        };
        self.outputs.push_back(DoorOutput::Enter(PLACE, entrance));
        self.stage = Stage::Entering(Ready {
            identity,
            attributes,
        });
    }

    fn message(&mut self, message: Message) {
        match &self.stage {
            Stage::Present(identity) => {
                let identity = identity.clone();
                self.relay(&identity, &message);
            }
            Stage::Nameless | Stage::Entering(_) => {
                if self.early.len() < EARLY_MESSAGES_MAX {
                    self.early.push_back(message);
                } else {
                    self.dropped.early += 1;
                }
            }
            Stage::Over => {}
        }
    }

    /// Who sent it is ours to say.
    fn relay(&mut self, from: &Identity, message: &Message) {
        let (Message::All(text) | Message::One(text)) = message;
        let hidden = match self.ways.hides_addresses {
            true => hiding::message(text),
            false => Some(text.into()),
        };
        let Some(text) = hidden else {
            return;
        };
        let Some(members) = Members::read(&text) else {
            self.dropped.malformed += 1;
            return;
        };
        let to = match message {
            Message::All(_) => Recipients::Peers(self.members.keys().copied().collect()),
            Message::One(_) => {
                let target = members.string("target").unwrap_or_default();
                let mut present = self.members.iter();
                match present.find(|(_, member)| member.peer_id == target) {
                    Some((peer, _)) => Recipients::Peers(vec![*peer]),
                    None => {
                        self.dropped.nobody += 1;
                        return;
                    }
                }
            }
        };
        let payload = members.with("from", from.as_str());
        let message = relayed(LABEL, FORM, payload, to);
        self.request(Request::Data(Box::new(message)));
    }

    /// The one error of this protocol; the original ends the connection with it.
    fn refuse(&mut self, sentence: &str) {
        let argument = format!("{{\"message\":{}}}", quoted(sentence));
        self.emit("uniquenessError", &argument);
        self.close();
    }

    fn close(&mut self) {
        self.stage = Stage::Over;
        self.ways = Asked::default();
        self.outputs.push_back(DoorOutput::Close);
    }

    fn emit(&mut self, event: &str, argument: &str) {
        let text = format!("[{},{argument}]", quoted(event));
        let frame = DoorOutput::Frame(Frame::Text(text));
        self.outputs.push_back(frame);
    }

    fn introduce(&mut self, from: &str, target: &str, connections: &[Connection], be_polite: bool) {
        let connections = serde_json::to_string(connections).expect("strings only");
        let (from, target) = (quoted(from), quoted(target));
        let argument = format!(
            r#"{{"from":{from},"target":{target},"payload":{{"action":"open","connections":{connections},"bePolite":{be_polite}}}}}"#
        );
        self.emit("message", &argument);
    }

    fn request(&mut self, request: Request) {
        self.outputs.push_back(DoorOutput::Request(PLACE, request));
    }

    fn joined(&mut self, others: &[Arc<PeerInfo>]) {
        self.members = others.iter().filter_map(|info| listed(info)).collect();
        let Stage::Entering(Ready { identity, .. }) = &self.stage else {
            return;
        };
        let identity = identity.clone();
        let connections: Vec<_> = self.members.values().cloned().collect();
        self.introduce("all", identity.as_str(), &connections, false);
        self.stage = Stage::Present(identity.clone());
        for message in std::mem::take(&mut self.early) {
            self.relay(&identity, &message);
        }
    }

    fn peer_joined(&mut self, info: &PeerInfo) {
        let Some((peer, connection)) = listed(info) else {
            return;
        };
        self.members.insert(peer, connection.clone());
        let from = connection.peer_id.clone();
        self.introduce(&from, "all", &[connection], true);
    }

    fn peer_left(&mut self, info: &PeerInfo) {
        let Some(connection) = self.members.remove(&info.id) else {
            return;
        };
        let from = quoted(&connection.peer_id);
        let argument = format!(
            r#"{{"from":{from},"target":"all","payload":{{"action":"close","message":"{LEFT}"}}}}"#
        );
        self.emit("message", &argument);
    }
}

impl Door for Peers {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        let Frame::Text(text) = frame else {
            self.dropped.malformed += 1;
            return;
        };
        let event = json::check(&text).ok().and_then(|()| event_of(&text));
        let Some((name, arguments)) = event else {
            self.dropped.malformed += 1;
            return;
        };
        let message = arguments.first().map(|raw| raw.get().to_owned());
        match (name.as_str(), message) {
            ("ready", _) => self.ready(&arguments),
            ("message", Some(message)) => self.message(Message::All(message)),
            ("messageOne", Some(message)) => self.message(Message::One(message)),
            _ => self.dropped.malformed += 1,
        }
    }

    fn handle_entered(&mut self, _now: Now, place: Place, entered: Result<Entered, EnterError>) {
        match (&self.stage, entered) {
            (Stage::Entering(ready), Ok(entered)) => {
                let mut join = entered.join(&ready.identity, "", ready.attributes.clone());
                join.form = FORM;
                self.request(Request::Join(Box::new(join)));
                self.outputs
                    .extend(self.ways.entered(place, &entered, None));
            }
            (Stage::Entering(ready), Err(error)) => {
                let sentence = sentence(error, &ready.identity);
                self.refuse(&sentence);
            }
            (Stage::Nameless | Stage::Present(_) | Stage::Over, Ok(_)) => {
                self.outputs.push_back(DoorOutput::Quit(place));
            }
            (Stage::Nameless | Stage::Present(_) | Stage::Over, Err(_)) => {}
        }
    }

    fn handle_event(&mut self, _now: Now, _place: Place, event: Event) {
        match event {
            Event::Joined(state) => self.joined(&state.others),
            Event::PeerJoined(info) => self.peer_joined(&info),
            Event::PeerLeft { peer, .. } => self.peer_left(&peer),
            Event::Data { form, payload, .. } if form == FORM => {
                self.emit("message", &String::from_utf8_lossy(&payload));
            }
            Event::Closed { .. } => self.close(),
            Event::Refused { .. } => self.dropped.refused += 1,
            // Other kinds of members talk of what this protocol has no words for.
            Event::Data { .. } | Event::PeerUpdated(_) | media!() | wordless!() => {}
        }
    }

    fn handle_ways(&mut self, now: Now, ways: &Ways) {
        let said = self.ways.told(now, ways);
        self.emit("ice", &said);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.outputs.extend(self.ways.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ways.poll_timeout()
    }

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }

    fn dropped(&self) -> Dropped {
        self.dropped
    }
}

fn listed(info: &PeerInfo) -> Option<(PeerId, Connection)> {
    Some((info.id, Connection::of(&info.identity, &info.attributes)?))
}

/// An event's name and its arguments.
fn event_of(text: &str) -> Option<(String, Vec<&RawValue>)> {
    let parts: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let (name, arguments) = parts.split_first()?;
    Some((text_of(name)?, arguments.to_vec()))
}

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn peer_id(argument: Option<&RawValue>) -> Result<Identity, &'static str> {
    let Some(text) = argument.and_then(text_of) else {
        return Err("A peer ID must be a string. Please change your peer ID and try again.");
    };
    if text.trim().is_empty() || text.len() > PEER_ID_BYTES_MAX {
        return Err("A peer ID has 1 to 256 bytes. Please change your peer ID and try again.");
    }
    if text.chars().any(char::is_control) {
        return Err(
            "A peer ID has no control characters. Please change your peer ID and try again.",
        );
    }
    Ok(Identity::new(&text))
}

fn sentence(error: EnterError, identity: &Identity) -> String {
    match error {
        EnterError::Taken => format!(
            "{identity} is already connected to the signalling server. Please change your peer ID and try again."
        ),
        EnterError::NotAllowed => format!("{identity} is not allowed to connect here."),
        EnterError::NoSuchRoom => "There is no such room.".to_owned(),
        EnterError::RoomFull => "The room is full.".to_owned(),
        EnterError::ServerFull => "The signalling server is full.".to_owned(),
        EnterError::Stopping => "The signalling server is stopping.".to_owned(),
        EnterError::Mesh | EnterError::Sfu => {
            "The peers of this room are connected by way of the server, not to each other."
                .to_owned()
        }
    }
}
