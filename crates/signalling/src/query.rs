//! The query of a URL.

use std::collections::BTreeMap;

use crate::door::Secret;

pub(crate) const NAME_BYTES_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// The first of several values counts.
    pub(crate) fn parse(query: &str) -> Self {
        let mut values = BTreeMap::new();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            values
                .entry(form_decoded(key))
                .or_insert_with(|| form_decoded(value));
        }
        Self(values)
    }

    /// Empty where there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// None where there is none, or nothing in it.
    pub(crate) fn given(&self, key: &str) -> Option<String> {
        Some(self.text(key).to_owned()).filter(|text| !text.is_empty())
    }

    /// What is not to be printed.
    pub(crate) fn secret(&self, key: &str) -> Option<Secret> {
        self.given(key).map(Secret::from)
    }

    /// A wish of yes or no.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        matches!(self.text(key), "1" | "true")
    }

    /// Like `given`, for what others get to see. The error is a sentence for the client.
    pub(crate) fn name(&self, key: &str) -> Result<Option<String>, String> {
        let name = self.given(key);
        match &name {
            Some(name) if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) => Err(
                format!("{key} has at most 256 bytes, and no control characters"),
            ),
            Some(_) | None => Ok(name),
        }
    }

    pub(crate) fn number(&self, key: &str) -> i32 {
        self.text(key).parse().unwrap_or(0)
    }
}

fn form_decoded(text: &str) -> String {
    percent_decoded(&text.replace('+', " "))
}

pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high * 16 + low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
