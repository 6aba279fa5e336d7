//! The doors besides that of the SDKs: where each is, who may knock, what carries it. What is said is the dialects'.

mod engineio;
mod listeners;
mod uploads;
mod whip;
mod ws;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use madang_sfu::api::{Entropy, PeerInfo};
use madang_signalling::door::Door;
use madang_signalling::ertc::Ertc;
use madang_signalling::kurento::Kurento;
use madang_signalling::many::Many;
use madang_signalling::one2many::One2Many;
use madang_signalling::peers::{Connection, Peers};
use madang_signalling::spider::Spider;
use serde::Serialize;

use self::engineio::{Engine, Plan};
use self::uploads::Uploads;
use crate::config::Config;
use crate::http::{Shared, is_loopback_name};

pub use self::listeners::CompatError;
pub(crate) use self::listeners::{Compat, compat_ports};
pub(crate) use self::uploads::PICTURE_BYTES_MAX;

/// One message of a door. Descriptions of many sections fit.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// The token that the old signalling server's own document prints. Valid in development mode.
const DEV_SIGNALLING_TOKEN: &str = "SIGNALING123";
/// 144 bits: nobody guesses a session.
const ID_BYTES: usize = 18;

/// What all doors of this server share.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) uploads: Uploads,
    whip: Arc<whip::Resources>,
    main: Arc<Engine>,
    listed: Mutex<BTreeMap<String, Listed>>,
}

/// Which dialect is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    SpiderPublisher,
    SpiderSubscriber,
    Ertc,
    One2ManyNode,
    One2ManyJava,
    Kurento,
    Peers,
    Many,
}

/// What a door is opened with.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) query: &'a str,
    /// Of Socket.IO; else empty.
    pub(crate) socket_id: &'a str,
    /// What came with Socket.IO's connect packet: JSON, or nothing.
    pub(crate) auth: &'a str,
}

/// A row of `GET /connections`, in the order of the old server.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    socket_id: String,
    peer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_type: Option<String>,
}

/// A conversation's row; gone when dropped.
#[derive(Debug)]
pub(crate) struct Listing {
    shared: Arc<Shared>,
    socket_id: String,
}

impl Doors {
    pub(crate) fn new() -> Self {
        Self {
            uploads: Uploads::default(),
            whip: Arc::default(),
            main: Engine::new(Plan {
                namespaces: &[("/signal", Kind::Peers), ("/sfu", Kind::Many)],
                has_v3: true,
                ping_timeout: Duration::from_secs(20),
                cookie: None,
            }),
            listed: Mutex::default(),
        }
    }

    pub(crate) fn is_signalling_token(config: &Config, token: &str) -> bool {
        let mut listed = config.compat.signalling.tokens.iter();
        listed.any(|known| same_secret(known.reveal(), token))
            || (config.dev && token == DEV_SIGNALLING_TOKEN)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Listed>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    /// Err: a sentence for the client.
    pub(crate) fn open(self, opening: &Opening<'_>) -> Result<Box<dyn Door>, String> {
        let query = opening.query;
        let seed = random_seed();
        Ok(match self {
            Self::SpiderPublisher => Box::new(Spider::publisher(query, seed)?),
            Self::SpiderSubscriber => Box::new(Spider::subscriber(query, seed)?),
            Self::Ertc => Box::new(Ertc::new(query, seed)?),
            Self::One2ManyNode => Box::new(One2Many::node(query, seed)?),
            Self::One2ManyJava => Box::new(One2Many::java(query, seed)?),
            Self::Kurento => Box::new(Kurento::new(query, Box::new(OsRandom))?),
            Self::Peers => Box::new(Peers::new(opening.auth, query, opening.socket_id)?),
            Self::Many => Box::new(Many::new(opening.socket_id, opening.token())),
        })
    }

    fn message_bytes_max(self) -> usize {
        match self {
            // Its pictures come as binary messages.
            Self::Ertc => PICTURE_BYTES_MAX + 1,
            Self::SpiderPublisher
            | Self::SpiderSubscriber
            | Self::One2ManyNode
            | Self::One2ManyJava
            | Self::Kurento
            | Self::Peers
            | Self::Many => MESSAGE_BYTES_MAX,
        }
    }
}

impl Opening<'_> {
    fn token(&self) -> Option<String> {
        token_of(self.auth).or_else(|| query_value(self.query, "token"))
    }
}

impl Listing {
    pub(crate) fn new(shared: &Arc<Shared>, socket_id: &str) -> Self {
        Self {
            shared: Arc::clone(shared),
            socket_id: socket_id.to_owned(),
        }
    }

    /// The conversation has its name now.
    pub(crate) fn ready(&self, own: &PeerInfo) {
        let Some(connection) = Connection::of(&own.identity, &own.attributes) else {
            return;
        };
        let row = Listed {
            socket_id: connection.socket_id,
            peer_id: connection.peer_id,
            peer_type: connection.peer_type,
        };
        self.shared.doors.lock().insert(self.socket_id.clone(), row);
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.shared.doors.lock().remove(&self.socket_id);
    }
}

/// On the main port.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    ws::spider()
        .merge(ws::ertc())
        .merge(ws::one2many())
        .merge(ws::kurento())
        .merge(engineio::routes(&shared.doors.main))
        .merge(whip::routes())
        .route("/signal/connections", get(connections))
        .route("/resources/upload_images/{name}", get(uploads::picture))
        .route(
            "/{context}/resources/upload_images/{name}",
            get(uploads::picture_below),
        )
}

/// Who is in the signalling server. As public as that server made it.
async fn connections(State(shared): State<Arc<Shared>>) -> Response {
    let rows: Vec<Listed> = shared.doors.lock().values().cloned().collect();
    let text = serde_json::to_string(&rows).expect("plain rows");
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    (headers, text).into_response()
}

/// Pages of this host (on any port), of the origins that the configuration names, and programs that are no browser.
pub(crate) fn is_from_own_page(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let mut allowed = shared.config.compat.origins.iter();
    if allowed.any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = uri.authority().map(axum::http::uri::Authority::as_str);
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.or(named) else {
        return false;
    };
    // A foreign name for this machine's own address.
    if shared.config.dev && shared.config.bind.is_loopback() && !is_loopback_name(host) {
        return false;
    }
    let Some((_, origin)) = origin.split_once("://") else {
        return false;
    };
    host_name(origin).eq_ignore_ascii_case(host_name(host))
        || (is_loopback_name(origin) && is_loopback_name(host))
}

/// Without the port.
fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        Some(_) | None => authority,
    }
}

/// Of `{"token": "…"}`.
pub(crate) fn token_of(auth: &str) -> Option<String> {
    let auth: serde_json::Value = serde_json::from_str(auth).ok()?;
    Some(auth.get("token")?.as_str()?.to_owned())
}

/// How long it takes does not tell where they differ.
pub(crate) fn same_secret(known: &str, shown: &str) -> bool {
    let pairs = known.bytes().zip(shown.bytes());
    let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
    known.len() == shown.len() && difference == 0
}

/// The first of that name in a query. What is asked for here needs no decoding.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

pub(crate) fn random_id() -> String {
    let mut bytes = [0; ID_BYTES];
    fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// For ids that nobody may guess.
struct OsRandom;

impl Entropy for OsRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        fill(bytes);
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gave random numbers at the start");
}

#[cfg(test)]
mod tests;
