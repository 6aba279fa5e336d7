//! The one TCP port: signalling, the administrators' API, the app, health and metrics.

mod accept;
mod access;
mod api;
mod body;
mod bucket;
mod by_ip;
mod cors;
mod files;
mod metrics;
mod opening;
mod redirect;
mod rtc;
mod socket;
mod stream;
mod turn;
mod twirp;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use madang_signalling::livekit::ServerInfo;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Keys;
use crate::config::Config;
use crate::directory::Directory;
use crate::doors::{self, Doors};
use crate::media::Media;
use crate::stats::Stats;
use crate::tls::Tls;

pub use accept::ListenError;
pub(crate) use accept::{Held, Listeners, Port, Unencrypted, serve};
pub(crate) use access::Joins;
pub(crate) use api::is_loopback_name;
pub(crate) use body::read as read_body;
pub(crate) use bucket::{Bucket, Rate};
pub(crate) use by_ip::{ByIp, source_of};
pub(crate) use cors::any_origin;
pub(crate) use files::{Files, serve as app_files};
pub(crate) use redirect::{Https, to_https};
pub(crate) use socket::{TALK, TALK_BYTES, WRITE_BUFFER_BYTES_MAX, carry};
pub(crate) use turn::reached;

/// What every handler may use.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) directory: Arc<Directory>,
    pub(crate) media: Media,
    pub(crate) stats: Arc<Stats>,
    pub(crate) joins: Joins,
    pub(crate) doors: Doors,
    pub(crate) files: Files,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) server: ServerInfo,
    pub(crate) tasks: Tasks,
    pub(crate) started: Instant,
}

/// Every task of the control side has one of these as its owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    pub(crate) sessions: TaskTracker,
    pub(crate) carriers: TaskTracker,
    pub(crate) connections: TaskTracker,
    /// No new connections, no new sessions.
    pub(crate) stopping: CancellationToken,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote(pub(crate) std::net::IpAddr);

/// A plain answer of the door for SDKs.
pub(crate) const TEXT_PLAIN: &str = "text/plain; charset=utf-8";
/// Whoever sends the body of a request slower is not waited for.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let for_any_origin = Router::new()
        .route("/rtc", any(rtc::v0))
        .route("/rtc/v1", any(rtc::v1))
        .route("/rtc/validate", any(rtc::validate_v0))
        .route("/rtc/v1/validate", any(rtc::validate_v1))
        .route("/turn", any(turn::access))
        .route("/settings/regions", any(api::no_regions))
        .route("/twirp/{*rest}", any(twirp::call))
        .layer(middleware::from_fn(cors::any_origin));
    let all = Router::new()
        .route("/api/config", get(api::config))
        .route("/api/token", post(api::token))
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(api::readyz))
        .route("/metrics", get(metrics::metrics))
        .merge(for_any_origin)
        .merge(doors::routes(shared))
        .merge(redirect::proofs())
        .fallback(files::serve);
    with_guards(all, shared)
}

/// What every answer carries, on every port.
pub(crate) fn with_guards(router: Router<Arc<Shared>>, shared: &Arc<Shared>) -> Router {
    router
        .layer(middleware::from_fn(no_sniffing))
        .with_state(Arc::clone(shared))
}

async fn no_sniffing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        HeaderName::from_static("referrer-policy"),
        HeaderValue::from_static("no-referrer"),
    );
    response
}
