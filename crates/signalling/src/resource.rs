//! Sessions that are resources of HTTP: requests and answers as data, as a carrier and a dialect hand them to each other.

use madang_sfu::api::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::door::EnterError;
use crate::ways::RelayAccess;

pub const SDP: &str = "application/sdp";
pub const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// Who finds everything taken may look again then.
const RETRY_S: u32 = 5;

/// A request to a session. The carrier sends the next one when it has the answer to the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Ask {
    /// First of all.
    Post {
        sdp: String,
    },
    Patch {
        if_match: Option<String>,
        fragment: String,
    },
    /// Which encoding a viewer wants to get: JSON.
    Layer {
        body: String,
    },
    /// What a viewer would have been told so far: the body of the answer is a list of [`Notice`].
    Notices,
    Delete,
}

/// What a session says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "lowercase")]
pub enum Told {
    Reply(Reply),
    Notice(Notice),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub event: String,
    pub data: String,
}

impl Reply {
    pub fn refused(status: u16, sentence: &str) -> Self {
        let mut headers = vec![header("content-type", TEXT)];
        if status == 503 {
            headers.push(header("retry-after", &RETRY_S.to_string()));
        }
        Self {
            status,
            headers,
            body: sentence.to_owned(),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(crate) fn answered(sdp: String, etag: &str, links: &[String]) -> Self {
        let mut headers = vec![
            header("content-type", SDP),
            header("etag", etag),
            header("accept-patch", FRAGMENT),
        ];
        headers.extend(links.iter().map(|link| header("link", link)));
        Self {
            status: 201,
            headers,
            body: sdp,
        }
    }

    pub(crate) fn restarted(fragment: String, etag: &str) -> Self {
        Self {
            status: 200,
            headers: vec![header("content-type", FRAGMENT), header("etag", etag)],
            body: fragment,
        }
    }

    pub(crate) fn notices(notices: &[Notice]) -> Self {
        Self {
            status: 200,
            headers: vec![header("content-type", JSON)],
            body: serde_json::to_string(notices).expect("plain data"),
        }
    }

    /// Where nobody is let in.
    pub(crate) fn not_entered(error: EnterError) -> Self {
        let status = match error {
            EnterError::NotAllowed => 403,
            EnterError::NoSuchRoom => 404,
            EnterError::Taken | EnterError::Mesh | EnterError::Sfu => 409,
            EnterError::RoomFull | EnterError::ServerFull | EnterError::Stopping => 503,
        };
        Self::refused(status, &error.to_string())
    }

    /// Where the core refuses.
    pub(crate) fn not_done(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::Sdp(_) => 400,
            Refusal::NotAllowed => 403,
            Refusal::TooLarge(_) => 413,
            Refusal::Codec | Refusal::State(_) | Refusal::NotFound(_) => 422,
            Refusal::Limit(_) => 503,
        };
        Self::refused(status, &refusal.to_string())
    }
}

impl Notice {
    pub(crate) fn new(event: &str, data: &Value) -> Self {
        Self {
            event: event.to_owned(),
            data: data.to_string(),
        }
    }
}

/// How a client's media is relayed, and where it may ask for its address: for its `Link` headers (RFC 9725 §4.6).
pub(crate) fn ice_links(relay: Option<&RelayAccess>) -> Vec<String> {
    let Some(relay) = relay else {
        return Vec::new();
    };
    let link = |url: &String| {
        let server = format!("<{url}>; rel=\"ice-server\"");
        if url.starts_with("stun:") {
            return server;
        }
        let (username, credential) = (quoted(&relay.username), quoted(&relay.credential));
        format!(
            "{server}; username={username}; credential={credential}; credential-type=\"password\""
        )
    };
    relay.urls.iter().map(link).collect()
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// RFC 9110 §5.6.4.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
