//! What is said at this door. The Node and the Java tutorial differ in their sentences, in what they add to candidates and
//! in what they make of unknown messages.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::sdp;

/// What one of the two says.
#[derive(Debug)]
pub(super) struct Tutorial {
    pub(super) taken: &'static str,
    pub(super) nobody: &'static str,
    /// None: a second endpoint takes the place of the first.
    pub(super) views_already: Option<&'static str>,
    /// To what cannot be read. None: it is passed over.
    pub(super) unknown: Option<&'static str>,
    /// In what candidates are said to be.
    is_node: bool,
}

pub(super) static NODE: Tutorial = Tutorial {
    taken: "Another user is currently acting as presenter. Try again later ...",
    nobody: "No active presenter. Try again later...",
    views_already: None,
    unknown: Some("Invalid message [object Object]"),
    is_node: true,
};

pub(super) static JAVA: Tutorial = Tutorial {
    taken: "Another user is currently acting as sender. Try again later ...",
    nobody: "No active sender now. Become sender or . Try again later ...",
    views_already: Some(
        "You are already viewing in this session. Use a different browser to add additional viewers.",
    ),
    unknown: None,
    is_node: false,
};

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

    fn response(self) -> String {
        format!("{}Response", self.name())
    }

    pub(super) fn accepted(self, sdp: &str) -> Value {
        json!({ "id": self.response(), "response": "accepted", "sdpAnswer": sdp })
    }

    pub(super) fn rejected(self, sentence: &str) -> Value {
        json!({ "id": self.response(), "response": "rejected", "message": sentence })
    }
}

impl Tutorial {
    /// They stand in the answer already; programs that wait for them get them as messages too.
    pub(super) fn candidates(&self, sdp: &str) -> Vec<Value> {
        let (mid, lines) = sdp::candidates(sdp);
        let said = lines.into_iter().map(|line| {
            let mut candidate = json!({ "candidate": line, "sdpMid": mid, "sdpMLineIndex": 0 });
            if let Some(members) = candidate.as_object_mut().filter(|_| self.is_node) {
                members.insert("__module__".to_owned(), json!("kurento"));
                members.insert("__type__".to_owned(), json!("IceCandidate"));
            }
            json!({ "id": "iceCandidate", "candidate": candidate })
        });
        said.collect()
    }
}
