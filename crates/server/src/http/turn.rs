//! How a member of a room has its media relayed: for whoever cannot be told by its own protocol.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use madang_sfu::api::{Identity, PeerId, RoomName};
use madang_signalling::livekit::IceServer;
use serde_json::json;

use super::{Shared, TEXT_PLAIN, access};
use crate::media::FarEnd;

/// For a member of a room, by the token that it joined with.
pub(crate) async fn access(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET is all there is");
    }
    let claims = match access::verify(&shared.keys, &headers, &uri) {
        Ok(verified) => verified.claims,
        Err(error) => return text(StatusCode::UNAUTHORIZED, &error.to_string()),
    };
    let may_join = claims.video.as_ref().is_some_and(|video| video.room_join);
    if !may_join {
        return text(StatusCode::UNAUTHORIZED, "permissions denied");
    }
    let room = RoomName::new(claims.room());
    let identity = Identity::new(claims.identity());
    let Some(member) = shared.directory.member(&room, &identity) else {
        return text(StatusCode::NOT_FOUND, "not in the room: join first");
    };
    let reached = reached(&headers, &uri);
    let media = &shared.media;
    let Some(access) = media.relay_access(member.peer, reached, FarEnd::Members) else {
        return text(StatusCode::NOT_FOUND, "nothing is relayed here");
    };
    let answer = json!({
        "iceServers": [{
            "urls": access.urls,
            "username": access.username,
            "credential": access.password,
        }],
        "ttl_s": access.ttl.as_secs(),
        "media_udp_port": media.local_port(),
    });
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::OK, headers, answer.to_string()).into_response()
}

/// As SDKs are told when they join.
pub(super) fn ice_servers(
    shared: &Shared,
    peer: PeerId,
    reached: Option<IpAddr>,
) -> Vec<IceServer> {
    let media = &shared.media;
    let access = media.relay_access(peer, reached, FarEnd::Server);
    let told = access.filter(|access| !access.urls.is_empty());
    let server = told.map(|access| IceServer {
        urls: access.urls,
        username: access.username,
        credential: access.password,
    });
    server.into_iter().collect()
}

/// The address of ours that the client uses, if it says one.
pub(crate) fn reached(headers: &HeaderMap, uri: &Uri) -> Option<IpAddr> {
    let authority = uri.authority().map(axum::http::uri::Authority::as_str);
    let host = authority.or_else(|| headers.get(HOST)?.to_str().ok())?;
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    host.split(':').next()?.parse().ok()
}

fn text(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, TEXT_PLAIN)], text.to_owned()).into_response()
}
