//! The door of the counselling program, `/ertc`: words between an expert and a member, and pictures for both. Media goes
//! from page to page. See `docs/protocols/ertc.md`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use madang_sfu::api::{
    DataForm, Event, Identity, Now, PeerId, PeerInfo, Recipients, Request, RoomName, Update,
};

use crate::Frame;
use crate::door::{
    Door, DoorOutput, Dropped, EnterError, Entered, Entrance, Place, Secret, Stage, UploadError,
    farewell, relayed,
};
use crate::hiding;
use crate::offering::{attributes, media, wordless};
use crate::query::Query;
use crate::room::Topology;
use crate::ways::{Asked, Pass, Ways};

mod message;

use message::Message;

/// How this dialect writes messages: the JSON text of a message.
pub const FORM: DataForm = DataForm(3);
/// Where everybody meets who names no room.
pub const ROOM_DEFAULT: &str = "ertc";
pub const ROOM_NAME_BYTES_MAX: usize = 256;
/// Of a nickname, of a user's number and of a seat's key.
pub const NAME_BYTES_MAX: usize = 256;

const PLACE: Place = Place(0);
/// Frames that came before the conversation was in its room.
const EARLY_FRAMES_MAX: usize = 64;
/// Pictures that are being stored for one conversation.
const UPLOADS_MAX: usize = 4;
const LABEL: &str = "ertc";
const DOOR: &str = "door";
const ROLE: &str = "role";
const NICK: &str = "nick";
const ID: &str = "id";
const SEAT: &str = "seat";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Expert,
    Member,
}

/// Another one in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Other {
    role: Role,
    nick: String,
    id: String,
}

/// A conversation.
#[derive(Debug)]
pub struct Ertc {
    identity: Identity,
    role: Role,
    /// The query said it; else the first message does: only members say `SYS`, and they say it first.
    is_role_known: bool,
    nick: String,
    id: String,
    /// The client wants to hear when the other comes and goes.
    notify: bool,
    ways: Asked,
    /// Nobody else has this role in the room, but for those who do not ask for it.
    is_seated: bool,
    may_speak: bool,
    stage: Stage,
    others: BTreeMap<PeerId, Other>,
    early: VecDeque<Frame>,
    uploads: usize,
    dropped: Dropped,
    outputs: VecDeque<DoorOutput>,
}

impl Ertc {
    /// By the query of `/ertc`. The error is a sentence for the client.
    pub fn new(query: &str, seed: u64) -> Result<Self, String> {
        let query = Query::parse(query);
        let (role, is_role_known) = match query.text("role") {
            "expert" => (Role::Expert, true),
            "member" => (Role::Member, true),
            "" => (Role::Expert, false),
            _ => return Err("role is expert or member".to_owned()),
        };
        let room = Some(query.text("room")).filter(|room| !room.is_empty());
        let room = room.unwrap_or(ROOM_DEFAULT);
        if room.len() > ROOM_NAME_BYTES_MAX || room.chars().any(char::is_control) {
            return Err("room has at most 256 bytes, and no control characters".to_owned());
        }
        for name in [NICK, ID, SEAT] {
            if query.text(name).len() > NAME_BYTES_MAX {
                return Err(format!("{name} has at most 256 bytes"));
            }
        }
        let seat = query.given(SEAT);
        if seat.is_some() && !is_role_known {
            return Err("a seat is for a role".to_owned());
        }
        let is_seated = seat.is_some();
        let identity = match seat {
            Some(_) => Identity::new(&format!("{LABEL}-{}", role.name())),
            None => Identity::new(&format!("{LABEL}-{seed:016x}")),
        };
        let entrance = Entrance {
            is_exclusive: is_seated,
            key: seat.map(Secret::from),
            token: query.secret("access_token"),
            ..Entrance::new(RoomName::new(room), identity.clone(), Topology::Mesh)
        };
        Ok(Self {
            identity,
            role,
            is_role_known,
            nick: query.text(NICK).to_owned(),
            id: query.text(ID).to_owned(),
            notify: query.is_set("notify"),
            ways: Asked::new(query.is_set("ice")),
            is_seated,
            may_speak: false,
            stage: Stage::Entering,
            others: BTreeMap::new(),
            early: VecDeque::new(),
            uploads: 0,
            dropped: Dropped::default(),
            outputs: VecDeque::from([DoorOutput::Enter(PLACE, entrance)]),
        })
    }

    /// What the token says counts, whatever the query says; another role is no mistake to be mended.
    fn signed(&mut self, attributes: &BTreeMap<String, String>) -> Result<(), &'static str> {
        let of = |key: &str| attributes.get(key).filter(|value| !value.is_empty());
        let role = match of(ROLE).map(String::as_str) {
            Some("expert") => Some(Role::Expert),
            Some("member") => Some(Role::Member),
            Some(_) | None => None,
        };
        if let Some(role) = role {
            if self.is_role_known && role != self.role {
                return Err("the token is for the other role");
            }
            (self.role, self.is_role_known) = (role, true);
        }
        for (key, own) in [(NICK, &mut self.nick), (ID, &mut self.id)] {
            if let Some(value) = of(key) {
                own.clone_from(value);
            }
        }
        Ok(())
    }

    fn said(&mut self, frame: Frame) {
        match frame {
            Frame::Text(text) => match Message::read(&text) {
                Ok(message) => self.words(message),
                Err(error) => {
                    self.dropped.malformed += 1;
                    self.tell_error(&error.to_string());
                }
            },
            Frame::Binary(bytes) => self.picture(bytes),
        }
    }

    fn words(&mut self, mut message: Message) {
        let kind = message.kind.as_deref().unwrap_or_default();
        if !self.is_role_known {
            self.is_role_known = true;
            if kind == "SYS" {
                self.role = Role::Member;
                self.show_role();
            }
        }
        let refusal = match (kind, self.role) {
            ("", _) => Some("type is missing"),
            ("FILE2" | "BYE" | "JOIN" | "ICE" | "ERROR", _) => Some("only the server says that"),
            ("END", Role::Member) => Some("only the expert ends the session"),
            ("MEMEND" | "SYS", Role::Expert) => Some("only a member says that"),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.dropped.refused += 1;
            self.tell_error(refusal);
            return;
        }
        // Who somebody is, is known from how he came.
        if kind == "SYS" {
            for (known, said) in [(&self.nick, &mut message.nick), (&self.id, &mut message.id)] {
                if !known.is_empty() {
                    *said = Some(known.clone());
                }
            }
        }
        let hides = self.ways.hides_addresses;
        if hides && !hiding::both(&mut message.sdp, &mut message.candidate) {
            return;
        }
        let role = self.role;
        self.send(&message, |other| other.role != role);
    }

    fn picture(&mut self, bytes: Vec<u8>) {
        if !self.may_speak {
            self.dropped.refused += 1;
            self.tell_error("not allowed by the token");
            return;
        }
        if self.uploads >= UPLOADS_MAX {
            self.dropped.refused += 1;
            self.tell_error("too many pictures at once");
            return;
        }
        self.uploads += 1;
        self.outputs.push_back(DoorOutput::Upload(bytes));
    }

    fn send(&mut self, message: &Message, to: impl Fn(&Other) -> bool) {
        let to: Vec<PeerId> = self
            .others
            .iter()
            .filter(|(_, other)| to(other))
            .map(|(peer, _)| *peer)
            .collect();
        if to.is_empty() {
            return;
        }
        let message = relayed(LABEL, FORM, message.text(), Recipients::Peers(to));
        self.request(Request::Data(Box::new(message)));
    }

    fn show_role(&mut self) {
        if self.stage != Stage::Present {
            return;
        }
        self.request(Request::Update(Box::new(Update {
            attributes: self.attributes(),
            ..Update::default()
        })));
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        attributes([
            (DOOR, LABEL),
            (ROLE, self.role.name()),
            (NICK, &self.nick),
            (ID, &self.id),
        ])
    }

    fn joined(&mut self, others: &[Arc<PeerInfo>]) {
        self.stage = Stage::Present;
        for info in others {
            self.came(info);
        }
        for frame in std::mem::take(&mut self.early) {
            self.said(frame);
        }
    }

    /// Also when something of him changed.
    fn came(&mut self, info: &PeerInfo) {
        let Some(other) = other(info) else {
            return;
        };
        let was_here = self.is_here(&other);
        self.others.insert(info.id, other.clone());
        if self.notify && !was_here && other.role != self.role {
            self.tell(&Message::about("JOIN", &other.nick, &other.id, ""));
        }
    }

    fn left(&mut self, peer: PeerId) {
        let Some(other) = self.others.remove(&peer) else {
            return;
        };
        if !self.notify || other.role == self.role || self.is_here(&other) {
            return;
        }
        self.tell(&Message::about("BYE", &other.nick, &other.id, ""));
    }

    /// Perhaps on another socket: he came back before the old one was known to be dead.
    fn is_here(&self, other: &Other) -> bool {
        self.others.values().any(|present| present == other)
    }

    fn request(&mut self, request: Request) {
        self.outputs.push_back(DoorOutput::Request(PLACE, request));
    }

    fn tell(&mut self, message: &Message) {
        let frame = Frame::Text(message.text());
        self.outputs.push_back(DoorOutput::Frame(frame));
    }

    /// A word that the original has not; its page passes over what it does not know.
    fn tell_error(&mut self, sentence: &str) {
        self.tell(&Message::about("ERROR", "", "", sentence));
    }

    fn end(&mut self, sentence: Option<&str>) {
        if self.stage == Stage::Over {
            return;
        }
        if let Some(sentence) = sentence {
            self.tell_error(sentence);
        }
        self.stage = Stage::Over;
        self.ways = Asked::default();
        self.outputs.push_back(DoorOutput::Close);
    }
}

impl Door for Ertc {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        match self.stage {
            Stage::Present => self.said(frame),
            Stage::Entering if self.early.len() < EARLY_FRAMES_MAX => self.early.push_back(frame),
            Stage::Entering => self.dropped.early += 1,
            Stage::Over => {}
        }
    }

    fn handle_entered(&mut self, _now: Now, place: Place, entered: Result<Entered, EnterError>) {
        match entered {
            Ok(entered) => {
                if let Err(sentence) = self.signed(&entered.attributes) {
                    return self.end(Some(sentence));
                }
                let mut join = entered.join(&self.identity, &self.nick, self.attributes());
                join.form = FORM;
                self.may_speak = join.grant.publish_data;
                let request = Request::Join(Box::new(join));
                self.outputs.push_back(DoorOutput::Request(place, request));
                let pass = Pass::of(&self.identity, &self.nick);
                let wish = self.ways.entered(place, &entered, Some(pass));
                self.outputs.extend(wish);
            }
            Err(EnterError::Taken) => {
                let sentence = format!("the seat of the {} is taken", self.role.name());
                self.end(Some(&sentence));
            }
            Err(error) => self.end(Some(&error.to_string())),
        }
    }

    fn handle_event(&mut self, _now: Now, _place: Place, event: Event) {
        match event {
            Event::Joined(state) => self.joined(&state.others),
            Event::PeerJoined(info) | Event::PeerUpdated(info) => {
                if info.identity != self.identity {
                    self.came(&info);
                }
            }
            Event::PeerLeft { peer, .. } => self.left(peer.id),
            Event::Data { form, payload, .. } if form == FORM => {
                let text = String::from_utf8_lossy(&payload).into_owned();
                self.outputs.push_back(DoorOutput::Frame(Frame::Text(text)));
            }
            Event::Refused { refusal, .. } => {
                self.dropped.refused += 1;
                self.tell_error(&refusal.to_string());
            }
            Event::Closed { reason } => self.end(farewell(reason)),
            // Media, and other kinds of members: this protocol has no words for them.
            Event::Data { .. } | media!() | wordless!() => {}
        }
    }

    fn handle_uploaded(&mut self, _now: Now, uploaded: Result<String, UploadError>) {
        self.uploads = self.uploads.saturating_sub(1);
        match uploaded {
            Ok(name) if self.stage == Stage::Present => {
                let from = if self.is_seated { self.role.name() } else { "" };
                let message = Message::about("FILE2", "", from, &name);
                self.tell(&message);
                self.send(&message, |_| true);
            }
            Ok(_) => {}
            Err(error) => {
                self.dropped.refused += 1;
                self.tell_error(&error.to_string());
            }
        }
    }

    fn handle_ways(&mut self, now: Now, ways: &Ways) {
        let said = self.ways.told(now, ways);
        self.tell(&Message::about("ICE", "", "", &said));
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

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Expert => "expert",
            Self::Member => "member",
        }
    }
}

/// None: he came by another door.
fn other(info: &PeerInfo) -> Option<Other> {
    let of = |key: &str| info.attributes.get(key).map_or("", String::as_str);
    if of(DOOR) != LABEL {
        return None;
    }
    Some(Other {
        role: match of(ROLE) {
            "expert" => Role::Expert,
            _ => Role::Member,
        },
        nick: of(NICK).to_owned(),
        id: of(ID).to_owned(),
    })
}
