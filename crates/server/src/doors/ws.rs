//! Doors over plain WebSockets: what is wrong with the request is answered by HTTP, what follows is the dialect's.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Extension, Router};

use super::{Kind, Opening, is_from_own_page};
use crate::carrier;
use crate::door_session::{DoorSession, Visitor};
use crate::http::{Held, Remote, Shared, TEXT_PLAIN, WRITE_BUFFER_BYTES_MAX, carry, reached};
use crate::stats::Stats;

pub(super) fn spider() -> Router<Arc<Shared>> {
    door("/live/ws/pub", Kind::SpiderPublisher).merge(door("/live/ws/sub", Kind::SpiderSubscriber))
}

pub(super) fn ertc() -> Router<Arc<Shared>> {
    door("/ertc", Kind::Ertc)
}

pub(super) fn one2many() -> Router<Arc<Shared>> {
    door("/one2many", Kind::One2ManyNode).merge(door("/call", Kind::One2ManyJava))
}

pub(super) fn kurento() -> Router<Arc<Shared>> {
    door("/kurento", Kind::Kurento)
}

fn door(path: &str, kind: Kind) -> Router<Arc<Shared>> {
    Router::new().route(path, any(enter).layer(Extension(kind)))
}

async fn enter(
    State(shared): State<Arc<Shared>>,
    Extension(kind): Extension<Kind>,
    Extension(Remote(ip)): Extension<Remote>,
    Extension(held): Extension<Arc<Held>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !is_from_own_page(&shared, &uri, &headers) {
        return text(StatusCode::FORBIDDEN, "asked by a page of another origin");
    }
    let Ok(upgrade) = upgrade else {
        let mut response = text(StatusCode::UPGRADE_REQUIRED, "a WebSocket is spoken here");
        let websocket = HeaderValue::from_static("websocket");
        response.headers_mut().insert(UPGRADE, websocket);
        return response;
    };
    if shared.tasks.stopping.is_cancelled() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
    }
    if let Err(wait) = shared.joins.take(crate::time::now().instant, ip) {
        Stats::count(&shared.stats.refused_joins_of_ip);
        let reason = "too many joins from this address";
        let mut response = text(StatusCode::TOO_MANY_REQUESTS, reason);
        let wait_s = wait.as_secs() + 1;
        response.headers_mut().insert(RETRY_AFTER, wait_s.into());
        return response;
    }
    let opening = Opening {
        query: uri.query().unwrap_or_default(),
        socket_id: "",
        auth: "",
    };
    let door = match kind.open(&opening) {
        Ok(door) => door,
        Err(reason) => return text(StatusCode::BAD_REQUEST, &reason),
    };
    let reached = reached(&headers, &uri);
    let task = shared.tasks.carriers.token();
    let upgrade = upgrade
        .max_message_size(kind.message_bytes_max())
        .max_frame_size(kind.message_bytes_max())
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX);
    upgrade.on_upgrade(async move |socket| {
        let (carrier, wire) = carrier::pair();
        let session = DoorSession {
            door,
            carrier,
            visitor: Visitor {
                ip,
                reached,
                is_trusted: false,
                granted: None,
                listing: None,
            },
            shared: Arc::clone(&shared),
        };
        shared.tasks.sessions.spawn(session.run());
        carry(socket, wire, Arc::clone(&shared.stats)).await;
        drop((held, task));
    })
}

fn text(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, TEXT_PLAIN)], text.to_owned()).into_response()
}
