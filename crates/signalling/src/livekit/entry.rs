//! What a client says about itself when it opens its socket: a query string, or one message in it.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use livekit_protocol as proto;
use prost::Message;
use proto::client_info::Sdk;

use crate::query::{Query, percent_decoded};

/// A join request after inflation: more is a bomb.
const JOIN_REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Tracks announced in the join itself.
const ADD_TRACK_REQUESTS_MAX: usize = 64;

/// Which of the two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// `/rtc`: a connection to publish, and one on which we offer what is subscribed.
    V0,
    /// `/rtc/v1`: one connection, on which only the client offers.
    V1,
}

/// A client's first words.
#[derive(Debug, Clone)]
pub struct Entry {
    pub path: Path,
    /// Of the signalling; decides which messages the client understands.
    pub protocol: i32,
    /// What its SDK offers to other members' SDKs; only passed on.
    pub client_protocol: i32,
    /// Numbers as on the wire; only passed on.
    pub capabilities: Vec<i32>,
    pub auto_subscribe: bool,
    pub auto_subscribe_data: bool,
    pub adaptive_stream: bool,
    /// Program, version, system, browser.
    pub client: proto::ClientInfo,
    pub reconnect: Option<Reconnect>,
    /// Publish only, beside another session of the same member.
    pub publish: String,
    pub attributes: BTreeMap<String, String>,
    pub metadata: String,
    pub add_track_requests: Vec<proto::AddTrackRequest>,
    pub publisher_offer: Option<proto::SessionDescription>,
    pub sync_state: Option<proto::SyncState>,
}

/// The client had a session and wants it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect {
    /// As the client sent it; empty from clients that know no better.
    pub participant_sid: String,
    pub reason: i32,
}

/// Why nobody is let in. The texts are read by clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("join_request is required")]
    JoinRequestMissing,
    #[error("cannot base64 decode wrapped join request")]
    Base64,
    #[error("cannot unmarshal wrapped join request")]
    Wrapped,
    #[error("cannot unmarshal join request")]
    JoinRequest,
    #[error("cannot read decompressed join request")]
    Gzip,
    #[error("join request too large")]
    TooLarge,
    #[error("no permissions to access the room")]
    NoRight,
    #[error("permissions denied")]
    MayNotJoin,
    #[error("identity cannot be empty")]
    NoIdentity,
    #[error("participant identity length exceeds limits: max length 256")]
    IdentityTooLong,
    #[error("no room name")]
    NoRoom,
    #[error("room name length exceeds limits: max length 256")]
    RoomTooLong,
    #[error("metadata size exceeds limits")]
    MetadataTooLarge,
    #[error("attributes size exceeds limits")]
    AttributesTooLarge,
}

impl EntryError {
    /// The HTTP status that goes with the text.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoRight | Self::MayNotJoin => 401,
            Self::JoinRequestMissing
            | Self::Base64
            | Self::Wrapped
            | Self::JoinRequest
            | Self::Gzip
            | Self::TooLarge
            | Self::NoIdentity
            | Self::IdentityTooLong
            | Self::NoRoom
            | Self::RoomTooLong
            | Self::MetadataTooLarge
            | Self::AttributesTooLarge => 400,
        }
    }
}

/// The query string of `/rtc` (without the `?`). A `join_request` in it makes it the other door.
pub fn parse_v0_query(query: &str) -> Result<Entry, EntryError> {
    let query = Query::parse(query);
    let join_request = query.text("join_request");
    if !join_request.is_empty() {
        return parse_v1(join_request);
    }
    let client = proto::ClientInfo {
        sdk: sdk_named(query.text("sdk")) as i32,
        version: query.text("version").to_owned(),
        protocol: query.number("protocol"),
        os: query.text("os").to_owned(),
        os_version: query.text("os_version").to_owned(),
        device_model: query.text("device_model").to_owned(),
        browser: query.text("browser").to_owned(),
        browser_version: query.text("browser_version").to_owned(),
        network: query.text("network").to_owned(),
        client_protocol: query.number("client_protocol"),
        capabilities: capabilities_named(query.text("capabilities")),
        ..proto::ClientInfo::default()
    };
    let auto_subscribe = query.text("auto_subscribe");
    Ok(Entry {
        path: Path::V0,
        protocol: client.protocol,
        client_protocol: client.client_protocol,
        capabilities: client.capabilities.clone(),
        auto_subscribe: auto_subscribe.is_empty() || is_true(auto_subscribe),
        auto_subscribe_data: is_true(query.text("auto_subscribe_data_track")),
        adaptive_stream: is_true(query.text("adaptive_stream")),
        client,
        reconnect: is_true(query.text("reconnect")).then(|| Reconnect {
            participant_sid: query.text("sid").to_owned(),
            reason: query.number("reconnect_reason"),
        }),
        publish: query.text("publish").to_owned(),
        attributes: attributes(query.text("attributes")),
        metadata: String::new(),
        add_track_requests: Vec::new(),
        publisher_offer: None,
        sync_state: None,
    })
}

/// The query string of `/rtc/v1` (without the `?`).
pub fn parse_v1_query(query: &str) -> Result<Entry, EntryError> {
    parse_v1(Query::parse(query).text("join_request"))
}

/// The value of `join_request`: base64 of a `WrappedJoinRequest`.
pub fn parse_v1(join_request: &str) -> Result<Entry, EntryError> {
    if join_request.is_empty() {
        return Err(EntryError::JoinRequestMissing);
    }
    if join_request.len() > JOIN_REQUEST_BYTES_MAX.saturating_mul(2) {
        return Err(EntryError::TooLarge);
    }
    let bytes = base64(join_request).ok_or(EntryError::Base64)?;
    let wrapped =
        proto::WrappedJoinRequest::decode(bytes.as_slice()).map_err(|_| EntryError::Wrapped)?;
    let bytes = match wrapped.compression() {
        proto::wrapped_join_request::Compression::None => wrapped.join_request,
        proto::wrapped_join_request::Compression::Gzip => inflate(&wrapped.join_request)?,
    };
    if bytes.len() > JOIN_REQUEST_BYTES_MAX {
        return Err(EntryError::TooLarge);
    }
    let request =
        proto::JoinRequest::decode(bytes.as_slice()).map_err(|_| EntryError::JoinRequest)?;
    Ok(of_join_request(request))
}

impl Entry {
    /// Browsers do not name themselves in the query. Fills in what is missing and decides a codec.
    pub fn with_user_agent(mut self, user_agent: &str) -> Self {
        let agent = user_agent.to_ascii_lowercase();
        if self.client.browser.is_empty() {
            let (browser, marker) = if agent.contains("firefox/") {
                ("firefox", "firefox/")
            } else if ["chrome/", "chromium/", "crios/", "edg/", "android"]
                .iter()
                .any(|other| agent.contains(other))
            {
                ("chrome", "chrome/")
            } else if agent.contains("safari/") {
                ("safari", "version/")
            } else {
                return self;
            };
            browser.clone_into(&mut self.client.browser);
            let version = agent.split(marker).nth(1).unwrap_or("");
            self.client.browser_version = version
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
        }
        if self.client.os.is_empty() {
            let systems = [
                ("android", "android"),
                ("linux", "linux"),
                ("windows", "windows"),
                ("iphone", "ios"),
                ("mac os", "mac os x"),
            ];
            let found = systems.iter().find(|(marker, _)| agent.contains(marker));
            self.client.os = found.map_or("", |(_, name)| name).to_owned();
        }
        self
    }

    /// `js 2.23.0`: for logs.
    pub fn program(&self) -> String {
        let name = self.client.sdk().as_str_name().to_ascii_lowercase();
        format!("{name} {}", self.client.version)
    }
}

fn of_join_request(request: proto::JoinRequest) -> Entry {
    let client = request.client_info.unwrap_or_default();
    let settings = request.connection_settings.unwrap_or_default();
    let mut add_track_requests = request.add_track_requests;
    add_track_requests.truncate(ADD_TRACK_REQUESTS_MAX);
    Entry {
        path: Path::V1,
        protocol: client.protocol,
        client_protocol: client.client_protocol,
        capabilities: client.capabilities.clone(),
        auto_subscribe: settings.auto_subscribe,
        auto_subscribe_data: settings.auto_subscribe_data_track.unwrap_or(false),
        adaptive_stream: settings.adaptive_stream,
        client,
        reconnect: request.reconnect.then_some(Reconnect {
            participant_sid: request.participant_sid,
            reason: request.reconnect_reason,
        }),
        publish: String::new(),
        attributes: request.participant_attributes.into_iter().collect(),
        metadata: request.metadata,
        add_track_requests,
        publisher_offer: request.publisher_offer,
        sync_state: request.sync_state,
    }
}

/// Both alphabets, padded or not. A `+` that went through form decoding is a space.
fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::URL_SAFE, lenient);
    let text: String = percent_decoded(text)
        .chars()
        .map(|c| match c {
            '+' | ' ' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    engine.decode(text).ok()
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, EntryError> {
    let limit = u64::try_from(JOIN_REQUEST_BYTES_MAX).expect("fits") + 1;
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut inflated)
        .map_err(|_| EntryError::Gzip)?;
    Ok(inflated)
}

/// base64 of a JSON object. What cannot be read is left out: clients would not get in otherwise.
fn attributes(text: &str) -> BTreeMap<String, String> {
    base64(text)
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default()
}

fn capabilities_named(names: &str) -> Vec<i32> {
    names
        .split(',')
        .filter_map(|name| proto::client_info::Capability::from_str_name(name.trim()))
        .map(|capability| capability as i32)
        .collect()
}

fn sdk_named(name: &str) -> Sdk {
    match name {
        "js" => Sdk::Js,
        "ios" | "swift" => Sdk::Swift,
        "android" => Sdk::Android,
        "flutter" => Sdk::Flutter,
        "go" => Sdk::Go,
        "unity" => Sdk::Unity,
        "reactnative" => Sdk::ReactNative,
        "rust" => Sdk::Rust,
        "python" => Sdk::Python,
        "cpp" => Sdk::Cpp,
        "unityweb" => Sdk::UnityWeb,
        "node" => Sdk::Node,
        "unreal" => Sdk::Unreal,
        "esp32" => Sdk::Esp32,
        "dotnet" => Sdk::Dotnet,
        _ => Sdk::Unknown,
    }
}

fn is_true(text: &str) -> bool {
    text == "1" || text == "true"
}

#[cfg(test)]
mod tests;
