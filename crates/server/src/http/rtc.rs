//! The door for SDKs: every check is made before the upgrade and answered by a plain HTTP status; what follows on the
//! socket is the dialect's.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use madang_sfu::api::{Identity, RoomName};
use madang_signalling::livekit::{
    Claims, Entry, EntryError, Limits, LiveKit, Setup, admit, parse_v0_query, parse_v1_query,
};
use madang_signalling::room::Topology;
use tokio::sync::mpsc;

use super::accept::Held;
use super::{Remote, Shared, TEXT_PLAIN, access, socket, turn};
use crate::auth::{TokenError, Verified};
use crate::carrier;

use crate::directory::{AdmitError, Seat, SessionHandle, Wish};
use crate::session::{Comeback, Command, Session, Signer, refuse};
use crate::stats::Stats;
use crate::time::now;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;
type ParseQuery = fn(&str) -> Result<Entry, EntryError>;

/// What a request comes with, besides the upgrade.
pub(crate) struct Asked {
    uri: Uri,
    headers: HeaderMap,
    ip: IpAddr,
}

/// Somebody who may join, as far as their words go.
struct Guest {
    entry: Entry,
    claims: Claims,
    key: String,
    room: RoomName,
    identity: Identity,
    reached: Option<IpAddr>,
}

/// Why not, in the words that clients of this protocol look for.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Directory(#[from] AdmitError),
    #[error("too many joins from this address")]
    TooOften { wait_s: u64 },
    #[error("the server is stopping")]
    Stopping,
}

pub(crate) async fn v0(
    State(shared): State<Arc<Shared>>,
    Extension(Remote(ip)): Extension<Remote>,
    Extension(held): Extension<Arc<Held>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let asked = Asked { uri, headers, ip };
    enter(&shared, &asked, parse_v0_query, upgrade, held)
}

pub(crate) async fn v1(
    State(shared): State<Arc<Shared>>,
    Extension(Remote(ip)): Extension<Remote>,
    Extension(held): Extension<Arc<Held>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let asked = Asked { uri, headers, ip };
    enter(&shared, &asked, parse_v1_query, upgrade, held)
}

pub(crate) async fn validate_v0(
    State(shared): State<Arc<Shared>>,
    Extension(Remote(ip)): Extension<Remote>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    validate(&shared, &Asked { uri, headers, ip }, parse_v0_query)
}

pub(crate) async fn validate_v1(
    State(shared): State<Arc<Shared>>,
    Extension(Remote(ip)): Extension<Remote>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    validate(&shared, &Asked { uri, headers, ip }, parse_v1_query)
}

/// Would they be let in? Browsers ask here, for they cannot read why a WebSocket was refused.
fn validate(shared: &Shared, asked: &Asked, parse: ParseQuery) -> Response {
    let checked = check(shared, asked, parse).and_then(|guest| {
        // Whoever comes back has a place already.
        match guest.entry.reconnect {
            Some(_) => Ok(()),
            None => Ok(shared.directory.check(&guest.wish())?),
        }
    });
    match checked {
        Ok(()) => text(StatusCode::OK, "success".to_owned()),
        Err(refused) => refused.answer(shared),
    }
}

fn enter(
    shared: &Arc<Shared>,
    asked: &Asked,
    parse: ParseQuery,
    upgrade: Upgrade,
    held: Arc<Held>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let upgrade = upgrade
        .max_message_size(socket::MESSAGE_BYTES_MAX)
        .max_frame_size(socket::MESSAGE_BYTES_MAX)
        .max_write_buffer_size(socket::WRITE_BUFFER_BYTES_MAX);
    let admitted =
        check(shared, asked, parse).and_then(|guest| Admitted::new(shared, asked, guest));
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => return refused.answer(shared),
    };
    let task = shared.tasks.carriers.token();
    let shared = Arc::clone(shared);
    // Should the upgrade fail, the place is given back by being dropped.
    upgrade.on_upgrade(async move |socket| {
        let (carrier, wire) = carrier::pair();
        admitted.start(&shared, carrier);
        socket::carry(socket, wire, Arc::clone(&shared.stats)).await;
        drop((held, task));
    })
}

/// What the request says is true and enough. Nothing is changed by it.
fn check(shared: &Shared, asked: &Asked, parse: ParseQuery) -> Result<Guest, Refused> {
    let Verified { claims, key } = access::verify(&shared.keys, &asked.headers, &asked.uri)?;
    let entry = parse(asked.uri.query().unwrap_or_default());
    let (entry, claims) = admit(claims, entry)?;
    let agent = asked.headers.get(USER_AGENT).and_then(|v| v.to_str().ok());
    Ok(Guest {
        entry: entry.with_user_agent(agent.unwrap_or_default()),
        key,
        room: RoomName::new(claims.room()),
        identity: Identity::new(claims.identity()),
        reached: turn::reached(&asked.headers, &asked.uri),
        claims,
    })
}

impl Guest {
    fn wish(&self) -> Wish<'_> {
        Wish {
            room: &self.room,
            identity: &self.identity,
            topology: Topology::Sfu,
            settings: self.claims.room_settings(),
            may_create: self.claims.video.as_ref().is_some_and(|v| v.room_create),
            is_exclusive: false,
            key: None,
        }
    }
}

/// What becomes of a guest once the socket is there.
enum Admitted {
    New {
        guest: Box<Guest>,
        seat: Seat,
        commands: mpsc::Receiver<Command>,
    },
    /// None: there is no such session.
    Back {
        guest: Box<Guest>,
        session: Option<SessionHandle>,
    },
}

impl Admitted {
    fn new(shared: &Arc<Shared>, asked: &Asked, guest: Guest) -> Result<Self, Refused> {
        if shared.tasks.stopping.is_cancelled() {
            return Err(Refused::Stopping);
        }
        let now = now();
        shared
            .joins
            .take(now.instant, asked.ip)
            .map_err(|wait| Refused::TooOften {
                wait_s: wait.as_secs() + 1,
            })?;
        let guest = Box::new(guest);
        if let Some(reconnect) = &guest.entry.reconnect {
            let wanted = &reconnect.participant_sid;
            let session = shared
                .directory
                .member(&guest.room, &guest.identity)
                .filter(|session| wanted.is_empty() || session.peer.to_string() == *wanted);
            return Ok(Self::Back { guest, session });
        }
        let (seat, commands) = shared.directory.admit(now, &guest.wish())?;
        Ok(Self::New {
            guest,
            seat,
            commands,
        })
    }

    fn start(self, shared: &Arc<Shared>, carrier: carrier::Carrier) {
        match self {
            Self::New {
                guest,
                seat,
                commands,
            } => begin(shared, *guest, seat, commands, carrier),
            Self::Back { guest, session } => come_back(shared, *guest, session, carrier),
        }
    }
}

fn begin(
    shared: &Arc<Shared>,
    guest: Guest,
    seat: Seat,
    commands: mpsc::Receiver<Command>,
    carrier: carrier::Carrier,
) {
    tracing::info!(peer = %seat.peer, room = %seat.room.id, shard = seat.shard.0, program = guest.entry.program(), "joined");
    Stats::count(&shared.stats.joins);
    // The peer must be known before it is given anything to relay with.
    let port = shared.media.attach(seat.shard, seat.peer);
    let setup = Setup {
        entry: guest.entry,
        claims: guest.claims.clone(),
        peer: seat.peer,
        room: Arc::clone(&seat.room),
        shards: seat.shards,
        server: shared.server.clone(),
        ice_servers: turn::ice_servers(shared, seat.peer, guest.reached),
        limits: Limits::default(),
    };
    let session = Session {
        dialect: LiveKit::new(now(), setup),
        port,
        carrier,
        commands,
        seat,
        signer: Signer {
            keys: shared.keys.clone(),
            key: guest.key,
            claims: guest.claims,
        },
        stats: Arc::clone(&shared.stats),
    };
    shared.tasks.sessions.spawn(session.run());
}

fn come_back(
    shared: &Shared,
    guest: Guest,
    session: Option<SessionHandle>,
    carrier: carrier::Carrier,
) {
    let peer = session.as_ref().map(|session| session.peer);
    let comeback = Command::Resume(Box::new(Comeback {
        ice_servers: peer.map_or_else(Vec::new, |peer| {
            turn::ice_servers(shared, peer, guest.reached)
        }),
        carrier,
        entry: guest.entry,
        claims: guest.claims,
    }));
    let undelivered = match session {
        Some(session) => session.command(comeback).err(),
        None => Some(Box::new(comeback)),
    };
    if let Some(Command::Resume(comeback)) = undelivered.map(|command| *command) {
        Stats::count(&shared.stats.resumes_refused);
        refuse(comeback.carrier);
    }
}

impl Refused {
    fn answer(&self, shared: &Shared) -> Response {
        tracing::debug!(reason = %self, "refused");
        let status = match self {
            Self::Token(_) => {
                Stats::count(&shared.stats.refused_tokens);
                StatusCode::UNAUTHORIZED
            }
            Self::Entry(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Directory(AdmitError::NoSuchRoom) => StatusCode::NOT_FOUND,
            // Browsers' SDKs show the text of a 403 to their application, and of no 5xx.
            Self::Directory(AdmitError::RoomFull | AdmitError::Mesh | AdmitError::Sfu) => {
                StatusCode::FORBIDDEN
            }
            Self::Directory(AdmitError::Taken) => StatusCode::CONFLICT,
            Self::TooOften { .. } => {
                Stats::count(&shared.stats.refused_joins_of_ip);
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Directory(AdmitError::ServerFull) | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let mut response = text(status, self.to_string());
        if let Self::TooOften { wait_s } = self {
            response.headers_mut().insert(RETRY_AFTER, (*wait_s).into());
        }
        response
    }
}

fn text(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, TEXT_PLAIN)], text).into_response()
}
