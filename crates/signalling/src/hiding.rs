//! Addresses taken out of what peers tell each other, where they are to meet by way of a relay alone (RFC 8839). Whoever
//! hides his address himself loses nothing by it; whoever does not is hidden all the same.

use std::borrow::Cow;

use serde_json::Value;

const NOWHERE: &str = "0.0.0.0";
const CANDIDATE: &str = "candidate:";
const CANDIDATE_LINE: &str = "a=candidate:";

/// A candidate without its prefix: foundation, component, transport, priority, address, port, then names and values.
const TYPE_AT: usize = 6;

/// A candidate as it may be passed on; also with `a=` in front, and an empty one, which ends them. None: it is none of a
/// relay.
pub(crate) fn candidate(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some(String::new());
    }
    let (prefix, rest) = match text.strip_prefix(CANDIDATE_LINE) {
        Some(rest) => (CANDIDATE_LINE, rest),
        None => (CANDIDATE, text.strip_prefix(CANDIDATE)?),
    };
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    if words.get(TYPE_AT..TYPE_AT + 2) != Some(&["typ", "relay"][..]) {
        return None;
    }
    // What stands behind a relayed address is the client's own one.
    for pair in words.get_mut(TYPE_AT + 2..)?.chunks_exact_mut(2) {
        match pair {
            ["raddr", address] => *address = NOWHERE,
            ["rport", port] => *port = "0",
            _ => {}
        }
    }
    Some(format!("{prefix}{}", words.join(" ")))
}

/// A description without addresses, but for relayed ones.
pub(crate) fn description(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter_map(line).collect()
}

/// Of one message both; false: nothing of it is to be passed on.
pub(crate) fn both(sdp: &mut Option<String>, said: &mut Option<String>) -> bool {
    if let Some(sdp) = sdp {
        *sdp = description(sdp);
    }
    let had_one = said.is_some();
    *said = said.as_deref().and_then(candidate);
    said.is_some() == had_one
}

/// A message of a form that is not known here: what looks like a candidate or a description in it. None: it is a
/// candidate that is not to be passed on. Borrowed: nothing had to go.
pub(crate) fn message(text: &str) -> Option<Cow<'_, str>> {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return Some(Cow::Borrowed(text));
    };
    match hide(&mut value) {
        Hidden::Nothing => Some(Cow::Borrowed(text)),
        Hidden::Some => Some(Cow::Owned(value.to_string())),
        Hidden::All => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hidden {
    Nothing,
    Some,
    All,
}

fn hide(value: &mut Value) -> Hidden {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Hidden::Nothing,
        Value::String(text) => hide_text(text),
        Value::Array(values) => all(values.iter_mut()),
        Value::Object(members) => all(members.values_mut()),
    }
}

fn all<'a>(values: impl Iterator<Item = &'a mut Value>) -> Hidden {
    values.map(hide).max().unwrap_or(Hidden::Nothing)
}

fn hide_text(text: &mut String) -> Hidden {
    let hidden = if text.starts_with(CANDIDATE) || text.starts_with(CANDIDATE_LINE) {
        match candidate(text) {
            Some(hidden) => hidden,
            None => return Hidden::All,
        }
    } else if text.starts_with("v=0") {
        description(text)
    } else if text.starts_with(['{', '[']) {
        // Packed once more.
        match message(text) {
            Some(hidden) => hidden.into_owned(),
            None => return Hidden::All,
        }
    } else {
        return Hidden::Nothing;
    };
    if hidden == *text {
        return Hidden::Nothing;
    }
    *text = hidden;
    Hidden::Some
}

/// With its end, as it may be passed on.
fn line(line: &str) -> Option<Cow<'_, str>> {
    let text = line.trim_end_matches(['\r', '\n']);
    let end = &line[text.len()..];
    let hidden = if text.starts_with(CANDIDATE_LINE) {
        candidate(text)?
    } else if text.starts_with("a=remote-candidates:") {
        return None;
    } else if ["o=", "c=", "a=rtcp:"]
        .iter()
        .any(|of| text.starts_with(of))
    {
        nowhere(text)?
    } else {
        return Some(Cow::Borrowed(line));
    };
    Some(Cow::Owned(hidden + end))
}

/// `… IN IP4 address`; without one it is left as it is. None: an address of another form.
fn nowhere(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        // `c=IN IP4 address`
        ["c=IN", "IP4" | "IP6", _] => Some(format!("c=IN IP4 {NOWHERE}")),
        [before @ .., "IN", "IP4" | "IP6", _] => {
            Some(format!("{} IN IP4 {NOWHERE}", before.join(" ")))
        }
        [line] if line.starts_with("a=rtcp:") => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
