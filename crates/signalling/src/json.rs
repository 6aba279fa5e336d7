//! JSON from strangers.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is relayed unread may be no deeper: the next reader may be less careful than we are.
pub(crate) const DEPTH_MAX: usize = 32;
/// One message of a carrier.
pub(crate) const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Of a sentence that is said back.
const SENTENCE_CHARS_MAX: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("the message is longer than 256 KiB")]
    TooLong,
    #[error("the message is nested too deeply")]
    TooDeep,
    #[error("the message cannot be read")]
    Malformed,
}

/// Refuses what is too long or too deep before anything is built from it.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    check(text)?;
    serde_json::from_str(text).map_err(|_| JsonError::Malformed)
}

pub(crate) fn check(text: &str) -> Result<(), JsonError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(JsonError::TooLong);
    }
    if is_deeper_than(text, DEPTH_MAX) {
        return Err(JsonError::TooDeep);
    }
    Ok(())
}

/// Counts brackets outside of strings; whether it is JSON at all is another question.
fn is_deeper_than(text: &str, depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// An object's members in their order, the values as they were written.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// None: not an object.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Of several of one name the last counts, as for a browser.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().rev().find(|(key, _)| key == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// Written again, with this member set to a string: in its old place, or in front.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let value = quoted(value);
        let mut text = String::from("{");
        let mut put = |key: &str, value: &str| {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&quoted(key));
            text.push(':');
            text.push_str(value);
        };
        let mut is_set = !self.0.iter().any(|(key, _)| key == name);
        if is_set {
            put(name, &value);
        }
        for (key, raw) in &self.0 {
            if key != name {
                put(key, raw.get());
            } else if !is_set {
                is_set = true;
                put(name, &value);
            }
        }
        text.push('}');
        text
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader).map(Self)
    }
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A sentence with words of the client's own in it: those may be long.
pub(crate) fn shortened(message: String) -> String {
    if message.chars().count() <= SENTENCE_CHARS_MAX {
        return message;
    }
    let start = message.chars().take(SENTENCE_CHARS_MAX);
    start.chain(['…']).collect()
}

#[cfg(test)]
mod tests;
