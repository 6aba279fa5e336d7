//! The app: files inside the program, or in a folder.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

use super::{Shared, TEXT_PLAIN};

const INDEX: &str = "index.html";
/// What the app shows at addresses of its own: a room, a counselling session, a broadcast from both of its sides.
const PAGES: [&str; 4] = ["/r/", "/c/", "/studio/", "/watch/"];
/// Whether a call will work.
const CHECK: &str = "/check";
/// Their names carry a hash of their content.
const HASHED_FOLDER: &str = "assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
/// For pages of others (docs/embed.md). Their names stay the same over versions.
const EMBED_FOLDER: &str = "embed/";
/// A page that is not ours must not wait for us whenever it is opened, and has a new version the next day at the latest.
const FOR_A_WHILE: &str = "public, max-age=600, stale-while-revalidate=86400";
/// Smaller ones fit into a packet anyway.
const GZIP_BYTES_MIN: usize = 1024;
/// Nothing but ours, and no page that frames us.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What a page of the app may ask the browser for.
const PERMISSIONS: &str =
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), geolocation=()";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>madang</title>\
     <h1>madang is running</h1><p>The app was not built into this program. \
     Run <code>make web</code> and build again, or start with <code>--web-dir</code>.</p></html>";

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Embedded;

/// Where the app's files are.
#[derive(Debug)]
pub(crate) enum Files {
    Embedded(BTreeMap<String, Arc<File>>),
    Folder(PathBuf),
}

#[derive(Debug)]
pub(crate) struct File {
    bytes: Bytes,
    kind: &'static str,
    etag: String,
    is_hashed: bool,
    is_for_others: bool,
    gzipped: OnceLock<Option<Bytes>>,
}

impl Files {
    pub(crate) fn embedded() -> Self {
        let files = Embedded::iter().filter_map(|path| {
            let bytes = Embedded::get(&path)?.data;
            let file = File::new(&path, Bytes::from(bytes.into_owned()));
            Some((path.into_owned(), Arc::new(file)))
        });
        Self::Embedded(files.collect())
    }

    pub(crate) fn folder(path: PathBuf) -> Self {
        Self::Folder(path)
    }

    async fn file(&self, path: &str) -> Option<Arc<File>> {
        match self {
            Self::Embedded(files) => files.get(path).cloned(),
            Self::Folder(folder) => {
                let whole = folder.join(relative(path)?);
                let bytes = tokio::task::spawn_blocking(move || std::fs::read(whole))
                    .await
                    .ok()?
                    .ok()?;
                Some(Arc::new(File::new(path, bytes.into())))
            }
        }
    }
}

/// Everything that is no other route: the app's files, and its own paths.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path = uri.path();
    if path == "/" && !wants_html(&headers) {
        return ([(CONTENT_TYPE, TEXT_PLAIN)], "OK").into_response();
    }
    let is_page = path == "/" || path == CHECK || PAGES.iter().any(|page| path.starts_with(page));
    let name = if is_page {
        INDEX
    } else {
        path.trim_start_matches('/')
    };
    match shared.files.file(name).await {
        Some(file) => answer(&file, &headers),
        None if is_page => {
            let mut response =
                ([(CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response();
            guard(response.headers_mut());
            response
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(file: &File, asked: &HeaderMap) -> Response {
    let cache = match file {
        File {
            is_hashed: true, ..
        } => FOREVER,
        File {
            is_for_others: true,
            ..
        } => FOR_A_WHILE,
        File { .. } => ASK_AGAIN,
    };
    let is_known = asked
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == file.etag)
        });
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let packed = accepts_gzip(asked).then(|| file.gzipped()).flatten();
        let is_packed = packed.is_some();
        let bytes = packed.unwrap_or_else(|| file.bytes.clone());
        let mut response = Response::new(Body::from(bytes));
        if is_packed {
            let value = HeaderValue::from_static("gzip");
            response.headers_mut().insert(CONTENT_ENCODING, value);
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&file.etag) {
        headers.insert(ETAG, etag);
    }
    if file.kind.starts_with("text/html") {
        guard(headers);
    }
    if file.is_for_others {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    response
}

fn guard(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    for (name, value) in [
        ("permissions-policy", PERMISSIONS),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}

impl File {
    fn new(path: &str, bytes: Bytes) -> Self {
        Self {
            kind: kind_of(path),
            etag: format!("\"{:016x}\"", fnv1a(&bytes)),
            is_hashed: path.starts_with(HASHED_FOLDER),
            is_for_others: path.starts_with(EMBED_FOLDER),
            gzipped: OnceLock::new(),
            bytes,
        }
    }

    /// Packed once. None: not worth it.
    fn gzipped(&self) -> Option<Bytes> {
        let pack = || {
            let is_text = [
                "text/",
                "application/json",
                "image/svg",
                "application/manifest",
            ]
            .iter()
            .any(|kind| self.kind.starts_with(kind));
            if !is_text || self.bytes.len() < GZIP_BYTES_MIN {
                return None;
            }
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&self.bytes).ok()?;
            encoder.finish().ok().map(Bytes::from)
        };
        self.gzipped.get_or_init(pack).clone()
    }
}

/// None: a path that leaves the folder.
fn relative(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let stays = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    stays.then(|| path.to_owned())
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| {
            accept.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                parts.next() == Some("gzip") && !parts.any(|part| part == "q=0")
            })
        })
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "txt" | "ts" => TEXT_PLAIN,
        _ => "application/octet-stream",
    }
}

/// To tell one version of a file from another, not to withstand forgers: the files are ours
/// (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
