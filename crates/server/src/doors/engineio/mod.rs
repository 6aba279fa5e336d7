//! Engine.IO, protocols 3 and 4, and Socket.IO on top of it: polling, WebSocket, and the way from one to the other. Our
//! own, because each way it can go wrong must end in one answer and one closed session.

mod packet;
mod session;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONTENT_TYPE,
    ORIGIN, SET_COOKIE, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use tokio::sync::{mpsc, oneshot};

use self::packet::Protocol;
use self::session::{Beginning, Inlet, PING_INTERVAL, Session};
use super::{Kind, MESSAGE_BYTES_MAX, is_from_own_page, query_value, random_id};
use crate::carrier;
use crate::http::{
    Held, Remote, Shared, TEXT_PLAIN, WRITE_BUFFER_BYTES_MAX, carry, reached, read_body, source_of,
};
use crate::time::now;

/// Requests of one session that it has not come to yet.
const INLETS_MAX: usize = 8;
const HTML: &str = "text/html";

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// Where the doors of one mount are, and what its clients expect.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) namespaces: &'static [(&'static str, Kind)],
    /// Protocol 3, of Socket.IO 1 and 2, is spoken too.
    pub(crate) has_v3: bool,
    pub(crate) ping_timeout: Duration,
    /// The session's id is set as a cookie of that name for protocol 3.
    pub(crate) cookie: Option<&'static str>,
}

/// All sessions of one mount.
#[derive(Debug)]
pub(crate) struct Engine {
    plan: Plan,
    sessions: Mutex<BTreeMap<String, Handle>>,
}

#[derive(Debug, Clone)]
struct Handle {
    inlets: mpsc::Sender<Inlet>,
    protocol: Protocol,
    source: IpAddr,
}

/// Why a request is not answered as it wishes: the numbers and texts that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("Transport unknown")]
    Transport,
    #[error("Session ID unknown")]
    UnknownSession,
    #[error("Bad handshake method")]
    Method,
    #[error("Bad request")]
    Malformed,
    #[error("Forbidden")]
    Forbidden,
    #[error("Unsupported protocol version")]
    Protocol,
}

/// What the query says.
struct Asked {
    protocol: Protocol,
    is_websocket: bool,
    sid: Option<String>,
}

pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Shared>> {
    let handler = axum::routing::any(handle).layer(Extension(Arc::clone(engine)));
    Router::new()
        .route("/socket.io", handler.clone())
        .route("/socket.io/", handler)
}

impl Engine {
    pub(crate) fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self {
            plan,
            sessions: Mutex::default(),
        })
    }

    fn kind_of(&self, name: &str) -> Option<Kind> {
        let mut namespaces = self.plan.namespaces.iter();
        namespaces
            .find(|(own, _)| *own == name)
            .map(|(_, kind)| *kind)
    }

    fn name_of(&self, name: &str) -> Option<&'static str> {
        let mut namespaces = self.plan.namespaces.iter();
        namespaces
            .find(|(own, _)| *own == name)
            .map(|(own, _)| *own)
    }

    /// The first packet, written by hand: clients of protocol 3 know no `maxPayload`.
    fn opening(&self, sid: &str, is_upgraded: bool) -> String {
        let upgrades = if is_upgraded { "" } else { "\"websocket\"" };
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{MESSAGE_BYTES_MAX}}}",
            PING_INTERVAL.as_millis(),
            self.plan.ping_timeout.as_millis(),
        )
    }

    fn forget(&self, sid: &str) {
        self.lock().remove(sid);
    }

    /// Err: there are too many.
    fn begin(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        protocol: Protocol,
        visitor: Visit<'_>,
        socket: Option<carrier::Carrier>,
    ) -> Result<(String, Handle), StatusCode> {
        let sessions_max = usize::try_from(shared.config.limits.connections_max);
        let sid = random_id();
        let (sender, inlets) = mpsc::channel(INLETS_MAX);
        let handle = Handle {
            inlets: sender,
            protocol,
            source: source_of(visitor.remote.0),
        };
        {
            let mut sessions = self.lock();
            if sessions.len() >= sessions_max.unwrap_or(usize::MAX) {
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
            sessions.insert(sid.clone(), handle.clone());
        }
        let beginning = Beginning {
            protocol,
            sid: sid.clone(),
            remote: visitor.remote,
            reached: visitor.reached,
            query: visitor.query.to_owned(),
            inlets,
            socket,
        };
        let session = Session::new(Arc::clone(self), Arc::clone(shared), beginning);
        shared.tasks.carriers.spawn(session.run());
        Ok((sid, handle))
    }

    fn find(&self, asked: &Asked, remote: Remote) -> Result<Option<Handle>, Refusal> {
        let Some(sid) = &asked.sid else {
            return Ok(None);
        };
        let handle = self
            .lock()
            .get(sid)
            .cloned()
            .ok_or(Refusal::UnknownSession)?;
        // Clients of protocol 3 show their session's id to the others: whoever uses it must come from the same place.
        let is_own = asked.protocol == handle.protocol
            && (handle.protocol == Protocol::V4 || handle.source == source_of(remote.0));
        if is_own {
            Ok(Some(handle))
        } else {
            Err(Refusal::Malformed)
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Handle>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn parse(query: &str, plan: &Plan) -> Result<Self, Refusal> {
        let value = |name| query_value(query, name);
        let is_websocket = match value("transport").as_deref() {
            Some("websocket") => true,
            Some("polling") if value("j").is_none() => false,
            _ => return Err(Refusal::Transport),
        };
        let protocol = match value("EIO").as_deref() {
            Some("4") => Protocol::V4,
            Some("3") if plan.has_v3 => Protocol::V3,
            _ => return Err(Refusal::Protocol),
        };
        Ok(Self {
            protocol,
            is_websocket,
            sid: value("sid"),
        })
    }
}

impl Refusal {
    fn code(self) -> u8 {
        match self {
            Self::Transport => 0,
            Self::UnknownSession => 1,
            Self::Method => 2,
            Self::Malformed => 3,
            Self::Forbidden => 4,
            Self::Protocol => 5,
        }
    }

    fn answer(self) -> Response {
        let status = if self == Self::Forbidden {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::BAD_REQUEST
        };
        let body = format!("{{\"code\":{},\"message\":\"{self}\"}}", self.code());
        (status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Extension(engine): Extension<Arc<Engine>>,
    Extension(remote): Extension<Remote>,
    Extension(held): Extension<Arc<Held>>,
    upgrade: Upgrade,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if !is_from_own_page(&shared, &parts.uri, &parts.headers) {
        return Refusal::Forbidden.answer();
    }
    if parts.method == Method::OPTIONS {
        return with_cors(StatusCode::NO_CONTENT.into_response(), &parts.headers);
    }
    let query = parts.uri.query().unwrap_or_default();
    let call = Call {
        shared,
        engine,
        visit: Visit {
            remote,
            reached: reached(&parts.headers, &parts.uri),
            query,
        },
    };
    let answered = match Asked::parse(query, &call.engine.plan) {
        Err(refusal) => Err(refusal),
        Ok(asked) if asked.is_websocket => match upgrade {
            Ok(upgrade) => call.socket(&asked, upgrade, held),
            Err(_) => Err(Refusal::Malformed),
        },
        Ok(asked) => match parts.method {
            Method::GET => call.poll(&asked).await,
            Method::POST => call.post(&asked, body).await,
            _ => Err(Refusal::Method),
        },
    };
    with_cors(answered.unwrap_or_else(Refusal::answer), &parts.headers)
}

struct Call<'a> {
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    visit: Visit<'a>,
}

/// Who comes, and with which words.
#[derive(Clone, Copy)]
struct Visit<'a> {
    remote: Remote,
    /// The address of ours that was asked, if the request says one.
    reached: Option<IpAddr>,
    query: &'a str,
}

impl Call<'_> {
    /// Sessions without a connection of their own are not free either.
    fn begin(
        &self,
        protocol: Protocol,
        socket: Option<carrier::Carrier>,
    ) -> Result<(String, Handle), StatusCode> {
        if self.shared.tasks.stopping.is_cancelled() {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let joins = &self.shared.joins;
        if joins.take(now().instant, self.visit.remote.0).is_err() {
            crate::stats::Stats::count(&self.shared.stats.refused_joins_of_ip);
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        self.engine
            .begin(&self.shared, protocol, self.visit, socket)
    }

    async fn poll(&self, asked: &Asked) -> Result<Response, Refusal> {
        let known = self.engine.find(asked, self.visit.remote)?;
        let (handle, cookie) = match known {
            Some(handle) => (handle, None),
            None => match self.begin(asked.protocol, None) {
                Ok((sid, handle)) => (handle, self.cookie(asked.protocol, &sid)),
                Err(status) => return Ok(status.into_response()),
            },
        };
        let (answer, answered) = oneshot::channel();
        let sent = handle.inlets.send(Inlet::Poll(answer)).await;
        sent.map_err(|_| Refusal::UnknownSession)?;
        let packets = answered.await.ok().flatten().ok_or(Refusal::Malformed)?;
        let payload = asked.protocol.payload(&packets);
        let mut response = plain(TEXT_PLAIN, payload);
        if let Some(cookie) = cookie {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    async fn post(&self, asked: &Asked, body: Body) -> Result<Response, Refusal> {
        let handle = self.engine.find(asked, self.visit.remote)?;
        let handle = handle.ok_or(Refusal::Method)?;
        let body = match read_body(body, MESSAGE_BYTES_MAX).await {
            Ok(body) => body,
            Err(status) => {
                if status == StatusCode::PAYLOAD_TOO_LARGE {
                    crate::stats::Stats::count(&self.shared.stats.frames_too_large);
                }
                // An empty batch is malformed: the session ends.
                deliver(&handle, Vec::new()).await.ok();
                return Ok(status.into_response());
            }
        };
        let text = std::str::from_utf8(&body).ok();
        let packets = text.and_then(|text| asked.protocol.packets(text));
        let wait = deliver(&handle, packets.unwrap_or_default()).await?;
        tokio::time::sleep(wait).await;
        Ok(plain(HTML, "ok".to_owned()))
    }

    fn socket(
        self,
        asked: &Asked,
        upgrade: WebSocketUpgrade,
        held: Arc<Held>,
    ) -> Result<Response, Refusal> {
        let known = self.engine.find(asked, self.visit.remote)?;
        let (carrier, wire) = carrier::pair();
        let mut waiting = None;
        match known {
            Some(handle) => waiting = Some((handle, carrier)),
            None => {
                if let Err(status) = self.begin(asked.protocol, Some(carrier)) {
                    return Ok(status.into_response());
                }
            }
        }
        let task = self.shared.tasks.carriers.token();
        let stats = Arc::clone(&self.shared.stats);
        let upgrade = upgrade
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_frame_size(MESSAGE_BYTES_MAX)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX);
        Ok(upgrade.on_upgrade(async move |socket| {
            if let Some((handle, carrier)) = waiting {
                // A session that is over meanwhile drops it, and the socket is closed.
                handle.inlets.send(Inlet::Socket(carrier)).await.ok();
            }
            carry(socket, wire, stats).await;
            drop((held, task));
        }))
    }

    fn cookie(&self, protocol: Protocol, sid: &str) -> Option<HeaderValue> {
        let name = self
            .engine
            .plan
            .cookie
            .filter(|_| protocol == Protocol::V3)?;
        HeaderValue::from_str(&format!("{name}={sid}; Path=/; HttpOnly; SameSite=Lax")).ok()
    }
}

async fn deliver(handle: &Handle, packets: Vec<String>) -> Result<Duration, Refusal> {
    let (taken, answer) = oneshot::channel();
    let inlet = Inlet::Packets { packets, taken };
    let sent = handle.inlets.send(inlet).await;
    sent.map_err(|_| Refusal::UnknownSession)?;
    answer.await.ok().flatten().ok_or(Refusal::Malformed)
}

fn plain(kind: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// The page may read the answer: that it may ask was decided before.
fn with_cors(mut response: Response, asked: &HeaderMap) -> Response {
    let Some(origin) = asked.get(ORIGIN) else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(VARY, HeaderValue::from_static("origin"));
    response
}
