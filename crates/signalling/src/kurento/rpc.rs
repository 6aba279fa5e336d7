//! JSON-RPC 2.0 in the media server's manner: what a frame asks for, and the two shapes of an answer. Members come in the
//! order of the alphabet, as from the original.

use serde_json::{Map, Value, json};

use crate::json::{self, JsonError};

/// An id is said back, so it must be short.
const ID_BYTES_MAX: usize = 128;

/// A request as it was asked.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) ticket: Ticket,
    pub(super) method: String,
    params: Value,
}

/// Whom to answer. None: a notification, that gets none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticket(pub(super) Option<Value>);

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    code: i32,
    name: Option<&'static str>,
    message: String,
}

/// What can go wrong with objects; each has its number and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Marshall,
    Unexpected,
    Connect,
    UnsupportedMedia,
    InvalidSession,
    NotEnoughResources,
    TypeNotFound,
    NotFound,
    MethodNotFound,
    EventNotSupported,
    TagKeyNotFound,
    SdpParse,
    NoLocalSdp,
    NoRemoteSdp,
    GenerateOffer,
    AlreadyNegotiated,
    NotOfferGenerated,
    AddCandidate,
}

impl Kind {
    /// Its number and its name.
    pub(super) fn said(self) -> (i32, &'static str) {
        match self {
            Self::Marshall => (40001, "MARSHALL_ERROR"),
            Self::Unexpected => (40003, "UNEXPECTED_ERROR"),
            Self::Connect => (40004, "CONNECT_ERROR"),
            Self::UnsupportedMedia => (40005, "UNSUPPORTED_MEDIA_TYPE"),
            Self::InvalidSession => (40007, "INVALID_SESSION"),
            Self::NotEnoughResources => (40009, "NOT_ENOUGH_RESOURCES"),
            Self::TypeNotFound => (40100, "MEDIA_OBJECT_TYPE_NOT_FOUND"),
            Self::NotFound => (40101, "MEDIA_OBJECT_NOT_FOUND"),
            Self::MethodNotFound => (40105, "MEDIA_OBJECT_METHOD_NOT_FOUND"),
            Self::EventNotSupported => (40106, "MEDIA_OBJECT_EVENT_NOT_SUPPORTED"),
            Self::TagKeyNotFound => (40110, "MEDIA_OBJECT_TAG_KEY_NOT_FOUND"),
            Self::SdpParse => (40201, "SDP_PARSE_ERROR"),
            Self::NoLocalSdp => (40202, "SDP_END_POINT_NO_LOCAL_SDP_ERROR"),
            Self::NoRemoteSdp => (40203, "SDP_END_POINT_NO_REMOTE_SDP_ERROR"),
            Self::GenerateOffer => (40204, "SDP_END_POINT_GENERATE_OFFER_ERROR"),
            Self::AlreadyNegotiated => (40208, "SDP_END_POINT_ALREADY_NEGOTIATED"),
            Self::NotOfferGenerated => (40209, "SDP_END_POINT_NOT_OFFER_GENERATED"),
            Self::AddCandidate => (40401, "ICE_ADD_CANDIDATE_ERROR"),
        }
    }
}

impl Fault {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (code, name) = kind.said();
        Self {
            code,
            name: Some(name),
            message: json::shortened(message.into()),
        }
    }

    fn unreadable() -> Self {
        Self {
            code: -32700,
            name: Some("PARSE_ERROR"),
            message: "Parse error.".to_owned(),
        }
    }

    fn invalid() -> Self {
        Self {
            code: -32600,
            name: None,
            message: "Invalid JSON-RPC request.".to_owned(),
        }
    }

    pub(super) fn no_such_method() -> Self {
        Self {
            code: -32601,
            name: None,
            message: "Method not found.".to_owned(),
        }
    }

    fn of_server(message: String) -> Self {
        Self {
            code: -32000,
            name: None,
            message: json::shortened(message),
        }
    }

    pub(super) fn not_found(object: &str) -> Self {
        Self::new(Kind::NotFound, format!("Object '{object}' not found"))
    }
}

impl Call {
    /// What is too deep or too long is not looked at.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        let value: Value = json::read(text).map_err(|error| match error {
            JsonError::Malformed => Fault::unreadable(),
            JsonError::TooLong | JsonError::TooDeep => Fault::invalid(),
        })?;
        let Value::Object(mut members) = value else {
            return Err(Fault::invalid());
        };
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(Fault::invalid());
        }
        let id = members.remove("id").filter(|id| !id.is_null());
        let is_fit = id.as_ref().is_none_or(|id| match id {
            Value::Number(_) | Value::Bool(_) | Value::Null => true,
            Value::String(text) => text.len() <= ID_BYTES_MAX,
            Value::Array(_) | Value::Object(_) => false,
        });
        let Some(Value::String(method)) = members.remove("method").filter(|_| is_fit) else {
            return Err(Fault::invalid());
        };
        Ok(Self {
            ticket: Ticket(id),
            method,
            params: members.remove("params").unwrap_or(Value::Null),
        })
    }

    pub(super) fn params(&self) -> Result<Params<'_>, Fault> {
        match &self.params {
            Value::Object(members) => Ok(Params(members)),
            Value::Null => Err(Fault {
                code: -32602,
                name: Some("INVALID_PARAMS"),
                message: "'params' is required".to_owned(),
            }),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(Fault {
                code: -32603,
                name: Some("INTERNAL_ERROR"),
                message: "Unexpected error while processing method".to_owned(),
            }),
        }
    }

    /// The session that the client takes itself to be in.
    pub(super) fn session(&self) -> Option<&str> {
        self.params.get("sessionId")?.as_str()
    }
}

/// Members of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Params<'a>(&'a Map<String, Value>);

impl<'a> Params<'a> {
    pub(super) fn text(self, name: &str) -> Result<&'a str, Fault> {
        let Some(value) = self.0.get(name) else {
            return Err(Fault::of_server(format!("'{name}' parameter is required")));
        };
        value
            .as_str()
            .ok_or_else(|| Fault::of_server(format!("'{name}' parameter should be a string")))
    }

    /// The members of an inner object, by its name: what is wrong with them is said in other words.
    pub(super) fn inner(self, name: &'static str) -> Inner<'a> {
        Inner {
            name,
            value: self.0.get(name).unwrap_or(&Value::Null),
        }
    }
}

/// `constructorParams` or `operationParams`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inner<'a> {
    name: &'static str,
    value: &'a Value,
}

impl<'a> Inner<'a> {
    fn members(self) -> Result<Option<&'a Map<String, Value>>, Fault> {
        match self.value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(members)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let message = format!("'{}' should be an object", self.name);
                Err(Fault::new(Kind::Marshall, message))
            }
        }
    }

    pub(super) fn count(self) -> usize {
        self.value.as_object().map_or(0, Map::len)
    }

    pub(super) fn required(self, name: &str) -> Result<Option<&'a Value>, Fault> {
        match self.members()? {
            Some(members) => Ok(members.get(name)),
            None => {
                let message = format!("'{}' is required", self.name);
                Err(Fault::new(Kind::Marshall, message))
            }
        }
    }

    pub(super) fn text(self, name: &str) -> Result<&'a str, Fault> {
        let value = self.required(name)?.and_then(Value::as_str);
        value.ok_or_else(|| wrong(name, "a string"))
    }

    pub(super) fn integer(self, name: &str) -> Result<i64, Fault> {
        let value = self.required(name)?.and_then(Value::as_i64);
        value.ok_or_else(|| wrong(name, "an integer"))
    }

    pub(super) fn flag(self, name: &str) -> Result<bool, Fault> {
        let value = self.required(name)?.and_then(Value::as_bool);
        value.ok_or_else(|| wrong(name, "a boolean"))
    }

    pub(super) fn text_if_any(self, name: &str) -> Result<Option<&'a str>, Fault> {
        match self.if_any(name)? {
            Some(value) => Ok(Some(value.as_str().ok_or_else(|| wrong(name, "a string"))?)),
            None => Ok(None),
        }
    }

    pub(super) fn flag_if_any(self, name: &str) -> Result<bool, Fault> {
        match self.if_any(name)? {
            Some(value) => value.as_bool().ok_or_else(|| wrong(name, "a boolean")),
            None => Ok(false),
        }
    }

    fn if_any(self, name: &str) -> Result<Option<&'a Value>, Fault> {
        Ok(self.members()?.and_then(|members| members.get(name)))
    }
}

fn wrong(name: &str, what: &str) -> Fault {
    Fault::new(
        Kind::Marshall,
        format!("'{name}' parameter should be {what}"),
    )
}

/// The frame that answers.
pub(super) fn answer(ticket: &Ticket, outcome: &Result<Value, Fault>) -> String {
    let Some(id) = &ticket.0 else {
        let unheard = "Ignoring response because of a notification request".to_owned();
        let fault = outcome.as_ref().err().cloned();
        return refusal(&Value::Null, &fault.unwrap_or(Fault::of_server(unheard)));
    };
    match outcome {
        Ok(result) => json!({ "id": id, "jsonrpc": "2.0", "result": result }).to_string(),
        Err(fault) => refusal(id, fault),
    }
}

fn refusal(id: &Value, fault: &Fault) -> String {
    let mut error = json!({ "code": fault.code, "message": fault.message });
    if let (Some(name), Some(members)) = (fault.name, error.as_object_mut()) {
        members.insert("data".to_owned(), json!({ "type": name }));
    }
    json!({ "error": error, "id": id, "jsonrpc": "2.0" }).to_string()
}

/// The frame that tells of an event.
pub(super) fn event(object: &str, name: &str, data: &Value) -> String {
    let value = json!({ "data": data, "object": object, "type": name });
    json!({ "jsonrpc": "2.0", "method": "onEvent", "params": { "value": value } }).to_string()
}
