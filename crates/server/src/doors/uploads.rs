//! Pictures that a member shows to the others: kept in memory for a while, fetched by a name that nobody can guess.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue,
};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use madang_sfu::api::RoomId;
use madang_signalling::door::UploadError;

use crate::http::Shared;
use crate::time::now;

/// Of one picture.
pub(crate) const PICTURE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Of all pictures of a room: the oldest go first.
const ROOM_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Of all pictures of all rooms: then no more are taken until some have had their time.
const STORE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a picture can be fetched.
const KEPT: Duration = Duration::from_secs(3_600);
/// 144 bits.
const NAME_BYTES: usize = 18;
/// What is counted for a picture besides its bytes, so that tiny ones are bounded too.
const OVERHEAD_BYTES: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<Store>);

#[derive(Debug, Default)]
struct Store {
    pictures: BTreeMap<Arc<str>, Picture>,
    /// The oldest first.
    order: VecDeque<(Instant, Arc<str>)>,
    bytes: usize,
    bytes_by_room: BTreeMap<RoomId, usize>,
}

#[derive(Debug)]
struct Picture {
    room: RoomId,
    kind: Kind,
    bytes: Bytes,
}

/// What a browser shows without running anything of it. SVG is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Jpeg,
    Gif,
    Webp,
}

impl Uploads {
    /// The name by which it can be fetched.
    pub(crate) fn keep(
        &self,
        now: Instant,
        room: RoomId,
        bytes: Vec<u8>,
    ) -> Result<String, UploadError> {
        if bytes.len() > PICTURE_BYTES_MAX {
            return Err(UploadError::TooLarge);
        }
        let kind = Kind::sniffed(&bytes).ok_or(UploadError::Kind)?;
        let mut random = [0; NAME_BYTES];
        getrandom::fill(&mut random).map_err(|_| UploadError::Full)?;
        let name = format!("{}.{}", URL_SAFE_NO_PAD.encode(random), kind.extension());
        let size = bytes.len() + OVERHEAD_BYTES;
        let mut store = self.lock();
        store.sweep(now);
        while store.bytes_by_room.get(&room).copied().unwrap_or(0) + size > ROOM_BYTES_MAX {
            store.drop_oldest_of(room);
        }
        if store.bytes + size > STORE_BYTES_MAX {
            return Err(UploadError::Full);
        }
        let key: Arc<str> = Arc::from(name.as_str());
        store.bytes += size;
        *store.bytes_by_room.entry(room).or_default() += size;
        store.order.push_back((now, Arc::clone(&key)));
        let bytes = Bytes::from(bytes);
        store.pictures.insert(key, Picture { room, kind, bytes });
        Ok(name)
    }

    /// What has had its time goes.
    pub(crate) fn sweep(&self, now: Instant) {
        self.lock().sweep(now);
    }

    fn find(&self, now: Instant, name: &str) -> Option<(Kind, Bytes)> {
        let mut store = self.lock();
        store.sweep(now);
        let picture = store.pictures.get(name)?;
        Some((picture.kind, picture.bytes.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn sweep(&mut self, now: Instant) {
        while let Some((kept_at, name)) = self.order.front() {
            if now.saturating_duration_since(*kept_at) < KEPT {
                return;
            }
            let name = Arc::clone(name);
            self.order.pop_front();
            self.forget(&name);
        }
    }

    fn drop_oldest_of(&mut self, room: RoomId) {
        let is_of_room = |(_, name): &(Instant, Arc<str>)| {
            self.pictures.get(name).is_some_and(|p| p.room == room)
        };
        match self.order.iter().position(is_of_room) {
            Some(position) => {
                if let Some((_, name)) = self.order.remove(position) {
                    self.forget(&name);
                }
            }
            None => drop(self.bytes_by_room.remove(&room)),
        }
    }

    fn forget(&mut self, name: &str) {
        let Some(picture) = self.pictures.remove(name) else {
            return;
        };
        let size = picture.bytes.len() + OVERHEAD_BYTES;
        self.bytes -= size;
        if let Some(bytes) = self.bytes_by_room.get_mut(&picture.room) {
            *bytes -= size;
            if *bytes == 0 {
                self.bytes_by_room.remove(&picture.room);
            }
        }
    }
}

impl Kind {
    /// By the first bytes: what the sender calls it does not count.
    fn sniffed(bytes: &[u8]) -> Option<Self> {
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        match bytes {
            _ if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Some(Self::Png),
            _ if bytes.starts_with(b"\xff\xd8\xff") => Some(Self::Jpeg),
            _ if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") => Some(Self::Gif),
            _ if is_webp => Some(Self::Webp),
            _ => None,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

pub(crate) async fn picture(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Response {
    answer(&shared, &name)
}

/// Programs that are deployed below a path of their own ask below it.
pub(crate) async fn picture_below(
    State(shared): State<Arc<Shared>>,
    Path((_, name)): Path<(String, String)>,
) -> Response {
    answer(&shared, &name)
}

fn answer(shared: &Shared, name: &str) -> Response {
    let Some((kind, bytes)) = shared.doors.uploads.find(now().instant, name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, kind.media_type()),
        (CONTENT_DISPOSITION, "inline"),
        // Opened by itself it is a document of no origin that may do nothing.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
        (CACHE_CONTROL, "private, max-age=3600"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests;
