//! The door for WHIP and WHEP: endpoints to post an offer to, and a resource for each session that comes of it. What a
//! session says is the dialect's (`madang_signalling::whip`).

mod access;
mod notices;
mod resources;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CONTENT_TYPE, IF_MATCH, LINK, LOCATION,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Extension, Router};
use madang_signalling::resource::{Ask, FRAGMENT, Reply, SDP};
use madang_signalling::whip::{NOTICES, Role, Whip};
use tokio::sync::oneshot;

use self::access::Knock;
use self::resources::Carrying;
use super::{MESSAGE_BYTES_MAX, query_value, random_id, random_seed};
use crate::carrier;
use crate::door_session::{DoorSession, Visitor};
use crate::http::{Remote, Shared, TEXT_PLAIN, any_origin, app_files, reached, read_body};

pub(super) use self::resources::Resources;

/// Fragments and choices are short.
const PATCH_BYTES_MAX: usize = 64 * 1024;
/// What scripts of other origins may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Location, Link, ETag, Accept-Patch, Accept-Post, Retry-After, WWW-Authenticate",
);
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

pub(super) fn routes() -> Router<Arc<Shared>> {
    let of = |role: Role, name: &str| {
        let resource = format!("/{name}/{{room}}/{{id}}");
        Router::new()
            .route(&format!("/{name}"), any(endpoint))
            .route(&format!("/{name}/{{room}}"), any(endpoint))
            .route(&format!("/api/{name}"), any(endpoint))
            // Below other names the app may have pages.
            .route(
                &format!("/{{room}}/{name}"),
                post(endpoint).options(endpoint).fallback(app_files),
            )
            .route(&resource, any(session))
            .route(&format!("{resource}/layer"), any(layer))
            .route(&format!("{resource}/events"), any(events))
            .layer(Extension(role))
    };
    of(Role::Publisher, "whip")
        .merge(of(Role::Viewer, "whep"))
        .layer(middleware::from_fn(exposing))
        .layer(middleware::from_fn(any_origin))
}

async fn exposing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}

/// An offer is posted here (RFC 9725 §4.2).
async fn endpoint(
    State(shared): State<Arc<Shared>>,
    Extension(role): Extension<Role>,
    Extension(Remote(ip)): Extension<Remote>,
    room: Option<Path<String>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
    if method != Method::POST {
        return other_method(&method, "POST, OPTIONS", Some((ACCEPT_POST, SDP)));
    }
    let seed = random_seed();
    let knock = Knock {
        role,
        room: room.map(|Path(room)| room),
        uri: &uri,
        headers: &headers,
        seed,
    };
    let admitted = match knock.admit(&shared) {
        Ok(admitted) => admitted,
        Err(refused) => return refused.answer(&shared),
    };
    let sdp = match read(&headers, body, SDP, MESSAGE_BYTES_MAX).await {
        Ok(sdp) => sdp,
        Err(response) => return *response,
    };
    if !accepts_sdp(&headers) {
        return text(StatusCode::NOT_ACCEPTABLE, "the answer is application/sdp");
    }
    if shared.tasks.stopping.is_cancelled() {
        return answer(Reply::refused(503, "the server is stopping"));
    }
    let room: Arc<str> = Arc::from(admitted.guest.room.as_str());
    let query = uri.query().unwrap_or_default();
    let door = match Whip::new(role, admitted.guest, query, seed) {
        Ok(door) => door,
        Err(sentence) => return text(StatusCode::BAD_REQUEST, &sentence),
    };
    let (carrier, wire) = carrier::pair();
    let session = DoorSession {
        door: Box::new(door),
        carrier,
        visitor: Visitor {
            ip,
            reached: reached(&headers, &uri),
            is_trusted: false,
            granted: Some(admitted.granted),
            listing: None,
        },
        shared: Arc::clone(&shared),
    };
    shared.tasks.sessions.spawn(session.run());
    let carrying = Carrying {
        resources: Arc::clone(&shared.doors.whip),
        id: random_id(),
        role,
        room: Arc::clone(&room),
        wire,
    };
    let location = format!("/{}/{}/{}", name_of(role), encoded(&room), carrying.id);
    let (reply, first) = oneshot::channel();
    let carrying = carrying.run(Ask::Post { sdp }, reply);
    shared.tasks.carriers.spawn(carrying);
    match first.await {
        Ok(reply) if reply.status == 201 => opened(role, reply, &location),
        Ok(reply) => answer(reply),
        Err(_) => answer(Reply::refused(503, "the session ended before it began")),
    }
}

/// A session: candidates, ICE restarts, the end.
async fn session(
    State(shared): State<Arc<Shared>>,
    Extension(role): Extension<Role>,
    Path((_, id)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let allowed = "PATCH, DELETE, OPTIONS";
    if method != Method::PATCH && method != Method::DELETE {
        return other_method(&method, allowed, Some((ACCEPT_PATCH, FRAGMENT)));
    }
    let Some(resource) = shared.doors.whip.find(&id, role) else {
        return no_session();
    };
    let ask = if method == Method::DELETE {
        Ask::Delete
    } else {
        let fragment = match read(&headers, body, FRAGMENT, PATCH_BYTES_MAX).await {
            Ok(fragment) => fragment,
            Err(response) => return *response,
        };
        let if_match = headers.get(IF_MATCH);
        Ask::Patch {
            if_match: if_match.map(|value| value.to_str().unwrap_or_default().to_owned()),
            fragment,
        }
    };
    let reply = resource.ask(ask).await;
    reply.map_or_else(no_session, answer)
}

/// Which encoding a viewer gets.
async fn layer(
    State(shared): State<Arc<Shared>>,
    Extension(role): Extension<Role>,
    Path((_, id)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if method != Method::POST {
        return other_method(&method, "POST, OPTIONS", None);
    }
    let resource = shared.doors.whip.find(&id, role);
    let Some(resource) = resource.filter(|_| role == Role::Viewer) else {
        return no_session();
    };
    let body = match read(&headers, body, "application/json", PATCH_BYTES_MAX).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let reply = resource.ask(Ask::Layer { body }).await;
    reply.map_or_else(no_session, answer)
}

/// Server-sent events. GET has them all, or those of the query; POST takes a list of names and says where these are.
async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(role): Extension<Role>,
    Path((room, id)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if method != Method::GET && method != Method::POST {
        return other_method(&method, "GET, POST, OPTIONS", None);
    }
    let resource = shared.doors.whip.find(&id, role);
    let Some(resource) = resource.filter(|_| role == Role::Viewer) else {
        return no_session();
    };
    if method == Method::POST {
        let body = match read(&headers, body, "application/json", PATCH_BYTES_MAX).await {
            Ok(body) => body,
            Err(response) => return *response,
        };
        let names: Vec<String> = serde_json::from_str(&body).unwrap_or_default();
        if names.is_empty() || !names.iter().all(|name| NOTICES.contains(&name.as_str())) {
            let sentence = "send a list of active, inactive, layers, viewercount";
            return text(StatusCode::BAD_REQUEST, sentence);
        }
        let place = format!(
            "/whep/{}/{id}/events?events={}",
            encoded(&room),
            names.join(",")
        );
        let mut response = StatusCode::CREATED.into_response();
        insert(response.headers_mut(), LOCATION, &place);
        return response;
    }
    let names = query_value(uri.query().unwrap_or_default(), "events");
    let names = names.map(|names| names.split(',').map(str::to_owned).collect());
    let stopping = shared.tasks.stopping.clone();
    let listening = notices::listen(&shared.doors.whip, resource, names, stopping).await;
    listening.unwrap_or_else(no_session)
}

/// With where the session is, and what else can be done with it.
fn opened(role: Role, reply: Reply, location: &str) -> Response {
    let mut response = answer(reply);
    let headers = response.headers_mut();
    insert(headers, LOCATION, location);
    if role == Role::Viewer {
        let extension = "urn:ietf:params:whep:ext:core";
        for link in [
            format!("<{location}/layer>; rel=\"{extension}:layer\""),
            format!(
                "<{location}/events>; rel=\"{extension}:server-sent-events\"; events=\"{}\"",
                NOTICES.join(",")
            ),
        ] {
            if let Ok(value) = HeaderValue::from_str(&link) {
                headers.append(LINK, value);
            }
        }
    }
    response
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    for (name, value) in reply.headers {
        let pair = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        if let Some((name, value)) = pair {
            headers.append(name, value);
        }
    }
    response
}

/// A body of that type, as text.
async fn read(
    headers: &HeaderMap,
    body: Body,
    wanted: &'static str,
    bytes_max: usize,
) -> Result<String, Box<Response>> {
    let refuse = |status, sentence: &str| Err(Box::new(text(status, sentence)));
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let given = given
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if !given.trim().eq_ignore_ascii_case(wanted) {
        let sentence = format!("the body is {wanted}");
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &sentence);
    }
    let bytes = match read_body(body, bytes_max).await {
        Ok(bytes) => bytes,
        Err(status) => return refuse(status, "the request is too large or too slow"),
    };
    match String::from_utf8(bytes.into()) {
        Ok(text) if !text.trim().is_empty() => Ok(text),
        Ok(_) => refuse(StatusCode::BAD_REQUEST, "the body is empty"),
        Err(_) => refuse(StatusCode::BAD_REQUEST, "the body is no text"),
    }
}

/// RFC 9110 §12.5.1, as far as there is anything to choose.
fn accepts_sdp(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().peekable();
    accepted.peek().is_none()
        || accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim())
            .any(|range| {
                [SDP, "application/*", "*/*"]
                    .iter()
                    .any(|fitting| fitting.eq_ignore_ascii_case(range))
            })
}

/// OPTIONS, or what is not done here.
fn other_method(
    method: &Method,
    allowed: &'static str,
    takes: Option<(HeaderName, &'static str)>,
) -> Response {
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        text(StatusCode::METHOD_NOT_ALLOWED, "not done here")
    };
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    if let Some((name, kind)) = takes {
        headers.insert(name, HeaderValue::from_static(kind));
    }
    response
}

fn no_session() -> Response {
    text(StatusCode::NOT_FOUND, "there is no such session")
}

fn text(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, TEXT_PLAIN)], text.to_owned()).into_response()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("of what URLs are made of");
    headers.insert(name, value);
}

fn name_of(role: Role) -> &'static str {
    match role {
        Role::Publisher => "whip",
        Role::Viewer => "whep",
    }
}

/// As a segment of a path (RFC 3986 §2.3).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
