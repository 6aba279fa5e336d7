//! The words in which peers of a Socket.IO signalling server speak with it and with each other, without sockets and without a
//! clock. `docs/protocols/peers.md` is the whole dialect.

use serde_json::{Value, json};

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Who else is there. Who is polite waits for the other's offer, and gives way where two offers meet.
    Introduced {
        names: Vec<String>,
        be_polite: bool,
    },
    Left(String),
    Description {
        from: String,
        is_offer: bool,
        sdp: String,
    },
    /// A `candidate:…` line.
    Candidate {
        from: String,
        line: String,
    },
    /// The one error of this dialect, in the server's words.
    Refused(String),
}

/// The arguments of `ready`: who we are. Offers and answers of ours have all candidates, and further ones are welcome.
pub fn ready(name: &str, kind: Option<&str>) -> Vec<Value> {
    vec![json!(name), json!(kind), json!(true)]
}

/// The argument of `messageOne` that carries a description.
pub fn description(from: &str, to: &str, is_offer: bool, sdp: &str) -> Value {
    let kind = if is_offer { "offer" } else { "answer" };
    let sdp = json!({"type": kind, "sdp": sdp});
    json!({"from": from, "target": to, "payload": {"action": "sdp", "sdp": sdp}})
}

/// What an event says. None: of another kind, such as what programs tell each other besides.
pub fn read(name: &str, arguments: &[Value]) -> Option<Told> {
    let message = arguments.first()?;
    match name {
        "uniquenessError" => {
            let sentence = text(message, "message").unwrap_or_else(|| message.to_string());
            Some(Told::Refused(sentence))
        }
        "message" => {
            let from = text(message, "from")?;
            payload(from, message.get("payload")?)
        }
        _ => None,
    }
}

fn payload(from: String, payload: &Value) -> Option<Told> {
    match payload.get("action")?.as_str()? {
        "open" => {
            let connections = payload.get("connections")?.as_array()?;
            let names = connections.iter().filter_map(|each| text(each, "peerId"));
            Some(Told::Introduced {
                names: names.collect(),
                be_polite: payload.get("bePolite")?.as_bool()?,
            })
        }
        "close" => Some(Told::Left(from)),
        "sdp" => {
            let sdp = payload.get("sdp")?;
            let is_offer = match sdp.get("type")?.as_str()? {
                "offer" => true,
                "answer" => false,
                _ => return None,
            };
            let sdp = text(sdp, "sdp")?;
            Some(Told::Description {
                from,
                is_offer,
                sdp,
            })
        }
        "ice" => {
            // An empty line, as `null`, says that there are no more.
            let line = text(payload.get("ice")?, "candidate")?;
            (!line.is_empty()).then_some(Told::Candidate { from, line })
        }
        _ => None,
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
