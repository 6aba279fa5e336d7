//! The one message of `/ertc`: seven members, each a string or null.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::{self, JsonError};

/// Written in this order, with the nulls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) nick: Option<String>,
    pub(super) msg: Option<String>,
    pub(super) id: Option<String>,
    pub(super) sdp: Option<String>,
    pub(super) label: Option<String>,
    pub(super) candidate: Option<String>,
}

impl Message {
    /// Members that nobody knows are left out; numbers become strings, as `label` does.
    pub(super) fn read(text: &str) -> Result<Self, JsonError> {
        let object: Map<String, Value> = json::read(text)?;
        let string = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => Err(JsonError::Malformed),
        };
        Ok(Self {
            kind: string("type")?,
            nick: string("nick")?,
            msg: string("msg")?,
            id: string("id")?,
            sdp: string("sdp")?,
            label: string("label")?,
            candidate: string("candidate")?,
        })
    }

    /// What the server itself says. Empty is null.
    pub(super) fn about(kind: &str, nick: &str, id: &str, msg: &str) -> Self {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            kind: given(kind),
            nick: given(nick),
            id: given(id),
            msg: given(msg),
            ..Self::default()
        }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("strings only")
    }
}
