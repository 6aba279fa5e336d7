//! Who asks: the token of a request, and how often an address may join.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::Query;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;

use super::bucket::{Bucket, Rate};
use super::by_ip::source_of;
use crate::auth::{Keys, TokenError, Verified};

/// Addresses whose joins are remembered. So many that joined lately are more than can be told apart: the others are let
/// in unseen.
const SOURCES_MAX: usize = 10_000;

#[derive(Deserialize)]
struct TokenQuery {
    #[serde(default)]
    access_token: String,
}

/// The header wins over the query; a header that is no good is not forgiven.
pub(crate) fn verify(keys: &Keys, headers: &HeaderMap, uri: &Uri) -> Result<Verified, TokenError> {
    match headers.get(AUTHORIZATION) {
        Some(value) => {
            let text = value.to_str().map_err(|_| TokenError::Unreadable)?;
            let token = text.strip_prefix("Bearer ").ok_or(TokenError::Scheme)?;
            keys.verify(token.trim())
        }
        None => {
            let query: Query<TokenQuery> =
                Query::try_from_uri(uri).map_err(|_| TokenError::Unreadable)?;
            keys.verify(&query.access_token)
        }
    }
}

/// Joins of each address: a bucket that holds a minute's worth and fills evenly.
#[derive(Debug)]
pub(crate) struct Joins {
    rate: Option<Rate>,
    buckets: Mutex<BTreeMap<IpAddr, Bucket>>,
}

impl Joins {
    pub(crate) fn new(per_minute: Option<u32>) -> Self {
        let rate = per_minute.map(|joins| Rate {
            at_once: f64::from(joins),
            per_second: f64::from(joins) / 60.0,
        });
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Err: how long to wait.
    pub(crate) fn take(&self, now: Instant, ip: IpAddr) -> Result<(), Duration> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SOURCES_MAX {
            buckets.retain(|_, bucket| !bucket.is_full(now, rate));
        }
        let source = source_of(ip);
        let is_known = buckets.contains_key(&source);
        if !is_known && buckets.len() >= SOURCES_MAX {
            return Ok(());
        }
        let bucket = buckets
            .entry(source)
            .or_insert_with(|| Bucket::full(now, rate));
        bucket.take(now, rate, 1.0)
    }
}

#[cfg(test)]
mod tests;
