//! The door of Kurento's control protocol: programs on kurento-client make pipelines and endpoints here, and connect them.
//! An endpoint is a member of a room with one connection; a pipeline is the room in which its endpoints meet.

mod describe;
mod events;
mod invoke;
mod media;
mod objects;
mod rpc;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use madang_sfu::api::{ConnectionKey, Entropy, Event, Identity, Now, Request, RoomName};
use serde_json::{Value, json};

use crate::Frame;
use crate::door::{Door, DoorOutput, Dropped, EnterError, Entered, Entrance, Place, farewell};
use crate::offering::unheard;
use crate::query::Query;
use crate::room::Topology;
use crate::uuid;

use self::describe::Type;
use self::objects::{Body, Endpoint, Id, Object, Objects, Stage};
use self::rpc::{Call, Fault, Kind, Ticket};

const MAIN: ConnectionKey = ConnectionKey(0);
const NAME_BYTES_MAX: usize = 256;
/// What the rooms of pipelines have in front, and whose rights hold for them.
const OWN_ROOMS: &str = "kurento";

/// A conversation.
pub struct Kurento {
    /// Where all pipelines are, if the client named a room; else each has its own.
    room: Option<RoomName>,
    token: Option<String>,
    entropy: Box<dyn Entropy>,
    session: String,
    server: String,
    objects: Objects,
    places: u32,
    dropped: Dropped,
    outputs: VecDeque<DoorOutput>,
}

/// How a request ends if nothing is wrong with it.
enum Outcome {
    /// A result with a value, as most are.
    Value(Value),
    Result(Value),
    /// When the core has spoken.
    Later,
}

/// The room by whose rights somebody enters: the rooms that pipelines are given are entered by those of one that can be
/// named beforehand.
pub fn authority(room: &str) -> &str {
    let own = room.strip_prefix(OWN_ROOMS);
    let uuid = own.and_then(|rest| rest.strip_prefix('/'));
    let is_uuid = |text: &str| {
        let is_fit = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
        text.len() == uuid::CHARS && text.bytes().all(is_fit)
    };
    match uuid {
        Some(uuid) if is_uuid(uuid) => OWN_ROOMS,
        Some(_) | None => room,
    }
}

impl Kurento {
    /// The error is a sentence for the client.
    pub fn new(query: &str, mut entropy: Box<dyn Entropy>) -> Result<Self, String> {
        let query = Query::parse(query);
        let room = match query.text("room") {
            "" => None,
            room if room.len() > NAME_BYTES_MAX => return Err("room: at most 256 bytes".to_owned()),
            room => Some(RoomName::new(room)),
        };
        let token = query.text("access_token");
        let (session, server) = (
            uuid::random(entropy.as_mut()),
            uuid::random(entropy.as_mut()),
        );
        Ok(Self {
            room,
            token: (!token.is_empty()).then(|| token.to_owned()),
            entropy,
            session,
            server,
            objects: Objects::new(),
            places: 0,
            dropped: Dropped::default(),
            outputs: VecDeque::new(),
        })
    }

    fn send(&mut self, text: String) {
        self.outputs.push_back(DoorOutput::Frame(Frame::Text(text)));
    }

    fn request(&mut self, place: Place, request: Request) {
        self.outputs.push_back(DoorOutput::Request(place, request));
    }

    fn answer(&mut self, ticket: &Ticket, outcome: &Result<Value, Fault>) {
        self.send(rpc::answer(ticket, outcome));
    }

    fn value(&self, value: &Value) -> Value {
        json!({ "sessionId": self.session, "value": value })
    }

    fn call(&mut self, now: Now, call: &Call) -> Result<Outcome, Fault> {
        match call.method.as_str() {
            "ping" => Ok(Outcome::Result(match call.session() {
                Some(_) => self.value(&json!("pong")),
                None => json!({ "value": "pong" }),
            })),
            "connect" => {
                if call.session().is_some() {
                    self.check_session(call)?;
                }
                Ok(Outcome::Result(
                    json!({ "serverId": self.server, "sessionId": self.session }),
                ))
            }
            "keepAlive" => {
                call.params()?.text("sessionId")?;
                self.check_session(call)?;
                Ok(self.nothing())
            }
            "closeSession" => {
                call.params()?.text("sessionId")?;
                Ok(Outcome::Result(Value::Null))
            }
            "ref" | "unref" => {
                let object = call.params()?.text("object")?;
                if call.method == "ref" {
                    self.objects.find(object)?;
                }
                Ok(self.nothing())
            }
            "describe" => {
                let (_, kind) = self.objects.find(call.params()?.text("object")?)?;
                Ok(Outcome::Result(kind.describe(&self.session)))
            }
            "create" => self.create(now, call),
            "invoke" => self.invoke(now, call),
            "subscribe" => self.subscribe(call),
            "unsubscribe" => {
                let params = call.params()?;
                let (object, subscription) = (params.text("object")?, params.text("subscription")?);
                // Of what is gone there is nothing to hear any more: no error.
                if let Some(object) = self.objects.get_mut(object) {
                    object.unsubscribe(subscription);
                }
                Ok(self.nothing())
            }
            "release" => {
                let object = call.params()?.text("object")?;
                self.release(now, object);
                Ok(self.nothing())
            }
            _ => Err(Fault::no_such_method()),
        }
    }

    /// A result without a value.
    fn nothing(&self) -> Outcome {
        Outcome::Result(json!({ "sessionId": self.session }))
    }

    /// Nothing outlives the carrier, so a session of another one is none.
    fn check_session(&self, call: &Call) -> Result<(), Fault> {
        if call.session() == Some(self.session.as_str()) {
            return Ok(());
        }
        Err(Fault::new(Kind::InvalidSession, "Invalid session"))
    }

    fn create(&mut self, now: Now, call: &Call) -> Result<Outcome, Fault> {
        let params = call.params()?;
        let kind = Type::of_name(params.text("type")?)?;
        self.objects.check_room()?;
        let arguments = params.inner("constructorParams");
        if kind != Type::Endpoint {
            let uuid = uuid::random(self.entropy.as_mut());
            let own = || RoomName::new(&format!("{OWN_ROOMS}/{uuid}"));
            let room = self.room.clone().unwrap_or_else(own);
            let id = Id::from(format!("{uuid}_kurento.{}", kind.name()));
            let object = Object::new(None, Body::Pipeline(room), Some(now));
            self.objects.insert(Arc::clone(&id), object);
            self.tell_manager(now, "ObjectCreated", json!({ "object": &*id }));
            return Ok(Outcome::Value(json!(&*id)));
        }
        let pipeline = arguments.text("mediaPipeline")?;
        let (pipeline, _) = self.objects.find(pipeline)?;
        let room = self.objects.room_of(&pipeline);
        let room = room.ok_or_else(|| Fault::not_found(&pipeline))?;
        let uuid = uuid::random(self.entropy.as_mut());
        let place = Place(self.places);
        let identity = Identity::new(&uuid);
        let mut endpoint = Endpoint::new(place, identity.clone(), call.ticket.clone());
        endpoint.takes = !arguments.flag_if_any("sendonly")?;
        endpoint.gives = !arguments.flag_if_any("recvonly")?;
        endpoint.has_data = arguments.flag_if_any("useDataChannels")?;
        self.places += 1;
        let id = Id::from(format!("{pipeline}/{uuid}_kurento.{}", kind.name()));
        let object = Object::new(
            Some(pipeline),
            Body::Endpoint(Box::new(endpoint)),
            Some(now),
        );
        self.objects.insert(id, object);
        let entrance = Entrance {
            room,
            identity,
            topology: Topology::Sfu,
            is_exclusive: true,
            takes_over: false,
            key: None,
            token: self.token.clone(),
        };
        self.outputs.push_back(DoorOutput::Enter(place, entrance));
        Ok(Outcome::Later)
    }

    fn subscribe(&mut self, call: &Call) -> Result<Outcome, Fault> {
        let params = call.params()?;
        let (event, object) = (params.text("type")?, params.text("object")?);
        let subscription = uuid::random(self.entropy.as_mut());
        let known = self.objects.get_mut(object);
        let known = known.ok_or_else(|| Fault::not_found(object))?;
        known.subscribe(&subscription, event)?;
        Ok(Outcome::Value(json!(subscription)))
    }

    /// The place is given, or not: the endpoint is made, or not.
    fn created(&mut self, now: Now, id: &Id, entered: Result<Entered, EnterError>) {
        let Some(endpoint) = self.objects.endpoint_mut(id) else {
            return;
        };
        let Some(ticket) = endpoint.creating.take() else {
            return;
        };
        let entered = match entered {
            Ok(entered) => entered,
            Err(error) => {
                self.objects.remove(id);
                let kind = error.is_own_fault().then_some(Kind::Unexpected);
                let kind = kind.unwrap_or(Kind::NotEnoughResources);
                self.dropped.refused += 1;
                self.answer(&ticket, &Err(Fault::new(kind, error.to_string())));
                return;
            }
        };
        endpoint.stage = Stage::Inside;
        endpoint.peer = Some(entered.peer);
        let join = entered.join(&endpoint.identity, "", BTreeMap::new());
        let place = endpoint.place;
        self.request(place, Request::Join(Box::new(join)));
        let value = self.value(&json!(&**id));
        self.answer(&ticket, &Ok(value));
        self.tell_manager(now, "ObjectCreated", json!({ "object": &**id }));
        self.offer(id);
    }
}

impl Door for Kurento {
    fn handle_frame(&mut self, now: Now, frame: Frame) {
        let text = match frame {
            Frame::Text(text) => text,
            // Not JSON either.
            Frame::Binary(_) => String::new(),
        };
        let call = match Call::read(&text) {
            Ok(call) => call,
            Err(fault) => {
                self.dropped.malformed += 1;
                // There is no id to be trusted.
                self.answer(&Ticket(None), &Err(fault));
                return;
            }
        };
        let outcome = match self.call(now, &call) {
            Ok(Outcome::Later) => return,
            Ok(Outcome::Value(value)) => Ok(self.value(&value)),
            Ok(Outcome::Result(result)) => Ok(result),
            Err(fault) => Err(fault),
        };
        self.answer(&call.ticket, &outcome);
        self.tell_flows(now);
    }

    fn handle_entered(&mut self, now: Now, place: Place, entered: Result<Entered, EnterError>) {
        match self.objects.at(place) {
            Some(id) => self.created(now, &id, entered),
            // Released meanwhile.
            None => self.outputs.push_back(DoorOutput::Quit(place)),
        }
    }

    fn handle_event(&mut self, now: Now, place: Place, event: Event) {
        let Some(id) = self.objects.at(place) else {
            return;
        };
        match event {
            Event::PeerUpdated(info) => {
                let own = self.objects.endpoint(&id).and_then(|own| own.peer);
                if own == Some(info.id) {
                    self.published(&id, &info);
                    self.tell_flows(now);
                }
            }
            Event::Answer { sdp, .. } => self.answered(now, &id, &sdp),
            Event::Refused { request, refusal } => self.refused(now, &id, &request, &refusal),
            Event::Connected { .. } => self.link_changed(now, &id, true),
            Event::Disconnected { .. } => self.link_changed(now, &id, false),
            Event::ChannelOpen { label } => self.channel_open(&id, label),
            Event::DataReceived {
                label,
                payload,
                binary,
            } => self.data_received(&id, label, payload, binary),
            Event::Flowing { track, flowing } => self.flows(now, &id, track, flowing),
            Event::Closed { reason } => self.gone(now, &id, farewell(reason)),
            // What others in the room do is nothing to an endpoint: it has what it is connected to.
            Event::Joined(_)
            | Event::PeerJoined(_)
            | Event::PeerLeft { .. }
            | Event::Published { .. }
            | Event::Unpublished { .. }
            | Event::Unsubscribed { .. }
            | Event::Data { .. }
            | unheard!() => {}
        }
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn dropped(&self) -> Dropped {
        self.dropped
    }
}

impl fmt::Debug for Kurento {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kurento")
            .field("room", &self.room)
            .field("objects", &self.objects)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
