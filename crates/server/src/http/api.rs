//! Plain questions: the app's, and those of whoever watches the server.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use madang_signalling::livekit::{
    Claims, IDENTITY_BYTES_MAX, NAME_BYTES_MAX, ROOM_NAME_BYTES_MAX, VideoClaims,
};
use serde::Deserialize;
use serde_json::json;

use super::{Shared, TEXT_PLAIN, body};
use crate::time::now;

const TOKEN_BODY_BYTES_MAX: usize = 16 * 1024;
/// A visitor's token lasts for a long meeting; while they are in, it is refreshed.
const TOKEN_TTL: Duration = Duration::from_secs(6 * 3_600);

pub(crate) async fn config(State(shared): State<Arc<Shared>>) -> Response {
    json_answer(
        StatusCode::OK,
        &json!({ "dev": shared.config.dev, "version": env!("CARGO_PKG_VERSION") }),
    )
}

#[derive(Deserialize)]
struct TokenWish {
    room: String,
    #[serde(default)]
    name: String,
    identity: String,
}

/// Development mode only: whoever opens the app is in.
pub(crate) async fn token(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !shared.config.dev {
        let message = "this server hands out no tokens: ask for an invite link";
        return refusal(StatusCode::FORBIDDEN, "tokens_closed", message);
    }
    if let Err(message) = same_site(&shared, &uri, &headers) {
        return refusal(StatusCode::FORBIDDEN, "foreign_page", message);
    }
    let wish = match read_wish(body).await {
        Ok(wish) => wish,
        Err((status, message)) => return refusal(status, "malformed", message),
    };
    if let Err(message) = wish.check() {
        return refusal(StatusCode::BAD_REQUEST, "malformed", message);
    }
    let claims = Claims {
        sub: wish.identity.clone(),
        name: wish.name.clone(),
        video: Some(VideoClaims {
            room_join: true,
            room: wish.room.clone(),
            can_update_own_metadata: Some(true),
            ..VideoClaims::default()
        }),
        ..Claims::default()
    };
    let key = shared.keys.first().unwrap_or_default();
    match shared.keys.sign(key, claims, now().wall, TOKEN_TTL) {
        Some(token) => json_answer(
            StatusCode::OK,
            &json!({ "token": token, "identity": wish.identity, "room": wish.room }),
        ),
        None => refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the token cannot be signed",
        ),
    }
}

/// Clients look here for a nearer server. There is none: any address of this server serves any room.
pub(crate) async fn no_regions() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Asks nothing and nobody: a server that answers is alive.
pub(crate) async fn healthz() -> Response {
    plain(StatusCode::OK, "ok")
}

/// Should new people be sent here?
pub(crate) async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let seats = shared.directory.totals().seats;
    let seats_max = usize::try_from(shared.config.limits.sessions_max).unwrap_or(usize::MAX);
    if shared.tasks.stopping.is_cancelled() {
        plain(StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if seats >= seats_max {
        plain(StatusCode::SERVICE_UNAVAILABLE, "full")
    } else if shared
        .tls
        .as_ref()
        .is_some_and(|tls| tls.certificates().shown().is_none())
    {
        plain(StatusCode::SERVICE_UNAVAILABLE, "no certificate yet")
    } else {
        plain(StatusCode::OK, "ready")
    }
}

async fn read_wish(body: Body) -> Result<TokenWish, (StatusCode, &'static str)> {
    let bytes = body::read(body, TOKEN_BODY_BYTES_MAX)
        .await
        .map_err(|status| (status, "the request is too large or too slow"))?;
    serde_json::from_slice(&bytes).map_err(|_| {
        (
            StatusCode::BAD_REQUEST,
            "send {\"room\", \"name\", \"identity\"}",
        )
    })
}

impl TokenWish {
    fn check(&self) -> Result<(), &'static str> {
        let is_fine = |text: &str, bytes_max| !text.trim().is_empty() && text.len() <= bytes_max;
        if !is_fine(&self.room, ROOM_NAME_BYTES_MAX) {
            return Err("a room has a name of 1 to 256 bytes");
        }
        if !is_fine(&self.identity, IDENTITY_BYTES_MAX) {
            return Err("an identity has 1 to 256 bytes");
        }
        if self.name.len() > NAME_BYTES_MAX {
            return Err("a name has at most 256 bytes");
        }
        Ok(())
    }
}

/// A page of another site must not get a token through its visitor's browser: neither by asking across origins, nor by a
/// name of its own that resolves to this machine.
fn same_site(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri.authority().map(axum::http::uri::Authority::as_str);
    let Some(host) = host.or_else(|| text(HOST)) else {
        return Err("no Host");
    };
    let is_named = shared.config.domain.as_deref().is_some_and(|domain| {
        host.split(':')
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(domain))
    });
    if shared.config.bind.is_loopback() && !is_loopback_name(host) && !is_named {
        return Err("development mode on loopback answers to localhost only");
    }
    let origin = match headers.get(ORIGIN) {
        None => return Ok(()),
        Some(_) => text(ORIGIN).unwrap_or_default(),
    };
    let (_, origin_host) = origin.split_once("://").unwrap_or_default();
    // A development server of the app on another port of this machine passes its own origin on.
    let is_own = origin_host.eq_ignore_ascii_case(host)
        || (is_loopback_name(origin_host) && is_loopback_name(host));
    if is_own {
        Ok(())
    } else {
        Err("asked by a page of another origin")
    }
}

/// With or without a port.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    json_answer(
        status,
        &json!({ "error": { "code": code, "message": message } }),
    )
}

fn json_answer(status: StatusCode, value: &serde_json::Value) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, value.to_string()).into_response()
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, TEXT_PLAIN), (CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}
