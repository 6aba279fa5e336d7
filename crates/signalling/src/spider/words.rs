//! The words on the wire: `{"type": string, "data": string}`.

use serde::Deserialize;
use serde_json::Value;

use crate::Frame;
use crate::json::{self, JsonError, quoted};

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    Offer(String),
    /// The `candidate:…` line; empty: there are no more.
    Candidate(String),
    Ping,
    /// What needs no answer, and what nobody knows.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WordError {
    #[error("a message is a text")]
    Binary,
    #[error("a message is a JSON object with a type")]
    NotAWord,
    #[error("{0}")]
    Json(JsonError),
    #[error("an offer has its description as a string in data")]
    Offer,
    #[error("a candidate2 has its JSON as a string in data")]
    Candidate,
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct CandidateInit {
    candidate: String,
}

pub(super) fn read(frame: &Frame) -> Result<Word, WordError> {
    let Frame::Text(text) = frame else {
        return Err(WordError::Binary);
    };
    let said: Said = json::read(text).map_err(|error| match error {
        JsonError::Malformed => WordError::NotAWord,
        JsonError::TooLong | JsonError::TooDeep => WordError::Json(error),
    })?;
    match (said.kind.as_str(), said.data) {
        ("offer", Value::String(sdp)) => Ok(Word::Offer(sdp)),
        ("offer", _) => Err(WordError::Offer),
        // Bare, the way of older devices.
        ("candidate" | "candidate2", Value::String(text)) if !text.starts_with('{') => {
            Ok(Word::Candidate(text.trim_start_matches("a=").to_owned()))
        }
        ("candidate" | "candidate2", Value::String(text)) => {
            let init: CandidateInit = json::read(&text).map_err(|_| WordError::Candidate)?;
            Ok(Word::Candidate(init.candidate))
        }
        ("candidate" | "candidate2", Value::Null) => Ok(Word::Other),
        ("candidate" | "candidate2", _) => Err(WordError::Candidate),
        ("ping", _) => Ok(Word::Ping),
        _ => Ok(Word::Other),
    }
}

/// Both members are strings in every word of ours: a device that finds anything else exits.
pub(super) fn said(kind: &str, data: &str) -> String {
    format!(r#"{{"type":{},"data":{}}}"#, quoted(kind), quoted(data))
}
