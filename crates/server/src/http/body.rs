//! Bodies of requests: bounded in size and in time.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;

use super::BODY_TIMEOUT;

/// Err: what to answer.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Too long, or broken off: then nobody reads the answer.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
