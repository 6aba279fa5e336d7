//! JSON-RPC 2.0: what a frame asks for, and the shapes of what is said to it. What is said has its members in the order of the
//! alphabet.

use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde_json::{Map, Value, json};

use crate::Frame;
use crate::json::{self, JsonError};

/// An id is said back, so it must be short.
const ID_BYTES_MAX: usize = 128;

const PARSE_ERROR: Code = Code::named(-32700, "PARSE_ERROR");
const INVALID_REQUEST: Code = Code::nameless(-32600);
const METHOD_NOT_FOUND: Code = Code::nameless(-32601);
const INVALID_PARAMS: Code = Code::named(-32602, "INVALID_PARAMS");
const INTERNAL_ERROR: Code = Code::named(-32603, "INTERNAL_ERROR");
const SERVER_ERROR: Code = Code::nameless(-32000);

/// A request as it was asked.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ticket: Ticket,
    pub(crate) method: String,
    params: Value,
}

/// Whom to answer. None: a notification, that gets none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ticket(Option<Value>);

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    code: Code,
    message: String,
}

/// By what programs tell faults apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) number: i32,
    pub(crate) name: Option<&'static str>,
}

impl Code {
    pub(crate) const fn named(number: i32, name: &'static str) -> Self {
        let name = Some(name);
        Self { number, name }
    }

    const fn nameless(number: i32) -> Self {
        Self { number, name: None }
    }
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = json::shortened(message.into());
        Self { code, message }
    }

    pub(crate) fn no_such_method() -> Self {
        Self::new(METHOD_NOT_FOUND, "Method not found.")
    }

    fn said(&self, id: &Value) -> Value {
        let mut error = json!({ "code": self.code.number, "message": self.message });
        if let Some(name) = self.code.name {
            error["data"] = json!({ "type": name });
        }
        json!({ "error": error, "id": id, "jsonrpc": "2.0" })
    }
}

impl Call {
    /// What is too deep or too long is not looked at.
    pub(crate) fn read(frame: &Frame) -> Result<Self, Fault> {
        let invalid = || Fault::new(INVALID_REQUEST, "Invalid JSON-RPC request.");
        let value = match frame {
            Frame::Text(text) => json::read(text),
            Frame::Binary(_) => Err(JsonError::Malformed),
        };
        let value: Value = value.map_err(|error| match error {
            JsonError::Malformed => Fault::new(PARSE_ERROR, "Parse error."),
            JsonError::TooLong | JsonError::TooDeep => invalid(),
        })?;
        let Value::Object(mut members) = value else {
            return Err(invalid());
        };
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(invalid());
        }
        let id = members.remove("id").filter(|id| !id.is_null());
        let is_fit = id.as_ref().is_none_or(|id| match id {
            Value::Number(_) | Value::Bool(_) | Value::Null => true,
            Value::String(text) => text.len() <= ID_BYTES_MAX,
            Value::Array(_) | Value::Object(_) => false,
        });
        let Some(Value::String(method)) = members.remove("method").filter(|_| is_fit) else {
            return Err(invalid());
        };
        Ok(Self {
            ticket: Ticket(id),
            method,
            params: members.remove("params").unwrap_or(Value::Null),
        })
    }

    pub(crate) fn params(&self) -> Result<Params<'_>, Fault> {
        match &self.params {
            Value::Object(members) => Ok(Params(members)),
            Value::Null => Err(Fault::new(INVALID_PARAMS, "'params' is required")),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let message = "Unexpected error while processing method";
                Err(Fault::new(INTERNAL_ERROR, message))
            }
        }
    }

    /// A parameter that may be absent, or something else.
    pub(crate) fn text_if_any(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }
}

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Params<'a>(&'a Map<String, Value>);

impl<'a> Params<'a> {
    pub(crate) fn text(self, name: &str) -> Result<&'a str, Fault> {
        let value = self.0.get(name).ok_or_else(|| {
            let message = format!("'{name}' parameter is required");
            Fault::new(SERVER_ERROR, message)
        })?;
        let text = value.as_str();
        text.ok_or_else(|| misfit(SERVER_ERROR, name, "a string"))
    }

    /// The members of an inner object, by its name. With the code it is said that they do not fit.
    pub(crate) fn inner(self, name: &'static str, code: Code) -> Arguments<'a> {
        let value = self.0.get(name).unwrap_or(&Value::Null);
        Arguments { name, value, code }
    }
}

/// What goes along with a request, to be read by who does it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments<'a> {
    name: &'static str,
    value: &'a Value,
    code: Code,
}

impl<'a> Arguments<'a> {
    pub(crate) fn count(self) -> usize {
        self.value.as_object().map_or(0, Map::len)
    }

    pub(crate) fn text(self, name: &str) -> Result<&'a str, Fault> {
        self.required(name, "a string", Value::as_str)
    }

    pub(crate) fn integer(self, name: &str) -> Result<i64, Fault> {
        self.required(name, "an integer", Value::as_i64)
    }

    pub(crate) fn flag(self, name: &str) -> Result<bool, Fault> {
        self.required(name, "a boolean", Value::as_bool)
    }

    /// Of an argument that is an object.
    pub(crate) fn property(self, name: &str, property: &str) -> Result<&'a str, Fault> {
        let object = self.required(name, "an object", Value::as_object)?;
        let text = object.get(property).and_then(Value::as_str);
        text.ok_or_else(|| {
            let message = format!("'{property}' property should be a string");
            Fault::new(self.code, message)
        })
    }

    /// One of the words of a type.
    pub(crate) fn word<T: Deserialize<'a>>(self, name: &str, kind: &str) -> Result<T, Fault> {
        let word = self.text(name)?;
        self.read_word(word, kind)
    }

    pub(crate) fn word_if_any<T: Deserialize<'a>>(
        self,
        name: &str,
        kind: &str,
    ) -> Result<Option<T>, Fault> {
        let word = self.if_any(name, "a string", Value::as_str)?;
        word.map(|word| self.read_word(word, kind)).transpose()
    }

    pub(crate) fn flag_if_any(self, name: &str) -> Result<bool, Fault> {
        let flag = self.if_any(name, "a boolean", Value::as_bool)?;
        Ok(flag.unwrap_or_default())
    }

    fn read_word<T: Deserialize<'a>>(self, word: &'a str, kind: &str) -> Result<T, Fault> {
        let read: Result<T, serde::de::value::Error> = T::deserialize(word.into_deserializer());
        read.map_err(|_| Fault::new(self.code, format!("Invalid value for '{kind}'")))
    }

    fn required<T>(
        self,
        name: &str,
        what: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, Fault> {
        let members = self.members()?.ok_or_else(|| {
            let message = format!("'{}' is required", self.name);
            Fault::new(self.code, message)
        })?;
        let value = members.get(name).and_then(read);
        value.ok_or_else(|| misfit(self.code, name, what))
    }

    fn if_any<T>(
        self,
        name: &str,
        what: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let value = self.members()?.and_then(|members| members.get(name));
        let value = value.map(|value| read(value).ok_or_else(|| misfit(self.code, name, what)));
        value.transpose()
    }

    fn members(self) -> Result<Option<&'a Map<String, Value>>, Fault> {
        match self.value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(members)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let message = format!("'{}' should be an object", self.name);
                Err(Fault::new(self.code, message))
            }
        }
    }
}

fn misfit(code: Code, name: &str, what: &str) -> Fault {
    Fault::new(code, format!("'{name}' parameter should be {what}"))
}

/// The frame that answers. A notification hears of nothing but that it went wrong, or that it will not hear.
pub(crate) fn answer(ticket: &Ticket, outcome: &Result<Value, Fault>) -> Frame {
    let said = match (&ticket.0, outcome) {
        (Some(id), Ok(result)) => json!({ "id": id, "jsonrpc": "2.0", "result": result }),
        (id, Err(fault)) => fault.said(id.as_ref().unwrap_or(&Value::Null)),
        (None, Ok(_)) => {
            let unheard = "Ignoring response because of a notification request";
            Fault::new(SERVER_ERROR, unheard).said(&Value::Null)
        }
    };
    Frame::Text(said.to_string())
}

/// A frame that nobody asked for.
pub(crate) fn notification(method: &str, params: &Value) -> Frame {
    let said = json!({ "jsonrpc": "2.0", "method": method, "params": params });
    Frame::Text(said.to_string())
}

#[cfg(test)]
mod tests;
