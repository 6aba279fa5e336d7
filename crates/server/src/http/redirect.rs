//! Plain HTTP from other machines is sent on to HTTPS: browsers give camera and microphone there only.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use std::sync::Arc;

use super::{Shared, TEXT_PLAIN, with_guards};

/// Where HTTPS is, seen from who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Https {
    /// At the very port that was asked.
    Here,
    At(u16),
}

pub(crate) fn to_https(shared: &Arc<Shared>, https: Https) -> Router {
    let answer = move |State(_): State<Arc<Shared>>, uri: Uri, headers: HeaderMap| async move {
        redirect(https, &uri, &headers)
    };
    with_guards(Router::new().fallback(answer), shared)
}

fn redirect(https: Https, uri: &Uri, headers: &HeaderMap) -> Response {
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = asked.and_then(|host| host.parse::<Authority>().ok()) else {
        let text = "this port speaks HTTPS: ask at https://";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let port = match https {
        Https::Here => host.port_u16(),
        Https::At(port) => Some(port),
    };
    let port = match port {
        None | Some(443) => String::new(),
        Some(port) => format!(":{port}"),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let address = format!("https://{}{port}{path}", host.host());
    // Not for ever: whoever switches TLS off again must not find a browser that remembers.
    let headers = [
        (LOCATION, address),
        (CACHE_CONTROL, "no-store".to_owned()),
        (axum::http::header::CONTENT_TYPE, TEXT_PLAIN.to_owned()),
    ];
    (
        StatusCode::TEMPORARY_REDIRECT,
        headers,
        "this server speaks HTTPS\n",
    )
        .into_response()
}
