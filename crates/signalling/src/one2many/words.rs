//! What is said at this door. The Node and the Java tutorial differ in their sentences, in what they add to candidates and
//! in what they make of unknown messages.

use serde::Deserialize;
use serde_json::{Value, json};

const STOP: &str = "stopCommunication";
/// Beyond the tutorials, to those who ask for it.
const WAITING: &str = "waiting";
const VIEWERS: &str = "viewers";

/// Whose sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Node,
    Java,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Presenter,
    Viewer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) id: String,
    #[serde(default)]
    pub(super) sdp_offer: Option<String>,
    #[serde(default)]
    pub(super) candidate: Option<CandidateLine>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CandidateLine {
    #[serde(default)]
    pub(super) candidate: String,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Presenter => super::PRESENTER,
            Self::Viewer => "viewer",
        }
    }

    fn response(self) -> &'static str {
        match self {
            Self::Presenter => "presenterResponse",
            Self::Viewer => "viewerResponse",
        }
    }

    pub(super) fn accepted(self, sdp: &str) -> Value {
        json!({ "id": self.response(), "response": "accepted", "sdpAnswer": sdp })
    }

    pub(super) fn rejected(self, sentence: &str) -> Value {
        json!({ "id": self.response(), "response": "rejected", "message": sentence })
    }
}

impl Flavour {
    pub(super) fn taken(self) -> &'static str {
        match self {
            Self::Node => "Another user is currently acting as presenter. Try again later ...",
            Self::Java => "Another user is currently acting as sender. Try again later ...",
        }
    }

    pub(super) fn nobody(self) -> &'static str {
        match self {
            Self::Node => "No active presenter. Try again later...",
            Self::Java => "No active sender now. Become sender or . Try again later ...",
        }
    }

    /// None: a second endpoint takes the place of the first.
    pub(super) fn views_already(self) -> Option<&'static str> {
        match self {
            Self::Node => None,
            Self::Java => Some(
                "You are already viewing in this session. Use a different browser to add additional viewers.",
            ),
        }
    }

    /// To what cannot be read. None: it is passed over.
    pub(super) fn unknown(self) -> Option<Value> {
        match self {
            Self::Node => {
                Some(json!({ "id": "error", "message": "Invalid message [object Object]" }))
            }
            Self::Java => None,
        }
    }

    /// They stand in the answer already; programs that wait for them get them as messages too.
    pub(super) fn candidates(self, sdp: &str) -> Vec<Value> {
        let mid = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=mid:"))
            .unwrap_or("0");
        let first = sdp
            .find("\r\nm=")
            .map_or(sdp, |at| sdp.get(at + 2..).unwrap_or(sdp));
        let section = first.split("\r\nm=").next().unwrap_or(first);
        let lines = section.lines().filter_map(|line| line.strip_prefix("a="));
        lines
            .filter(|line| line.starts_with("candidate:"))
            .map(|line| json!({ "id": "iceCandidate", "candidate": self.candidate(line, mid) }))
            .collect()
    }

    fn candidate(self, line: &str, mid: &str) -> Value {
        match self {
            Self::Node => json!({
                "candidate": line,
                "sdpMid": mid,
                "sdpMLineIndex": 0,
                "__module__": "kurento",
                "__type__": "IceCandidate",
            }),
            Self::Java => json!({ "candidate": line, "sdpMid": mid, "sdpMLineIndex": 0 }),
        }
    }
}

pub(super) fn stop_communication() -> Value {
    json!({ "id": STOP })
}

pub(super) fn waiting() -> Value {
    json!({ "id": WAITING })
}

pub(super) fn viewers(count: usize) -> Value {
    json!({ "id": VIEWERS, "count": count })
}
