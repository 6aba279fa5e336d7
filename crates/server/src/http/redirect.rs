//! Plain HTTP from other machines is sent on to HTTPS: browsers give camera and microphone there only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::{Shared, TEXT_PLAIN, with_guards};
use crate::stats::Stats;

/// Where HTTPS is, seen from who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Https {
    /// At the very port that was asked.
    Here,
    At(u16),
}

pub(crate) fn to_https(shared: &Arc<Shared>, https: Https) -> Router {
    let domain = shared.config.domain.clone();
    let answer = move |uri: Uri, headers: HeaderMap| async move {
        redirect(https, domain.as_deref(), &uri, &headers)
    };
    with_guards(proofs().fallback(answer), shared)
}

/// What a certificate authority asks for (RFC 8555 §8.3), without TLS.
pub(crate) fn proofs() -> Router<Arc<Shared>> {
    Router::new().route("/.well-known/acme-challenge/{token}", get(proof))
}

async fn proof(State(shared): State<Arc<Shared>>, Path(token): Path<String>) -> Response {
    let tls = shared.tls.as_ref();
    match tls.and_then(|tls| tls.challenges().text(&token)) {
        Some(text) => {
            Stats::count(&shared.stats.acme_challenges_answered);
            ([(CONTENT_TYPE, "application/octet-stream")], text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `domain`: the name that the certificate is for.
fn redirect(https: Https, domain: Option<&str>, uri: &Uri, headers: &HeaderMap) -> Response {
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
    let name = domain.unwrap_or(host.host());
    let address = format!("https://{name}{port}{path}");
    // Not for ever: whoever switches TLS off again must not find a browser that remembers.
    let headers = [
        (LOCATION, address),
        (CACHE_CONTROL, "no-store".to_owned()),
        (CONTENT_TYPE, TEXT_PLAIN.to_owned()),
    ];
    (
        StatusCode::TEMPORARY_REDIRECT,
        headers,
        "this server speaks HTTPS\n",
    )
        .into_response()
}
