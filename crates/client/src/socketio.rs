//! The client's half of Socket.IO 5 over Engine.IO 4 on a WebSocket: events of text, without sockets and without a clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::url::Url;

/// Until the server says how often it pings.
const SILENCE_FIRST: Duration = Duration::from_secs(20);
const SILENCE_MAX: Duration = Duration::from_secs(600);

/// What the server told us.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// The namespace let us in.
    Connected,
    /// It did not, in its own words.
    Refused(String),
    Event {
        name: String,
        arguments: Vec<Value>,
    },
    /// It ended the conversation.
    Closed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    ping_interval: u64,
    ping_timeout: u64,
}

/// A conversation in one namespace.
#[derive(Debug)]
pub(crate) struct Client {
    namespace: String,
    auth: Value,
    heard_at: Instant,
    silence: Duration,
    said: VecDeque<String>,
}

impl Client {
    /// `auth` goes with the wish to enter the namespace.
    pub(crate) fn new(now: Instant, namespace: &str, auth: Value) -> Self {
        Self {
            namespace: namespace.to_owned(),
            auth,
            heard_at: now,
            silence: SILENCE_FIRST,
            said: VecDeque::new(),
        }
    }

    /// As the original's client reads an address: its path is the namespace.
    pub(crate) fn address(url: &Url) -> (Url, String) {
        let namespace = url.path.trim_end_matches("/socket.io");
        let namespace = if namespace.is_empty() { "/" } else { namespace };
        let mut at = url.clone();
        at.path = "/socket.io/?EIO=4&transport=websocket".to_owned();
        (at, namespace.to_owned())
    }

    /// What cannot be read, acknowledgements and binary events are passed over: nothing here asks for them.
    pub(crate) fn handle_text(&mut self, now: Instant, text: &str) -> Option<Told> {
        self.heard_at = now;
        let mut chars = text.chars();
        let kind = chars.next()?;
        let rest = chars.as_str();
        match kind {
            '0' => {
                self.opened(rest);
                None
            }
            '1' => Some(Told::Closed),
            '2' => {
                self.said.push_back(format!("3{rest}"));
                None
            }
            '4' => self.packet(rest),
            _ => None,
        }
    }

    fn opened(&mut self, text: &str) {
        if let Ok(open) = serde_json::from_str::<Open>(text) {
            let silence_ms = open.ping_interval.saturating_add(open.ping_timeout);
            self.silence = Duration::from_millis(silence_ms).clamp(SILENCE_FIRST, SILENCE_MAX);
        }
        let auth = self.auth.to_string();
        self.say('0', &auth);
    }

    fn packet(&self, text: &str) -> Option<Told> {
        let mut chars = text.chars();
        let kind = chars.next()?;
        let rest = chars.as_str();
        let (namespace, rest) = match rest.split_once(',') {
            Some((namespace, rest)) if namespace.starts_with('/') => (namespace, rest),
            Some(_) | None if rest.starts_with('/') => (rest, ""),
            Some(_) | None => ("/", rest),
        };
        if namespace != self.namespace {
            return None;
        }
        match kind {
            '0' => Some(Told::Connected),
            '1' => Some(Told::Closed),
            '2' => event(rest.trim_start_matches(|c: char| c.is_ascii_digit())),
            '4' => {
                let said: Value = serde_json::from_str(rest).unwrap_or_default();
                let sentence = said.get("message").unwrap_or(&said);
                let sentence = sentence.as_str().map(str::to_owned);
                Some(Told::Refused(sentence.unwrap_or_else(|| said.to_string())))
            }
            _ => None,
        }
    }

    /// An event with its arguments.
    pub(crate) fn emit(&mut self, name: &str, arguments: Vec<Value>) {
        let mut all = vec![Value::from(name)];
        all.extend(arguments);
        self.say('2', &Value::from(all).to_string());
    }

    /// Goodbye.
    pub(crate) fn disconnect(&mut self) {
        self.say('1', "");
    }

    fn say(&mut self, kind: char, payload: &str) {
        let namespace = match self.namespace.as_str() {
            "/" => String::new(),
            namespace => format!("{namespace},"),
        };
        self.said.push_back(format!("4{kind}{namespace}{payload}"));
    }

    /// The text frame that is to be sent next. It stays until [`Client::pop_said`].
    pub(crate) fn next_said(&self) -> Option<&str> {
        self.said.front().map(String::as_str)
    }

    pub(crate) fn pop_said(&mut self) {
        self.said.pop_front();
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        self.heard_at + self.silence
    }

    /// Nothing came for so long that the server cannot be there any more.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        now >= self.poll_timeout()
    }
}

fn event(text: &str) -> Option<Told> {
    let mut arguments: VecDeque<Value> = serde_json::from_str(text).ok()?;
    let name = arguments.pop_front()?.as_str()?.to_owned();
    let arguments = arguments.into();
    Some(Told::Event { name, arguments })
}

#[cfg(test)]
mod tests;
