//! The door of Kurento's one2many-call tutorial: one presenter, any number of viewers. The Node and the Java tutorial
//! differ in their sentences and in what they make of unknown messages.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, DataMessage, Event, Identity, Now, Offerer, PeerId, PeerInfo,
    PlainData, Recipients, Request, RequestKind, RoomName,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Frame;
use crate::door::{
    Door, DoorOutput, EnterError, Entered, Entrance, FORM_PLAIN, Place, UploadError,
};
use crate::json;
use crate::query::Query;
use crate::roster::{Roster, tracks_of};

const ROOM_DEFAULT: &str = "one2many";
const PRESENTER: &str = "presenter";
const MAIN: ConnectionKey = ConnectionKey(0);
const NAME_BYTES_MAX: usize = 256;

/// Whose sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Node,
    Java,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Presenter,
    Viewer,
}

/// A place that is held or asked for.
#[derive(Debug)]
struct Call {
    place: Place,
    role: Role,
    identity: Identity,
    /// Until its publisher's tracks are known.
    offer: Option<String>,
    is_inside: bool,
    is_open: bool,
    /// Whom a viewer watches.
    watched: Option<PeerId>,
    roster: Roster,
    channel: Option<Arc<str>>,
}

/// A conversation.
#[derive(Debug)]
pub struct One2Many {
    flavour: Flavour,
    room: RoomName,
    token: Option<String>,
    seed: u64,
    places: u32,
    call: Option<Call>,
    outputs: VecDeque<DoorOutput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    #[serde(default)]
    sdp_offer: Option<String>,
    #[serde(default)]
    candidate: Option<CandidateLine>,
}

#[derive(Debug, Deserialize)]
struct CandidateLine {
    #[serde(default)]
    candidate: String,
}

impl One2Many {
    /// As the Node tutorial, at `/one2many`. The error is a sentence for the client.
    pub fn node(query: &str, seed: u64) -> Result<Self, String> {
        Self::new(Flavour::Node, query, seed)
    }

    /// As the Java tutorial, at `/call`.
    pub fn java(query: &str, seed: u64) -> Result<Self, String> {
        Self::new(Flavour::Java, query, seed)
    }

    fn new(flavour: Flavour, query: &str, seed: u64) -> Result<Self, String> {
        let query = Query::parse(query);
        let room = match query.text("room") {
            "" => ROOM_DEFAULT,
            room if room.len() > NAME_BYTES_MAX => return Err("room: at most 256 bytes".to_owned()),
            room => room,
        };
        let token = query.text("access_token");
        Ok(Self {
            flavour,
            room: RoomName::new(room),
            token: (!token.is_empty()).then(|| token.to_owned()),
            seed,
            places: 0,
            call: None,
            outputs: VecDeque::new(),
        })
    }

    fn send(&mut self, message: &Value) {
        self.outputs
            .push_back(DoorOutput::Frame(Frame::Text(message.to_string())));
    }

    fn request(&mut self, place: Place, request: Request) {
        self.outputs.push_back(DoorOutput::Request(place, request));
    }

    fn reject(&mut self, role: Role, sentence: &str) {
        let id = match role {
            Role::Presenter => "presenterResponse",
            Role::Viewer => "viewerResponse",
        };
        self.send(&json!({ "id": id, "response": "rejected", "message": sentence }));
    }

    fn begin(&mut self, role: Role, offer: Option<String>) {
        let Some(offer) = offer else {
            self.reject(role, "sdpOffer is missing");
            return;
        };
        if let Some(call) = &self.call {
            match (self.flavour, call.role, role) {
                (Flavour::Java, Role::Viewer, Role::Viewer) => {
                    let sentence = "You are already viewing in this session. Use a different browser to add additional viewers.";
                    self.reject(role, sentence);
                    return;
                }
                (_, Role::Presenter, Role::Presenter) => {
                    let sentence = self.taken();
                    self.reject(role, sentence);
                    return;
                }
                _ => self.hang_up(),
            }
        }
        let place = Place(self.places);
        self.places += 1;
        let identity = match role {
            Role::Presenter => Identity::new(PRESENTER),
            Role::Viewer => Identity::new(&format!("viewer-{:016x}-{}", self.seed, place.0)),
        };
        let entrance = Entrance {
            room: self.room.clone(),
            identity: identity.clone(),
            is_exclusive: role == Role::Presenter,
            token: self.token.clone(),
        };
        self.call = Some(Call {
            place,
            role,
            identity,
            offer: Some(offer),
            is_inside: false,
            is_open: false,
            watched: None,
            roster: Roster::default(),
            channel: None,
        });
        self.outputs.push_back(DoorOutput::Enter(place, entrance));
    }

    fn taken(&self) -> &'static str {
        match self.flavour {
            Flavour::Node => "Another user is currently acting as presenter. Try again later ...",
            Flavour::Java => "Another user is currently acting as sender. Try again later ...",
        }
    }

    fn nobody(&self) -> &'static str {
        match self.flavour {
            Flavour::Node => "No active presenter. Try again later...",
            Flavour::Java => "No active sender now. Become sender or . Try again later ...",
        }
    }

    fn hang_up(&mut self) {
        if let Some(call) = self.call.take() {
            self.outputs.push_back(DoorOutput::Quit(call.place));
        }
    }

    /// The watched one is gone.
    fn stop_communication(&mut self) {
        self.send(&json!({ "id": "stopCommunication" }));
        self.hang_up();
    }

    fn candidate(&mut self, candidate: Option<CandidateLine>) {
        let Some(call) = self.call.as_ref().filter(|call| call.is_open) else {
            return;
        };
        let line = candidate.map(|line| line.candidate).unwrap_or_default();
        if !line.is_empty() {
            self.request(
                call.place,
                Request::Candidate {
                    connection: MAIN,
                    candidate: line,
                },
            );
        }
    }

    fn unknown(&mut self) {
        if self.flavour == Flavour::Node {
            self.send(&json!({ "id": "error", "message": "Invalid message [object Object]" }));
        }
    }

    /// Inside: a presenter offers at once, a viewer when it knows what it will get.
    fn proceed(&mut self) {
        let nobody = self.nobody();
        let Some(call) = self
            .call
            .as_mut()
            .filter(|call| call.is_inside && call.offer.is_some())
        else {
            return;
        };
        let place = call.place;
        let tracks = match call.role {
            Role::Presenter => Vec::new(),
            Role::Viewer => match whom(&call.roster) {
                None => {
                    self.reject(Role::Viewer, nobody);
                    self.hang_up();
                    return;
                }
                // It has only just come in: its tracks follow.
                Some(presenter) if presenter.publications.is_empty() => return,
                Some(presenter) => {
                    call.watched = Some(presenter.id);
                    tracks_of(presenter)
                }
            },
        };
        let (role, offer) = (call.role, call.offer.take().unwrap_or_default());
        call.is_open = true;
        self.request(
            place,
            Request::Open {
                connection: MAIN,
                options: options(role),
            },
        );
        if role == Role::Viewer {
            // Before the offer, so that its answer carries them.
            self.request(
                place,
                Request::Subscribe {
                    tracks,
                    connection: Some(MAIN),
                },
            );
        }
        self.request(
            place,
            Request::Offer {
                connection: MAIN,
                sdp: offer,
                number: 0,
            },
        );
    }

    fn answered(&mut self, sdp: &str) {
        let Some(role) = self.call.as_ref().map(|call| call.role) else {
            return;
        };
        let candidates = self.candidates(sdp);
        match role {
            Role::Presenter => {
                for candidate in candidates {
                    self.send(&candidate);
                }
                self.send(
                    &json!({ "id": "presenterResponse", "response": "accepted", "sdpAnswer": sdp }),
                );
            }
            Role::Viewer => {
                self.send(
                    &json!({ "id": "viewerResponse", "response": "accepted", "sdpAnswer": sdp }),
                );
                for candidate in candidates {
                    self.send(&candidate);
                }
            }
        }
    }

    /// They stand in the answer already; programs that wait for them get them as messages too.
    fn candidates(&self, sdp: &str) -> Vec<Value> {
        let mid = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=mid:"))
            .unwrap_or("0");
        let first = sdp
            .find("\r\nm=")
            .map_or(sdp, |at| sdp.get(at + 2..).unwrap_or(sdp));
        let section = first.split("\r\nm=").next().unwrap_or(first);
        section
            .lines()
            .filter_map(|line| {
                line.strip_prefix("a=")
                    .filter(|line| line.starts_with("candidate:"))
            })
            .map(|line| {
                let mut candidate = json!({ "candidate": line, "sdpMid": mid, "sdpMLineIndex": 0 });
                if self.flavour == Flavour::Node
                    && let Some(members) = candidate.as_object_mut()
                {
                    members.insert("__module__".to_owned(), json!("kurento"));
                    members.insert("__type__".to_owned(), json!("IceCandidate"));
                }
                json!({ "id": "iceCandidate", "candidate": candidate })
            })
            .collect()
    }

    /// From the presenter's channel to all viewers; Kurento connects data one way, as the media.
    fn data_received(&mut self, label: Arc<str>, payload: Bytes, binary: bool) {
        let Some(call) = self
            .call
            .as_ref()
            .filter(|call| call.role == Role::Presenter)
        else {
            return;
        };
        let message = DataMessage {
            plain: Some(PlainData {
                label: Arc::clone(&label),
                payload: payload.clone(),
            }),
            label,
            reliable: true,
            binary,
            form: FORM_PLAIN,
            // Every viewer's channel has a name of its own.
            translate: true,
            payload,
            to: Recipients::Others,
            from_peer: true,
        };
        self.request(call.place, Request::Data(Box::new(message)));
    }

    fn data(&mut self, plain: Option<PlainData>, reliable: bool, binary: bool) {
        let Some(call) = self.call.as_ref() else {
            return;
        };
        if let (Some(label), Some(plain)) = (call.channel.clone(), plain) {
            self.request(
                call.place,
                Request::Send {
                    label,
                    payload: plain.payload,
                    binary,
                    reliable,
                },
            );
        }
    }

    fn gone(&mut self, peer: PeerId) {
        let Some(call) = &mut self.call else { return };
        call.roster.remove(peer);
        if call.watched == Some(peer) {
            self.stop_communication();
        }
    }

    fn seen(&mut self, info: Arc<PeerInfo>) {
        let Some(call) = &mut self.call else { return };
        if info.identity == call.identity {
            return;
        }
        let is_over = call.watched == Some(info.id) && info.publications.is_empty();
        call.roster.put(info);
        if is_over {
            self.stop_communication();
        } else {
            self.proceed();
        }
    }

    fn refused(&mut self, request: &RequestKind, sentence: &str) {
        let Some(role) = self.call.as_ref().map(|call| call.role) else {
            return;
        };
        match request {
            RequestKind::Offer { .. } | RequestKind::Open(_) | RequestKind::Join => {
                self.reject(role, sentence);
                self.hang_up();
            }
            RequestKind::Answer { .. }
            | RequestKind::Candidate(_)
            | RequestKind::Publish { .. }
            | RequestKind::Unpublish(_)
            | RequestKind::Mute(_)
            | RequestKind::UpdatePublication(_)
            | RequestKind::Subscribe(_)
            | RequestKind::Prefer(_)
            | RequestKind::Data
            | RequestKind::Update => {}
        }
    }

    fn is_current(&self, place: Place) -> bool {
        self.call.as_ref().is_some_and(|call| call.place == place)
    }
}

impl Door for One2Many {
    fn handle_frame(&mut self, _now: Now, frame: Frame) {
        let Frame::Text(text) = frame else {
            self.unknown();
            return;
        };
        let Ok(message) = json::read::<Message>(&text) else {
            self.unknown();
            return;
        };
        match message.id.as_str() {
            "presenter" => self.begin(Role::Presenter, message.sdp_offer),
            "viewer" => self.begin(Role::Viewer, message.sdp_offer),
            "onIceCandidate" => self.candidate(message.candidate),
            "stop" => self.hang_up(),
            _ => self.unknown(),
        }
    }

    fn handle_entered(&mut self, _now: Now, place: Place, entered: Result<Entered, EnterError>) {
        let Some((role, identity)) = self
            .call
            .as_ref()
            .filter(|call| call.place == place)
            .map(|call| (call.role, call.identity.clone()))
        else {
            return;
        };
        match entered {
            Ok(entered) => {
                let attributes = BTreeMap::from([("role".to_owned(), role.name().to_owned())]);
                let join = entered.join(&identity, role.name(), attributes);
                self.request(place, Request::Join(Box::new(join)));
            }
            Err(error) => {
                self.call = None;
                let sentence = match error {
                    EnterError::Taken => self.taken().to_owned(),
                    EnterError::NoSuchRoom
                    | EnterError::RoomFull
                    | EnterError::ServerFull
                    | EnterError::NotAllowed
                    | EnterError::Stopping => error.to_string(),
                };
                self.reject(role, &sentence);
            }
        }
    }

    fn handle_event(&mut self, _now: Now, place: Place, event: Event) {
        // Of a place that was given up.
        if !self.is_current(place) {
            return;
        }
        match event {
            Event::Joined(state) => {
                if let Some(call) = &mut self.call {
                    call.roster.set(state.others);
                    call.is_inside = true;
                }
                self.proceed();
            }
            Event::PeerJoined(info) | Event::PeerUpdated(info) => self.seen(info),
            Event::Published { peer, .. } | Event::Unpublished { peer, .. } => self.seen(peer),
            Event::PeerLeft { peer, .. } => self.gone(peer.id),
            Event::Answer { sdp, .. } => self.answered(&sdp),
            Event::Refused { request, refusal } => self.refused(&request, &refusal.to_string()),
            Event::ChannelOpen { label } => {
                if let Some(call) = &mut self.call {
                    call.channel = Some(label);
                }
            }
            Event::DataReceived {
                label,
                payload,
                binary,
            } => self.data_received(label, payload, binary),
            Event::Data {
                plain,
                reliable,
                binary,
                ..
            } => self.data(plain, reliable, binary),
            Event::Closed { .. } => {
                let was_viewer = self
                    .call
                    .take()
                    .is_some_and(|call| call.role == Role::Viewer);
                if was_viewer {
                    self.send(&json!({ "id": "stopCommunication" }));
                }
            }
            // No words for these: one presenter, one answer, no layers.
            Event::RoomUpdated(_)
            | Event::Announced { .. }
            | Event::OwnUnpublished { .. }
            | Event::Offer { .. }
            | Event::SectionsWanted { .. }
            | Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Subscribed { .. }
            | Event::Unsubscribed { .. }
            | Event::Watched { .. }
            | Event::Allowed { .. }
            | Event::Speakers(_)
            | Event::Quality(_)
            | Event::LayersWanted { .. }
            | Event::Streaming { .. }
            | Event::MuteAsked { .. } => {}
        }
    }

    fn handle_uploaded(&mut self, _now: Now, _uploaded: Result<String, UploadError>) {}

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Presenter => PRESENTER,
            Self::Viewer => "viewer",
        }
    }
}

/// The presenter; in a room shared with other doors, else whoever publishes.
fn whom(roster: &Roster) -> Option<&Arc<PeerInfo>> {
    roster
        .by_identity(PRESENTER)
        .or_else(|| roster.publishers().next())
}

fn options(role: Role) -> ConnectionOptions {
    let publish = role == Role::Presenter;
    ConnectionOptions {
        offerer: Offerer::Client,
        publish,
        subscribe: !publish,
        primary: true,
        publish_unannounced: publish,
        bitrate_max_bps: None,
        channels: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
