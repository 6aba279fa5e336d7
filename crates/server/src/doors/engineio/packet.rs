//! Packets of Engine.IO, protocols 3 and 4, and of Socket.IO on top of it: text only. Binary ones are not taken: no
//! program of ours sends any.

/// Packets of one POST. More at once are nobody's honest batch.
pub(crate) const PACKETS_MAX: usize = 512;
/// Of arguments. Deeper ones nobody needs, and parsers recurse.
const DEPTH_MAX: usize = 32;
const SEPARATOR: char = '\u{1e}';

pub(crate) const PING: char = '2';
pub(crate) const PONG: char = '3';
pub(crate) const CLOSE: &str = "1";
pub(crate) const UPGRADE: &str = "5";
pub(crate) const NOOP: &str = "6";
pub(crate) const PROBE: &str = "2probe";
pub(crate) const PROBE_ANSWER: &str = "3probe";

/// The protocol that the client asked for: the query's `EIO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Of Socket.IO 1 and 2: the client pings, the server says first that it is connected.
    V3,
    V4,
}

impl Protocol {
    /// Packets as the body of an answer to a poll.
    pub(crate) fn payload(self, packets: &[String]) -> String {
        match self {
            Self::V4 => packets.join("\u{1e}"),
            Self::V3 => {
                let sized = packets
                    .iter()
                    .map(|packet| format!("{}:{packet}", packet.encode_utf16().count()));
                sized.collect()
            }
        }
    }

    /// None: malformed.
    pub(crate) fn packets(self, payload: &str) -> Option<Vec<String>> {
        match self {
            Self::V4 => {
                let packets: Vec<_> = payload
                    .split(SEPARATOR)
                    .take(PACKETS_MAX + 1)
                    .map(str::to_owned)
                    .collect();
                let is_good = packets.len() <= PACKETS_MAX && packets.iter().all(|p| !p.is_empty());
                is_good.then_some(packets)
            }
            Self::V3 => sized_packets(payload),
        }
    }
}

/// `<length>:<packet>…`; the length counts UTF-16 code units, as JavaScript does.
fn sized_packets(payload: &str) -> Option<Vec<String>> {
    let mut packets = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let (length, after) = rest.split_once(':')?;
        if length.len() > 7 || packets.len() >= PACKETS_MAX {
            return None;
        }
        let mut units: usize = length.parse().ok().filter(|units| *units > 0)?;
        let mut end = 0;
        for character in after.chars() {
            if units == 0 {
                break;
            }
            units = units.checked_sub(character.len_utf16())?;
            end += character.len_utf8();
        }
        if units > 0 {
            return None;
        }
        let (packet, others) = after.split_at_checked(end)?;
        packets.push(packet.to_owned());
        rest = others;
    }
    (!packets.is_empty()).then_some(packets)
}

/// What a Socket.IO packet is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Connect,
    Disconnect,
    Event,
    /// Answers to what we never ask.
    Ack,
}

/// A Socket.IO packet: what follows the `4` of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) verb: Verb,
    pub(crate) namespace: &'a str,
    /// What follows a namespace's `?`, as version 2 writes it.
    pub(crate) query: &'a str,
    pub(crate) data: &'a str,
}

impl<'a> Message<'a> {
    /// None: malformed, or binary.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (verb, rest) = text.split_at_checked(1)?;
        let verb = match verb {
            "0" => Verb::Connect,
            "1" => Verb::Disconnect,
            "2" => Verb::Event,
            "3" => Verb::Ack,
            _ => return None,
        };
        let (namespace, rest) = if rest.starts_with('/') {
            rest.split_once(',').unwrap_or((rest, ""))
        } else {
            ("/", rest)
        };
        let (namespace, query) = namespace.split_once('?').unwrap_or((namespace, ""));
        let data = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        Some(Self {
            verb,
            namespace,
            query,
            data,
        })
    }

    /// The event's name and arguments, if that is what the data are.
    pub(crate) fn event(&self) -> Option<&'a str> {
        let is_event = self.data.starts_with("[\"")
            && is_shallow(self.data)
            && serde_json::from_str::<serde::de::IgnoredAny>(self.data).is_ok();
        is_event.then_some(self.data)
    }
}

/// `4`, what it is about, and the namespace unless it is the root.
pub(crate) fn message(verb: char, namespace: &str, data: &str) -> String {
    match namespace {
        "/" => format!("4{verb}{data}"),
        name if data.is_empty() => format!("4{verb}{name},"),
        name => format!("4{verb}{name},{data}"),
    }
}

fn is_shallow(json: &str) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => depth += 1,
            b']' | b'}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
