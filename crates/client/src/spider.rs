//! The client's half of Spider's dialect, without sockets and without a clock: what to say, what was told, and when a server
//! that is silent is gone. `docs/protocols/spider.md` is the whole dialect.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::url::escaped;
pub use crate::url::{Url, UrlError};

/// A server says `ping` every 30 s.
const SILENCE_MAX: Duration = Duration::from_secs(75);
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Whoever was sent away does not come back by himself.
pub const REMOVED: &str = "removed by a moderator";
/// What madang says when nothing failed.
const GOODBYES: [&str; 4] = [
    REMOVED,
    "somebody else took this place",
    "the room was closed",
    "the server is stopping",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Publisher,
    Subscriber,
}

impl Url {
    /// Of a channel there. `parameters` are further ones of the query, such as `vcodec` or `access_token`.
    #[must_use]
    pub fn channel(mut self, role: Role, channel: &str, parameters: &[(&str, &str)]) -> Self {
        let end = match role {
            Role::Publisher => "pub",
            Role::Subscriber => "sub",
        };
        self.path = format!("{}/live/ws/{end}?channel={}", self.path, escaped(channel));
        for (name, value) in parameters {
            self.path.push_str(&format!("&{name}={}", escaped(value)));
        }
        self
    }
}

/// What the server told us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A description.
    Answer(String),
    /// A `candidate:…` line.
    Candidate(String),
    /// To a publisher: how many watch. To a subscriber: its publisher came or went, and it may offer again.
    Joins(String),
    /// Somebody decided that it ends.
    Goodbye(String),
    /// Why the server does not do what was asked.
    Error(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Words {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CandidateInit {
    candidate: String,
}

/// A conversation.
#[derive(Debug)]
pub struct Client {
    heard_at: Instant,
    ping_at: Instant,
}

impl Client {
    pub fn new(now: Instant) -> Self {
        Self {
            heard_at: now,
            ping_at: now + PING_INTERVAL,
        }
    }

    /// The text frame of an offer.
    pub fn offer(sdp: &str) -> String {
        said("offer", sdp)
    }

    /// What cannot be read, or is of a kind that nobody knows, is passed over: servers of this dialect differ.
    pub fn handle_text(&mut self, now: Instant, text: &str) -> Option<Told> {
        self.heard_at = now;
        let words: Words = serde_json::from_str(text).ok()?;
        let data = words.data.unwrap_or_default();
        match words.kind.as_str() {
            "answer" => Some(Told::Answer(data)),
            "candidate2" | "candidate" => {
                let init = serde_json::from_str(&data).map(|init: CandidateInit| init.candidate);
                Some(Told::Candidate(init.unwrap_or(data)))
            }
            "joins" => Some(Told::Joins(data)),
            "error" if GOODBYES.contains(&data.as_str()) => Some(Told::Goodbye(data)),
            "error" => Some(Told::Error(data)),
            _ => None,
        }
    }

    /// What to say now, if anything.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<String> {
        if now < self.ping_at {
            return None;
        }
        self.ping_at = now + PING_INTERVAL;
        Some(said("ping", ""))
    }

    pub fn poll_timeout(&self) -> Instant {
        self.ping_at.min(self.heard_at + SILENCE_MAX)
    }

    /// Nothing came for so long that the server cannot be there any more.
    pub fn is_silent(&self, now: Instant) -> bool {
        now >= self.heard_at + SILENCE_MAX
    }
}

fn said(kind: &str, data: &str) -> String {
    let words = Words {
        kind: kind.to_owned(),
        data: Some(data.to_owned()),
    };
    serde_json::to_string(&words).expect("two strings are JSON")
}

#[cfg(test)]
mod tests;
