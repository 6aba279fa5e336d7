//! One task for each conversation with an older program: it owns the door, its carrier and the places that the door
//! holds. Nothing outlives the carrier: when it is lost all places are given up at once.

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use madang_sfu::api::{Event, Grant, Request};
use madang_signalling::Frame;
use madang_signalling::TokenClaims;
use madang_signalling::door::{
    Door, DoorOutput, EnterError, Entered, Entrance, Place, Secret, UploadError,
};
use madang_signalling::kurento;
use madang_signalling::livekit::{Claims, IDENTITY_BYTES_MAX, ROOM_NAME_BYTES_MAX};
use madang_signalling::room::{RoomSettings, Topology};
use madang_signalling::ways::{Pass, RelayAccess, Ways, WaysWish};
use tokio::sync::mpsc;

use crate::carrier::Carrier;
use crate::directory::{AdmitError, Seat, Wish};
use crate::doors::{Listing, same_secret};
use crate::http::Shared;
use crate::media::{FarEnd, PeerPort};
use crate::session::{Command, refuse, until};
use crate::stats::Stats;
use crate::time::now;

/// Places of one conversation at one time: a program that speaks for many people holds one for each.
const PLACES_MAX: usize = 512;
/// Where nothing is relayed that has a time of its own.
const PASS_TTL: Duration = Duration::from_secs(3_600);

/// Everything a conversation is made of.
pub(crate) struct DoorSession {
    pub(crate) door: Box<dyn Door>,
    pub(crate) carrier: Carrier,
    pub(crate) visitor: Visitor,
    pub(crate) shared: Arc<Shared>,
}

/// Who is on the other end, as far as the carrier can tell.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) ip: IpAddr,
    /// The address of ours that it uses, if it said one.
    pub(crate) reached: Option<IpAddr>,
    /// Showed a token of the configuration already: may enter any room.
    pub(crate) is_trusted: bool,
    /// What it showed the carrier lets it in with; then no entrance is asked for more.
    pub(crate) granted: Option<Granted>,
    /// By which the carrier knows this conversation, if it shows them.
    pub(crate) listing: Option<Listing>,
}

/// What whoever is let in may do, and what his token says of a room that is not there yet.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) grant: Grant,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) settings: RoomSettings,
    pub(crate) may_create: bool,
}

struct Held {
    port: PeerPort,
    /// None: nobody can reach this place any more.
    commands: Option<mpsc::Receiver<Command>>,
    seat: Seat,
    grant: Grant,
}

enum Heard {
    Event(Option<Event>),
    Command(Command),
}

enum Next {
    /// None: the carrier is lost.
    Frame(Option<Frame>),
    Place(Place, Heard),
    Timeout,
    Stopping,
}

struct Running {
    door: Box<dyn Door>,
    carrier: Carrier,
    visitor: Visitor,
    shared: Arc<Shared>,
    places: BTreeMap<Place, Held>,
    /// Whoever comes after it is listened to first.
    last: Place,
    is_over: bool,
}

impl std::fmt::Debug for DoorSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DoorSession").finish_non_exhaustive()
    }
}

impl DoorSession {
    /// To the end of the conversation.
    pub(crate) async fn run(self) {
        let live = self.shared.stats.session();
        let mut running = Running {
            door: self.door,
            carrier: self.carrier,
            visitor: self.visitor,
            shared: self.shared,
            places: BTreeMap::new(),
            last: Place(0),
            is_over: false,
        };
        running.drain();
        while !running.is_over {
            let next = running.next().await;
            running.handle(next);
            running.drain();
        }
        running.quit_all();
        let dropped = running.door.dropped();
        running.shared.stats.count_dropped_at_door(dropped);
        // The places are free before anybody can see the count go down.
        drop(live);
    }
}

impl Running {
    async fn next(&mut self) -> Next {
        let deadline = self.door.poll_timeout();
        let stopping = &self.shared.tasks.stopping;
        tokio::select! {
            () = stopping.cancelled() => Next::Stopping,
            frame = self.carrier.recv() => Next::Frame(frame),
            (place, heard) = hear(&mut self.places, self.last) => Next::Place(place, heard),
            () = until(deadline) => Next::Timeout,
        }
    }

    fn handle(&mut self, next: Next) {
        let now = now();
        match next {
            Next::Frame(Some(frame)) => self.door.handle_frame(now, frame),
            Next::Frame(None) | Next::Stopping => self.is_over = true,
            Next::Place(place, heard) => {
                self.last = place;
                match heard {
                    Heard::Event(Some(event)) => self.handle_event(place, event),
                    Heard::Event(None) => drop(self.places.remove(&place)),
                    Heard::Command(Command::Request(request)) => self.request(place, request),
                    Heard::Command(Command::Event(event)) => self.handle_event(place, event),
                    Heard::Command(Command::Resume(comeback)) => refuse(comeback.carrier),
                }
            }
            Next::Timeout => self.door.handle_timeout(now),
        }
    }

    fn handle_event(&mut self, place: Place, event: Event) {
        if let (Event::Joined(state), Some(listing)) = (&event, &self.visitor.listing) {
            listing.ready(&state.own);
        }
        // The place is free before the door hears of it, so that it may enter again under the same number.
        if matches!(event, Event::Closed { .. }) {
            self.places.remove(&place);
        }
        self.door.handle_event(now(), place, event);
    }

    fn drain(&mut self) {
        while let Some(output) = self.door.poll_output() {
            match output {
                DoorOutput::Frame(frame) => self.send(frame),
                DoorOutput::Enter(place, entrance) => {
                    let entered = self.enter(place, &entrance);
                    self.door.handle_entered(now(), place, entered);
                }
                DoorOutput::Request(place, request) => self.request(place, request),
                DoorOutput::Quit(place) => {
                    if let Some(held) = self.places.remove(&place) {
                        held.quit();
                    }
                }
                DoorOutput::Upload(bytes) => {
                    let uploaded = self.upload(bytes);
                    self.door.handle_uploaded(now(), uploaded);
                }
                DoorOutput::Ways(place, wish) => {
                    // Whose place is gone meanwhile needs none.
                    if let Some(ways) = self.ways(place, &wish) {
                        self.door.handle_ways(now(), &ways);
                    }
                }
                DoorOutput::Close => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }

    fn send(&mut self, frame: Frame) {
        if self.carrier.send(frame).is_err() {
            Stats::count(&self.shared.stats.carriers_too_slow);
            self.is_over = true;
        }
    }

    fn request(&self, place: Place, request: Request) {
        // Who is gone has had `Closed`, or will have; who never came in was told why.
        if let Some(held) = self.places.get(&place) {
            held.port.requests.send(request).ok();
        }
    }

    fn enter(&mut self, place: Place, entrance: &Entrance) -> Result<Entered, EnterError> {
        let (shared, now) = (&self.shared, now());
        if shared.tasks.stopping.is_cancelled() {
            return Err(EnterError::Stopping);
        }
        let Some(granted) = self.granted(entrance) else {
            Stats::count(&shared.stats.refused_tokens);
            return Err(EnterError::NotAllowed);
        };
        if self.places.len() >= PLACES_MAX {
            return Err(EnterError::ServerFull);
        }
        if shared.joins.take(now.instant, self.visitor.ip).is_err() {
            Stats::count(&shared.stats.refused_joins_of_ip);
            return Err(EnterError::ServerFull);
        }
        let takes_over = entrance.takes_over && (granted.grant.admin || shared.config.dev);
        let wish = Wish {
            room: &entrance.room,
            identity: &entrance.identity,
            topology: entrance.topology,
            settings: granted.settings,
            may_create: granted.may_create,
            is_exclusive: entrance.is_exclusive && !takes_over,
            key: entrance.key.as_ref().map(Secret::reveal),
        };
        let (seat, commands) = shared.directory.admit(now, &wish).map_err(enter_error)?;
        tracing::info!(peer = %seat.peer, room = %seat.room.id, shard = seat.shard.0, "entered");
        Stats::count(&shared.stats.joins);
        let entered = Entered {
            peer: seat.peer,
            room: Arc::clone(&seat.room),
            shards: seat.shards,
            grant: granted.grant,
            attributes: granted.attributes,
            hides_addresses: seat.bounds.hides_addresses,
        };
        let held = Held {
            port: shared.media.attach(seat.shard, seat.peer),
            commands: Some(commands),
            seat,
            grant: entered.grant.clone(),
        };
        if let Some(former) = self.places.insert(place, held) {
            former.quit();
        }
        Ok(entered)
    }

    fn ways(&self, place: Place, wish: &WaysWish) -> Option<Ways> {
        let held = self.places.get(&place)?;
        let far = if wish.is_to_server {
            FarEnd::Server
        } else {
            FarEnd::Members
        };
        let media = &self.shared.media;
        let access = media.relay_access(held.seat.peer, self.visitor.reached, far);
        let ttl = access.as_ref().map_or(PASS_TTL, |access| access.ttl);
        let is_open = held.seat.bounds.topology != Some(Topology::Mesh);
        let wanted = wish.pass.as_ref().filter(|_| is_open);
        Some(Ways {
            relay: access.map(|access| RelayAccess {
                urls: access.urls,
                username: access.username,
                credential: access.password,
            }),
            pass: wanted.and_then(|pass| self.pass(held, pass, ttl)),
            ttl,
        })
    }

    /// What its holder may do here he may do there: a token of this server for the same room.
    fn pass(&self, held: &Held, pass: &Pass, ttl: Duration) -> Option<String> {
        let keys = &self.shared.keys;
        let told = TokenClaims {
            identity: pass.identity.clone(),
            name: pass.name.clone(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
            grant: held.grant.clone(),
        };
        let room = held.seat.room.name.as_str();
        let mut claims = Claims::join(room, &pass.identity).refreshed(&told);
        if let Some(video) = &mut claims.video {
            video.can_publish_data = Some(false);
            video.can_update_own_metadata = None;
        }
        keys.sign(keys.first()?, claims, now().wall, ttl)
    }

    fn granted(&self, entrance: &Entrance) -> Option<Granted> {
        if let Some(granted) = &self.visitor.granted {
            return Some(granted.clone());
        }
        let (grant, attributes) = self.grant(entrance)?;
        Some(Granted {
            grant,
            attributes,
            settings: RoomSettings::default(),
            may_create: false,
        })
    }

    /// With what the token says of its holder. None: may not enter.
    fn grant(&self, entrance: &Entrance) -> Option<(Grant, BTreeMap<String, String>)> {
        let everything = || (Grant::everything(), BTreeMap::new());
        let (config, room) = (&self.shared.config, entrance.room.as_str());
        let is_named_well = (1..=ROOM_NAME_BYTES_MAX).contains(&room.len())
            && (1..=IDENTITY_BYTES_MAX).contains(&entrance.identity.as_str().len());
        if !is_named_well {
            return None;
        }
        if config.dev || self.visitor.is_trusted {
            // Needs no token, and is who it says he is if he has one.
            let claims = entrance.token.as_ref().and_then(|token| {
                let verified = self.shared.keys.verify(token.reveal()).ok()?;
                Some(verified.claims.attributes)
            });
            return Some((Grant::everything(), claims.unwrap_or_default()));
        }
        let room = kurento::authority(room);
        let compat = &config.compat;
        if let Some(token) = &entrance.token {
            let is_listed =
                |known: &crate::config::Secret| same_secret(known.reveal(), token.reveal());
            if compat.tokens.iter().any(is_listed) {
                return Some(everything());
            }
            // A token that is no good is not forgiven.
            let claims = self.shared.keys.verify(token.reveal()).ok()?.claims;
            let may_join = claims.video.as_ref().is_some_and(|video| video.room_join);
            return (may_join && claims.room() == room)
                .then(|| (claims.grant(), claims.attributes));
        }
        let is_open = compat.rooms.iter().any(|open| open == room);
        is_open.then(everything)
    }

    fn upload(&self, bytes: Vec<u8>) -> Result<String, UploadError> {
        let stats = &self.shared.stats;
        // Whoever is in no room shows nobody a picture.
        let held = self.places.values().next().ok_or(UploadError::Full);
        let uploads = &self.shared.doors.uploads;
        let kept = held.and_then(|held| uploads.keep(now().instant, held.seat.room.id, bytes));
        Stats::count(match kept {
            Ok(_) => &stats.uploads,
            Err(_) => &stats.uploads_refused,
        });
        kept
    }

    fn quit_all(&mut self) {
        while let Some((_, held)) = self.places.pop_first() {
            held.quit();
        }
    }
}

impl Held {
    fn quit(self) {
        self.port.requests.send(Request::Leave).ok();
    }

    fn poll_heard(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        if let Poll::Ready(event) = pin!(self.port.events.recv()).poll(context) {
            return Poll::Ready(Heard::Event(event));
        }
        let Some(commands) = &mut self.commands else {
            return Poll::Pending;
        };
        match commands.poll_recv(context) {
            Poll::Ready(Some(command)) => Poll::Ready(Heard::Command(command)),
            Poll::Ready(None) => {
                self.commands = None;
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What any place hears next; never ready while there are none. Cancel safe.
async fn hear(places: &mut BTreeMap<Place, Held>, last: Place) -> (Place, Heard) {
    poll_fn(|context| {
        for range in [
            (Bound::Excluded(last), Bound::Unbounded),
            (Bound::Unbounded, Bound::Included(last)),
        ] {
            for (place, held) in places.range_mut(range) {
                if let Poll::Ready(heard) = held.poll_heard(context) {
                    return Poll::Ready((*place, heard));
                }
            }
        }
        Poll::Pending
    })
    .await
}

fn enter_error(error: AdmitError) -> EnterError {
    match error {
        AdmitError::NoSuchRoom => EnterError::NoSuchRoom,
        AdmitError::RoomFull => EnterError::RoomFull,
        AdmitError::ServerFull => EnterError::ServerFull,
        AdmitError::Taken => EnterError::Taken,
        AdmitError::Mesh => EnterError::Mesh,
        AdmitError::Sfu => EnterError::Sfu,
    }
}
