//! The administrators' API over HTTP: bytes to the dialect and back.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use madang_signalling::livekit::service::{BODY_BYTES_MAX, Code, Encoding, TwirpError, parse};

use super::{Shared, TEXT_PLAIN, access, body};
use crate::auth::TokenError;
use crate::room_service;
use crate::stats::Stats;

/// Who asks is found out before the body is read: strangers cannot make us hold one.
pub(crate) async fn call(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let claims = match access::verify(&shared.keys, &headers, &uri) {
        Ok(verified) => Some(verified.claims),
        Err(TokenError::Missing) => None,
        Err(error) => {
            Stats::count(&shared.stats.refused_tokens);
            let headers = [(CONTENT_TYPE, TEXT_PLAIN)];
            return (StatusCode::UNAUTHORIZED, headers, error.to_string()).into_response();
        }
    };
    let bytes_max = if claims.is_some() {
        BODY_BYTES_MAX
    } else {
        64 * 1024
    };
    let bytes = match body::read(body, bytes_max).await {
        Ok(bytes) => bytes,
        Err(StatusCode::REQUEST_TIMEOUT) => {
            return failed(&TwirpError::new(
                Code::DeadlineExceeded,
                "the request was too slow",
            ));
        }
        Err(_) => {
            let msg = "the request is too large";
            return failed(&TwirpError::new(Code::ResourceExhausted, msg));
        }
    };
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let answered = async {
        let (call, encoding) = parse(
            method.as_str(),
            uri.path(),
            content_type.unwrap_or_default(),
            &bytes,
        )?;
        call.admit(claims.as_ref())?;
        Stats::count(&shared.stats.api_calls);
        let reply = room_service::execute(&shared.directory, &shared.media, call).await?;
        Ok::<_, TwirpError>((encoding, reply.encode(encoding)))
    };
    match answered.await {
        Ok((encoding, bytes)) => ([(CONTENT_TYPE, encoding.content_type())], bytes).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &TwirpError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE, Encoding::Json.content_type())];
    (status, headers, error.body()).into_response()
}
