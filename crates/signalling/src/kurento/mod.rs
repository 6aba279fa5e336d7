//! The door of Kurento's control protocol: programs on kurento-client make pipelines and endpoints here, and connect them.
//! An endpoint is a member of a room with one connection; a pipeline is the room in which its endpoints meet.

mod words;

use std::collections::VecDeque;
use std::fmt;

use madang_sfu::api::{Entropy, Event, Identity, Now, RoomName};
use serde_json::{Value, json};

use crate::Frame;
use crate::door::{Door, DoorOutput, Dropped, EnterError, Entered, Place};
use crate::jsonrpc::{self, Arguments, Call, Fault, Ticket};
use crate::objects::{Creation, Invocation, Objects, Task, own_part};
use crate::patchbay::{Cord, Medium, Way};
use crate::query::{NAME_BYTES_MAX, Query};
use crate::switchboard::{Output, Purpose, Switchboard};
use crate::uuid;

use self::words::{
    CANDIDATE, CONNECT, GENERATE_OFFER, MANAGER, NO_LOCAL_SDP, NO_OFFER, NO_REMOTE_SDP, PIPELINE,
    SCHEMA, SDP_PARSE, connection, said, state, told,
};

/// What the rooms of pipelines have in front, and whose rights hold for them.
const OWN_ROOMS: &str = "kurento";

/// A conversation.
pub struct Kurento {
    /// Where all pipelines are, if the client named a room; else each has its own.
    room: Option<RoomName>,
    objects: Objects,
    endpoints: Switchboard<Ticket>,
    dropped: Dropped,
    outputs: VecDeque<DoorOutput>,
}

/// The room by whose rights somebody enters: the rooms that pipelines are given are entered by those of one that can be
/// named beforehand.
pub fn authority(room: &str) -> &str {
    match room.split_once('/') {
        Some((OWN_ROOMS, own)) if uuid::is_one(own) => OWN_ROOMS,
        Some(_) | None => room,
    }
}

impl Kurento {
    /// The error is a sentence for the client.
    pub fn new(query: &str, entropy: Box<dyn Entropy>) -> Result<Self, String> {
        let query = Query::parse(query);
        if query.text("room").len() > NAME_BYTES_MAX {
            return Err("room: at most 256 bytes".to_owned());
        }
        let room = query.given("room").map(|room| RoomName::new(&room));
        Ok(Self {
            endpoints: Switchboard::new(query.secret("access_token"), room.is_some()),
            room,
            objects: Objects::new(&SCHEMA, entropy),
            dropped: Dropped::default(),
            outputs: VecDeque::new(),
        })
    }

    fn answer(&mut self, ticket: &Ticket, outcome: &Result<Value, Fault>) {
        let frame = jsonrpc::answer(ticket, outcome);
        self.outputs.push_back(DoorOutput::Frame(frame));
    }

    fn tell(&mut self, now: Now, id: &str, event: &str, data: Value) {
        let frames = self.objects.tell(now, id, event, data).into_iter();
        self.outputs.extend(frames.map(DoorOutput::Frame));
    }

    /// None: it is answered later.
    fn call(&mut self, now: Now, call: &Call) -> Result<Option<Value>, Fault> {
        let value = match self.objects.handle_call(call)? {
            Task::Done(result) => return Ok(Some(result)),
            Task::Release(ids) => {
                for id in ids {
                    self.endpoints.remove(&id);
                    self.drain(now);
                    self.objects.remove(&id);
                    self.tell(now, MANAGER, "ObjectDestroyed", json!({ "objectId": &*id }));
                }
                return Ok(Some(self.objects.nothing()));
            }
            Task::Create(wish) => self.create(now, &wish)?,
            Task::Invoke(asked) => self.invoke(&asked)?,
        };
        self.drain(now);
        Ok(value.map(|value| self.objects.value(&value)))
    }

    fn create(&mut self, now: Now, wish: &Creation<'_>) -> Result<Option<Value>, Fault> {
        if wish.class.name == PIPELINE.name {
            let id = self.objects.insert(now, wish.class, None);
            self.tell(now, MANAGER, "ObjectCreated", json!({ "object": &*id }));
            return Ok(Some(json!(&*id)));
        }
        let pipeline = wish.arguments.text("mediaPipeline")?;
        let pipeline = self.objects.find_of(&PIPELINE, pipeline)?;
        let purpose = Purpose {
            takes: !wish.arguments.flag_if_any("sendonly")?,
            gives: !wish.arguments.flag_if_any("recvonly")?,
            has_data: wish.arguments.flag_if_any("useDataChannels")?,
        };
        let own = || RoomName::new(&format!("{OWN_ROOMS}/{}", own_part(&pipeline)));
        let room = self.room.clone().unwrap_or_else(own);
        let id = self.objects.insert(now, wish.class, Some(&pipeline));
        let (identity, ticket) = (Identity::new(own_part(&id)), wish.ticket.clone());
        self.endpoints.add(&id, room, identity, purpose, ticket);
        Ok(None)
    }

    fn invoke(&mut self, asked: &Invocation<'_>) -> Result<Option<Value>, Fault> {
        let (id, arguments) = (&asked.id, asked.arguments);
        let own = self.endpoints.line(id).ok_or_else(|| asked.unknown())?;
        let mut value = Value::Null;
        match asked.operation {
            "processOffer" => {
                let (offer, ticket) = (arguments.text("offer")?, asked.ticket.clone());
                let offered = self.endpoints.offer(id, offer, ticket);
                return offered.err().map(said).transpose();
            }
            "connect" | "disconnect" => self.patch(asked)?,
            "getSourceConnections" => {
                value = rows(&self.endpoints.patchbay.cords_to(id), arguments)?
            }
            "getSinkConnections" => {
                value = rows(&self.endpoints.patchbay.cords_from(id), arguments)?
            }
            "gatherCandidates" => self.endpoints.gather(id),
            "addIceCandidate" => add_candidate(arguments)?,
            "generateOffer" => return Err(Fault::new(GENERATE_OFFER, "Error generating offer")),
            "processAnswer" if arguments.text("answer")?.is_empty() => {
                return Err(Fault::new(SDP_PARSE, "Empty answer not valid"));
            }
            "processAnswer" => {
                let message = "Offer not generated. It is not possible to process an answer.";
                return Err(Fault::new(NO_OFFER, message));
            }
            "getLocalSessionDescriptor" => {
                let sdp = own.local_sdp.as_ref();
                value = json!(sdp.ok_or_else(|| Fault::new(NO_LOCAL_SDP, "No local SDP"))?);
            }
            "getRemoteSessionDescriptor" => {
                let sdp = own.remote_sdp.as_ref();
                value = json!(sdp.ok_or_else(|| Fault::new(NO_REMOTE_SDP, "No remote SDP"))?);
            }
            "getConnectionState" | "getMediaState" => value = json!(state(own.is_connected)),
            "isMediaFlowingIn" | "isMediaFlowingOut" => {
                let way = [Way::Out, Way::In][usize::from(asked.operation == "isMediaFlowingIn")];
                let medium = arguments.word("mediaType", "MediaType")?;
                value = json!(self.endpoints.patchbay.is_flowing(id, way, medium));
            }
            "getMaxVideoRecvBandwidth" => value = json!(own.bitrate_max_kbps),
            // Of use before the offer is processed, as in the original.
            "setMaxVideoRecvBandwidth" => {
                let wished = arguments.integer("maxVideoRecvBandwidth")?;
                own.bitrate_max_kbps = u64::try_from(wished).unwrap_or(0);
            }
            _ => return Err(asked.unknown().into()),
        }
        Ok(Some(value))
    }

    fn patch(&mut self, asked: &Invocation<'_>) -> Result<(), Fault> {
        let (sink, _) = self.objects.find(asked.arguments.text("sink")?)?;
        let medium = asked.arguments.word_if_any("mediaType", "MediaType")?;
        let is_near = self.objects.parent(sink) == self.objects.parent(&asked.id);
        match asked.operation {
            "disconnect" => self.endpoints.patchbay.disconnect(&asked.id, sink, medium),
            _ if is_near => self.endpoints.patchbay.connect(&asked.id, sink, medium),
            _ => return Err(Fault::new(CONNECT, "Media elements do not share pipeline")),
        }
        Ok(())
    }

    /// Passes on what the endpoints have to say.
    fn drain(&mut self, now: Now) {
        while let Some(output) = self.endpoints.poll_output() {
            match output {
                Output::Door(output) => self.outputs.push_back(output),
                Output::Heard(ticket, news) => {
                    let outcome = said(news).map(|value| self.objects.value(&value));
                    self.answer(&ticket, &outcome);
                }
                Output::Made(id) => {
                    self.tell(now, MANAGER, "ObjectCreated", json!({ "object": &*id }));
                }
                Output::NotMade(id) => {
                    self.objects.remove(&id);
                    self.dropped.refused += 1;
                }
                Output::Happened(id, happening) => {
                    for (event, data) in told(happening) {
                        self.tell(now, &id, event, data);
                    }
                }
            }
        }
    }
}

impl Door for Kurento {
    fn handle_frame(&mut self, now: Now, frame: Frame) {
        let call = match Call::read(&frame) {
            Ok(call) => call,
            Err(fault) => {
                self.dropped.malformed += 1;
                // There is no id to be trusted.
                return self.answer(&Ticket::default(), &Err(fault));
            }
        };
        if let Some(outcome) = self.call(now, &call).transpose() {
            self.answer(&call.ticket, &outcome);
            self.endpoints.patchbay.settle();
        }
        self.drain(now);
    }

    fn handle_entered(&mut self, now: Now, place: Place, entered: Result<Entered, EnterError>) {
        self.endpoints.handle_entered(place, entered);
        self.drain(now);
    }

    fn handle_event(&mut self, now: Now, place: Place, event: Event) {
        self.endpoints.handle_event(place, event);
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<DoorOutput> {
        self.outputs.pop_front()
    }

    fn dropped(&self) -> Dropped {
        self.dropped
    }
}

impl fmt::Debug for Kurento {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Kurento");
        shown.field("room", &self.room).finish_non_exhaustive()
    }
}

fn rows(cords: &[Cord], arguments: Arguments<'_>) -> Result<Value, Fault> {
    let medium: Option<Medium> = arguments.word_if_any("mediaType", "MediaType")?;
    let is_meant = |cord: &&Cord| medium.is_none_or(|medium| cord.medium == medium);
    Ok(cords.iter().filter(is_meant).map(connection).collect())
}

/// Read, and not needed: addresses are learnt from the client's checks.
fn add_candidate(arguments: Arguments<'_>) -> Result<(), Fault> {
    let line = arguments.property("candidate", "candidate")?;
    let line = line.strip_prefix("a=").unwrap_or(line);
    match line.is_empty() || line.starts_with("candidate:") {
        true => Ok(()),
        false => Err(Fault::new(CANDIDATE, "Error adding candidate")),
    }
}

#[cfg(test)]
mod tests;
