//! Parts of a session description that are sent after it (RFC 8840): candidates one by one, and the credentials of an ICE
//! restart.

use std::fmt::Write as _;

use crate::resource::Reply;

/// Of one message. A client with many interfaces has a few dozen.
const CANDIDATES_MAX: usize = 128;
/// RFC 8839 §5.4.
const UFRAG_CHARS: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;

/// By which a connection's checks are authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Credentials {
    ufrag: String,
    password: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fragment {
    /// None: only candidates.
    credentials: Option<Credentials>,
    /// `candidate:…`, those of these credentials.
    candidates: Vec<String>,
}

/// What such parts are parts of: an offer whose ICE may be restarted, and the tag of its present ICE session.
#[derive(Debug, Default)]
pub(crate) struct IceSession {
    pub(crate) offer: String,
    credentials: Option<Credentials>,
    seed: u64,
    restarts: u32,
    /// The offer of a restart that is not answered yet.
    wanted: Option<(String, Credentials)>,
}

/// What a fragment asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Patched {
    Candidates(Vec<String>),
    /// To be offered once more like this.
    Restart {
        offer: String,
        candidates: Vec<String>,
    },
}

/// The text is a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum FragmentError {
    #[error("this is no fragment of a session description: lines of RFC 8840 are expected")]
    Line,
    #[error("a=ice-ufrag and a=ice-pwd come together, and are the same in every section")]
    Credentials,
    #[error("too many candidates at once")]
    TooMany,
}

impl IceSession {
    pub(crate) fn new(offer: String, seed: u64) -> Self {
        Self {
            credentials: credentials(&offer),
            offer,
            seed,
            ..Self::default()
        }
    }

    pub(crate) fn etag(&self) -> String {
        format!("\"{:016x}-{}\"", self.seed, self.restarts)
    }

    /// By RFC 9725 §4.3, with the value of `If-Match`.
    pub(crate) fn patch(&mut self, condition: Option<&str>, text: &str) -> Result<Patched, Reply> {
        let refused = |status, sentence: &str| Err(Reply::refused(status, sentence));
        let Some(condition) = condition.map(str::trim) else {
            let sentence = "If-Match is required: the tag of the ICE session, or * to restart it";
            return refused(428, sentence);
        };
        let fragment = match Fragment::read(text) {
            Ok(fragment) => fragment,
            Err(error) => return refused(400, &error.to_string()),
        };
        if condition != "*" && !matches(condition, &self.etag()) {
            return refused(412, "another ICE session is running");
        }
        let candidates = fragment.candidates;
        let known = self.credentials.as_ref();
        match fragment.credentials.filter(|new| known != Some(new)) {
            None => Ok(Patched::Candidates(candidates)),
            Some(_) if condition != "*" => {
                refused(422, "new credentials restart ICE, which takes If-Match: *")
            }
            Some(credentials) => {
                let offer = restarted(&self.offer, &credentials);
                self.wanted = Some((offer.clone(), credentials));
                Ok(Patched::Restart { offer, candidates })
            }
        }
    }

    /// The restart was answered.
    pub(crate) fn restarted(&mut self) {
        if let Some((offer, credentials)) = self.wanted.take() {
            self.offer = offer;
            self.credentials = Some(credentials);
            self.restarts += 1;
        }
    }
}

impl Fragment {
    fn read(text: &str) -> Result<Self, FragmentError> {
        let (mut ufrag, mut password) = (None, None);
        let mut candidates: Vec<&str> = Vec::new();
        let mut is_any = false;
        for line in text.lines().map(str::trim_end) {
            let Some((kind, value)) = line.split_once('=') else {
                if line.is_empty() {
                    continue;
                }
                return Err(FragmentError::Line);
            };
            if kind.len() != 1 || value.is_empty() {
                return Err(FragmentError::Line);
            }
            is_any = true;
            if let Some(value) = value.strip_prefix("ice-ufrag:") {
                take(&mut ufrag, value, &UFRAG_CHARS)?;
            } else if let Some(value) = value.strip_prefix("ice-pwd:") {
                take(&mut password, value, &PASSWORD_CHARS)?;
            } else if value.starts_with("candidate:") && kind == "a" && !candidates.contains(&value)
            {
                candidates.push(value);
            }
        }
        if !is_any {
            return Err(FragmentError::Line);
        }
        if candidates.len() > CANDIDATES_MAX {
            return Err(FragmentError::TooMany);
        }
        let credentials = match (ufrag, password) {
            (Some(ufrag), Some(password)) => Some(Credentials {
                ufrag: ufrag.to_owned(),
                password: password.to_owned(),
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(FragmentError::Credentials),
        };
        let own = credentials.as_ref().map(|own| own.ufrag.as_str());
        candidates.retain(|line| own.is_none() || ufrag_of(line).is_none_or(|of| Some(of) == own));
        Ok(Self {
            credentials,
            candidates: candidates.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// The offer once more, of a client that has these credentials now. Its candidates were those of the old ones.
fn restarted(offer: &str, credentials: &Credentials) -> String {
    let mut text = String::with_capacity(offer.len());
    for line in offer.lines() {
        let line = if line.starts_with("a=ice-ufrag:") {
            format!("a=ice-ufrag:{}", credentials.ufrag)
        } else if line.starts_with("a=ice-pwd:") {
            format!("a=ice-pwd:{}", credentials.password)
        } else if line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates") {
            continue;
        } else {
            line.to_owned()
        };
        text.push_str(&line);
        text.push_str("\r\n");
    }
    text
}

/// The first of each that a description has.
fn credentials(sdp: &str) -> Option<Credentials> {
    let of = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
    Some(Credentials {
        ufrag: of("a=ice-ufrag:")?.to_owned(),
        password: of("a=ice-pwd:")?.to_owned(),
    })
}

/// What the client has to know of the answer to its restart: our credentials and where we are (RFC 9725 §4.3.3).
pub(crate) fn of_answer(answer: &str) -> String {
    let mut text = String::new();
    let mut put = |line: &str| write!(text, "{line}\r\n").expect("writing to a string");
    let mut in_head = true;
    let mut sections = 0;
    for line in answer.lines() {
        if line.starts_with("m=") {
            sections += 1;
            in_head = false;
            if sections == 1 {
                put(line);
            }
            continue;
        }
        let is_ours = ["a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=mid:"]
            .iter()
            .any(|name| line.starts_with(name))
            || line == "a=end-of-candidates";
        let is_of_all = ["a=ice-lite", "a=ice-options:", "a=group:"]
            .iter()
            .any(|name| line.starts_with(name));
        if (in_head && (is_of_all || is_ours)) || (sections == 1 && is_ours) {
            put(line);
        }
    }
    text
}

/// Whether an `If-Match` (RFC 9110 §13.1.1) names that strong tag.
fn matches(condition: &str, etag: &str) -> bool {
    condition.split(',').any(|tag| tag.trim() == etag)
}

fn take<'a>(
    kept: &mut Option<&'a str>,
    value: &'a str,
    chars: &std::ops::RangeInclusive<usize>,
) -> Result<(), FragmentError> {
    // RFC 8839 §5.4: ALPHA / DIGIT / "+" / "/". Some have `-` and `_` in theirs.
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    if !chars.contains(&value.len()) || !value.bytes().all(is_fine) {
        return Err(FragmentError::Credentials);
    }
    match kept.replace(value) {
        Some(before) if before != value => Err(FragmentError::Credentials),
        Some(_) | None => Ok(()),
    }
}

/// Whose a candidate is, where it says so.
fn ufrag_of(candidate: &str) -> Option<&str> {
    let mut words = candidate.split(' ');
    words.find(|word| *word == "ufrag")?;
    words.next()
}

#[cfg(test)]
mod tests;
