//! One session: what it knows, and how its words get out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use madang_sfu::api::{
    ChannelInfo, ChannelSpec, ConnectionKey, ConnectionOptions, Event, Identity, Join, MsidStyle,
    Now, Offerer, PeerId, PeerInfo, Request, RoomInfo, ShardSet, TrackId,
};
use prost::Message;
use proto::leave_request::Action;
use proto::signal_response::Message as Signal;

use super::claims::Claims;
use super::data::Reliable;
use super::data_tracks::DataSubscriptions;
use super::entry::{Entry, Path};
use super::info::Attendance;
use super::publish::Publishing;
use super::resume::Absence;
use super::{FORM, LABEL_DATA_TRACK, LABEL_LOSSY, LABEL_RELIABLE, PUBLISHER, SUBSCRIBER};
use super::{info, join, leave};
use crate::{Dialect, Frame, Output, TokenClaims};

const TOKEN_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Frames that came before we could answer the join.
const EARLY_FRAMES_MAX: usize = 64;

/// Everything a session is made from.
#[derive(Debug, Clone)]
pub struct Setup {
    pub entry: Entry,
    /// As [`admit`](super::admit) returned them.
    pub claims: Claims,
    /// Chosen by the server.
    pub peer: PeerId,
    pub room: Arc<RoomInfo>,
    pub shards: ShardSet,
    pub server: ServerInfo,
    pub ice_servers: Vec<IceServer>,
    pub limits: Limits,
}

/// Who we say we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    pub version: String,
    pub node_id: String,
    pub region: String,
    pub debug_info: String,
}

impl Default for ServerInfo {
    fn default() -> Self {
        Self {
            version: super::SERVER_VERSION.to_owned(),
            node_id: String::new(),
            region: String::new(),
            debug_info: String::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    pub urls: Vec<String>,
    pub username: String,
    pub credential: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Tracks that are announced but not yet negotiated.
    pub pending_tracks_max: usize,
    pub data_tracks_max: usize,
    pub data_subscriptions_max: usize,
    /// Sockets that said something unreadable, before the session ends.
    pub malformed_max: u32,
    /// Without a carrier, when media is not up either.
    pub absence: Duration,
    /// Without a carrier, however well media does.
    pub absence_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_tracks_max: 20,
            data_tracks_max: 64,
            data_subscriptions_max: 1024,
            malformed_max: 5,
            absence: Duration::from_secs(20),
            absence_max: Duration::from_secs(60),
        }
    }
}

/// What was not acted upon, since the session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Signalling messages that cannot be read.
    pub malformed: u64,
    /// Signalling messages in a state or of a kind that has no use for them.
    pub unused: u64,
    /// Frames to a client that has no socket now.
    pub unsent: u64,
    /// Data packets that cannot be read.
    pub data_malformed: u64,
    /// Data packets without the right to send them.
    pub data_refused: u64,
    /// Reliable data packets that were seen before.
    pub data_repeated: u64,
    /// Frames of data tracks nobody knows, or nobody here wants.
    pub data_unwanted: u64,
}

/// A session.
#[derive(Debug)]
pub struct LiveKit {
    pub(crate) entry: Entry,
    pub(crate) peer: PeerId,
    pub(crate) identity: Identity,
    pub(crate) room: Arc<RoomInfo>,
    pub(crate) server: ServerInfo,
    pub ice_servers: Vec<IceServer>,
    pub(crate) limits: Limits,
    pub(crate) labels: Labels,
    pub(crate) phase: Phase,
    pub(crate) carrier: Carrier,
    pub(crate) own: Option<Arc<PeerInfo>>,
    /// The others, without the hidden ones.
    pub(crate) members: BTreeMap<PeerId, Arc<PeerInfo>>,
    pub(crate) subscribed: BTreeSet<TrackId>,
    /// Whom the client believes to be speaking.
    pub(crate) speaking: BTreeSet<PeerId>,
    pub(crate) connected: BTreeSet<ConnectionKey>,
    pub(crate) publishing: Publishing,
    pub(crate) updates: VecDeque<AwaitedUpdate>,
    pub(crate) channels: Vec<ChannelInfo>,
    pub(crate) channels_made: u64,
    pub(crate) data_subscriptions: DataSubscriptions,
    pub(crate) reliable: Reliable,
    pub(crate) absence: Absence,
    pub(crate) dropped: Dropped,
    pub(crate) token_at: Option<Instant>,
    /// A simulated speaker falls silent.
    pub(crate) silence_at: Option<Instant>,
    pub(crate) attendance: AttendanceTold,
    outputs: VecDeque<Output>,
    early: VecDeque<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The core has not answered the join.
    Joining,
    Live,
    /// Said goodbye: nothing is done any more.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// `text`: this client speaks JSON.
    Up {
        text: bool,
    },
    Lost,
}

/// Shared by all messages, so that a message does not allocate its label.
#[derive(Debug)]
pub(crate) struct Labels {
    pub(crate) reliable: Arc<str>,
    pub(crate) lossy: Arc<str>,
    pub(crate) data_track: Arc<str>,
}

/// How many are in the room, as the client knows it.
#[derive(Debug, Default)]
pub(crate) struct AttendanceTold {
    pub(crate) told: Attendance,
    /// When to look again.
    pub(crate) at: Option<Instant>,
}

/// The client's own update, until the room has it.
#[derive(Debug)]
pub(crate) struct AwaitedUpdate {
    pub(crate) request: proto::UpdateParticipantMetadata,
    pub(crate) deadline: Instant,
}

impl LiveKit {
    pub fn new(_now: Now, setup: Setup) -> Self {
        let Setup {
            entry,
            claims,
            peer,
            room,
            shards,
            server,
            ice_servers,
            limits,
        } = setup;
        let identity = Identity::new(claims.identity());
        let labels = Labels {
            reliable: Arc::from(LABEL_RELIABLE),
            lossy: Arc::from(LABEL_LOSSY),
            data_track: Arc::from(LABEL_DATA_TRACK),
        };
        let grant = claims.grant();
        let may_subscribe = grant.subscribe;
        let join = Join {
            room: room.clone(),
            shards,
            identity: identity.clone(),
            name: claims.name.clone(),
            metadata: claims.metadata.clone(),
            attributes: claims.attributes.clone(),
            kind: claims.kind(),
            grant,
            auto_subscribe: entry.auto_subscribe,
            form: FORM,
            msid: MsidStyle::PeerAndTrack,
            annotation: info::peer_annotation(&entry, &claims),
        };
        let mut session = Self {
            data_subscriptions: DataSubscriptions::new(entry.auto_subscribe_data),
            entry,
            peer,
            identity,
            room,
            server,
            ice_servers,
            limits,
            labels,
            phase: Phase::Joining,
            carrier: Carrier::Up { text: false },
            own: None,
            members: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            speaking: BTreeSet::new(),
            connected: BTreeSet::new(),
            publishing: Publishing::default(),
            updates: VecDeque::new(),
            channels: Vec::new(),
            channels_made: 0,
            reliable: Reliable::default(),
            absence: Absence::default(),
            dropped: Dropped::default(),
            token_at: None,
            silence_at: None,
            attendance: AttendanceTold::default(),
            outputs: VecDeque::new(),
            early: VecDeque::new(),
        };
        session.request(Request::Join(Box::new(join)));
        session.open(may_subscribe);
        session
    }

    pub fn peer(&self) -> PeerId {
        self.peer
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn path(&self) -> Path {
        self.entry.path
    }

    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Whether the session is over: [`Output::End`] was said.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn open(&mut self, may_subscribe: bool) {
        let two = self.entry.path == Path::V0;
        let subscriber_primary = join::subscriber_primary(&self.entry, may_subscribe);
        self.request(Request::Open {
            connection: PUBLISHER,
            options: ConnectionOptions {
                offerer: Offerer::Client,
                publish: true,
                subscribe: !two,
                primary: !subscriber_primary,
                publish_unannounced: false,
                answers_ahead: false,
                bitrate_max_bps: None,
                channels: Vec::new(),
            },
        });
        if !two {
            return;
        }
        // Where the subscriber connection is not the main one, clients expect our messages on their own channels.
        let channels = if subscriber_primary {
            self.channels_offered()
        } else {
            Vec::new()
        };
        self.request(Request::Open {
            connection: SUBSCRIBER,
            options: ConnectionOptions {
                offerer: Offerer::Server,
                publish: false,
                subscribe: true,
                primary: subscriber_primary,
                publish_unannounced: false,
                answers_ahead: false,
                bitrate_max_bps: None,
                channels,
            },
        });
    }

    fn channels_offered(&self) -> Vec<ChannelSpec> {
        let lossy = |label: &Arc<str>| ChannelSpec {
            label: label.clone(),
            ordered: false,
            retransmits_max: Some(0),
        };
        vec![
            ChannelSpec {
                label: self.labels.reliable.clone(),
                ordered: true,
                retransmits_max: None,
            },
            lossy(&self.labels.lossy),
            lossy(&self.labels.data_track),
        ]
    }

    /// The core answered: the client gets its first message, and what it brought in its join is handled.
    pub(crate) fn joined(&mut self, now: Now) {
        self.phase = Phase::Live;
        let Some(own) = self.own.clone() else { return };
        let response = join::response(&join::Joining {
            entry: &self.entry,
            server: &self.server,
            ice_servers: &self.ice_servers,
            room: &self.room,
            own: &own,
            others: self.members.values().map(Arc::as_ref).collect(),
        });
        self.attendance.told = join::attendance(&own, self.members.values().map(Arc::as_ref));
        self.send(Signal::Join(response));
        self.want_token(now);
        for request in std::mem::take(&mut self.entry.add_track_requests) {
            self.add_track(request);
        }
        if let Some(offer) = self.entry.publisher_offer.take() {
            self.request(Request::Offer {
                connection: PUBLISHER,
                sdp: offer.sdp,
                number: offer.id,
            });
        }
        while let Some(frame) = self.early.pop_front() {
            self.handle_frame(now, frame);
        }
    }

    pub(crate) fn want_token(&mut self, now: Now) {
        let Some(own) = &self.own else { return };
        let claims = TokenClaims {
            identity: self.identity.as_str().to_owned(),
            name: own.name.clone(),
            metadata: own.metadata.clone(),
            attributes: own.attributes.clone(),
            grant: own.grant.clone(),
        };
        self.outputs.push_back(Output::TokenWanted(claims));
        self.token_at = Some(now.instant + TOKEN_INTERVAL);
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.outputs.push_back(Output::Request(request));
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// To the client now, or kept for its return if it could not do without.
    pub(crate) fn send(&mut self, message: Signal) {
        if self.phase == Phase::Joining && !matches!(message, Signal::Leave(_)) {
            // Nothing may precede the answer to the join, which will say all of it.
            self.dropped.unsent += 1;
            return;
        }
        match self.carrier {
            Carrier::Up { text } => {
                let response = proto::SignalResponse {
                    message: Some(message),
                };
                self.outputs
                    .push_back(Output::Frame(frame(&response, text)));
            }
            Carrier::Lost => {
                if !self.absence.keep(message) {
                    self.dropped.unsent += 1;
                }
            }
        }
    }

    /// Ends the session: the client is told, the core lets the peer go.
    pub(crate) fn end(&mut self, reason: proto::DisconnectReason, action: Action) {
        if self.phase == Phase::Over {
            return;
        }
        if matches!(self.carrier, Carrier::Up { .. }) {
            self.send(Signal::Leave(leave::leave(
                self.entry.protocol,
                reason,
                action,
            )));
        }
        self.finish();
    }

    /// Ends the session without a word.
    pub(crate) fn finish(&mut self) {
        if matches!(self.carrier, Carrier::Up { .. }) {
            self.push(Output::CloseCarrier);
            self.carrier = Carrier::Lost;
        }
        self.phase = Phase::Over;
        self.early.clear();
        self.push(Output::End);
    }

    /// A socket that says what nobody understands is closed without a word, as the client then resumes with a new one;
    /// a client that does it again and again is let go.
    fn unreadable(&mut self, now: Now) {
        self.dropped.malformed += 1;
        if self.dropped.malformed > u64::from(self.limits.malformed_max) {
            self.request(Request::Leave);
            self.end(proto::DisconnectReason::StateMismatch, Action::Disconnect);
            return;
        }
        self.push(Output::CloseCarrier);
        self.handle_carrier_lost(now);
    }
}

impl Dialect for LiveKit {
    fn handle_frame(&mut self, now: Now, frame: Frame) {
        match self.phase {
            Phase::Joining if self.early.len() < EARLY_FRAMES_MAX => {
                self.early.push_back(frame);
                return;
            }
            Phase::Joining | Phase::Over => {
                self.dropped.unused += 1;
                return;
            }
            Phase::Live => {}
        }
        let Carrier::Up { text } = &mut self.carrier else {
            self.dropped.unused += 1;
            return;
        };
        let request = match &frame {
            Frame::Text(json) => {
                *text = true;
                readable(json.len())
                    .then(|| serde_json::from_str::<proto::SignalRequest>(json).ok())
                    .flatten()
            }
            Frame::Binary(bytes) => readable(bytes.len())
                .then(|| proto::SignalRequest::decode(bytes.as_slice()).ok())
                .flatten(),
        };
        self.absence.heard(now.instant);
        match request.map(|request| request.message) {
            Some(Some(message)) => self.signal(now, message),
            // Newer than we are, or empty.
            Some(None) => self.dropped.unused += 1,
            None => self.unreadable(now),
        }
    }

    fn handle_event(&mut self, now: Now, event: Event) {
        if self.phase == Phase::Over {
            return;
        }
        self.event(now, event);
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.phase == Phase::Over {
            return;
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.instant);
        if due(self.token_at) {
            self.want_token(now);
        }
        if due(self.silence_at) {
            self.silence_at = None;
            self.simulated_speaker(false);
        }
        self.overdue_updates(now);
        if due(self.attendance.at) {
            self.attendance.at = None;
            self.send_attendance();
        }
        if due(self.absence_ends()) {
            self.request(Request::Remove {
                reason: madang_sfu::api::LeaveReason::SignallingLost,
            });
            self.finish();
        }
    }

    fn handle_carrier_lost(&mut self, now: Now) {
        if self.phase == Phase::Over || self.carrier == Carrier::Lost {
            return;
        }
        self.carrier = Carrier::Lost;
        self.absence.begin(now.instant);
    }

    fn handle_token(&mut self, _now: Now, token: String) {
        // A client without a socket gets a newer one when it is back.
        if self.phase == Phase::Live && self.carrier != Carrier::Lost {
            self.send(Signal::RefreshToken(token));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.phase == Phase::Over {
            return None;
        }
        [
            self.token_at,
            self.silence_at,
            self.attendance.at,
            self.updates.front().map(|update| update.deadline),
            self.absence_ends(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

pub(crate) fn frame(response: &proto::SignalResponse, text: bool) -> Frame {
    if text {
        let json = serde_json::to_string(response).expect("our own messages have a JSON form");
        Frame::Text(json)
    } else {
        Frame::Binary(response.encode_to_vec())
    }
}

fn readable(bytes: usize) -> bool {
    bytes <= super::MESSAGE_BYTES_MAX
}
