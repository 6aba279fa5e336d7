//! What little a dialect wants to know of a client's offer: whose it is, what it asks for, which codec comes first (RFC 8866).

use madang_sfu::api::{Codec, MediaKind, Source};

/// An offer that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) sdp: String,
    /// Who offers, by the `o=` line: name and number of the session.
    pub(crate) session: String,
    /// Sections that would receive.
    pub(crate) video: usize,
    pub(crate) audio: usize,
}

impl Offer {
    /// Never fails: what cannot be read is refused by who reads it in earnest.
    pub(crate) fn read(sdp: String, codec: Option<Codec>) -> Self {
        let sdp = match codec {
            Some(codec) => preferring(&sdp, codec),
            None => sdp,
        };
        let (head, sections) = sections(&sdp);
        let session = head.iter().find_map(|line| line.strip_prefix("o="));
        let session = session.unwrap_or_default();
        let default = flow(&head).unwrap_or(true);
        let receiving = |kind: &str| {
            let fitting = sections.iter().filter(|section| {
                let media = section.first().and_then(|line| line.strip_prefix(kind));
                // A port of 0 is a section that is refused, or one that lives in the bundle only (RFC 9143 §7.2.1).
                let is_bundled = section.contains(&"a=bundle-only");
                let is_open = media.is_some_and(|rest| is_bundled || !rest.starts_with("0 "));
                is_open && flow(section).unwrap_or(default)
            });
            fitting.count()
        };
        let (video, audio) = (receiving("m=video "), receiving("m=audio "));
        Self {
            session: session.split(' ').take(2).collect::<Vec<_>>().join(" "),
            video,
            audio,
            sdp,
        }
    }

    pub(crate) fn sections(&self) -> usize {
        self.video + self.audio
    }
}

/// A section of sound or picture, as whoever wrote the description sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Media<'a> {
    pub(crate) kind: MediaKind,
    pub(crate) mid: &'a str,
    pub(crate) sends: bool,
    pub(crate) receives: bool,
}

impl Media<'_> {
    /// What it is taken for, as its client has no word for it.
    pub(crate) fn source(&self) -> Source {
        match self.kind {
            MediaKind::Audio => Source::Microphone,
            MediaKind::Video => Source::Camera,
        }
    }
}

/// The sections that are not refused, in their order.
pub(crate) fn media(sdp: &str) -> Vec<Media<'_>> {
    let (head, sections) = sections(sdp);
    let default = flows(&head).unwrap_or((true, true));
    let media = sections.iter().filter_map(|section| {
        let words = section.first()?.strip_prefix("m=")?;
        let (kind, rest) = words.split_once(' ')?;
        let kind = match kind {
            "audio" => MediaKind::Audio,
            "video" => MediaKind::Video,
            _ => return None,
        };
        let is_open = section.contains(&"a=bundle-only") || !rest.starts_with("0 ");
        let mid = section.iter().find_map(|line| line.strip_prefix("a=mid:"));
        let (sends, receives) = flows(section).unwrap_or(default);
        is_open.then_some(Media {
            kind,
            mid: mid.unwrap_or_default(),
            sends,
            receives,
        })
    });
    media.collect()
}

/// What an answer says of where to send to: the mid of the first section, and the candidates in it.
pub(crate) fn candidates(sdp: &str) -> (&str, Vec<&str>) {
    let (_, sections) = sections(sdp);
    let first = sections.into_iter().next().unwrap_or_default();
    let mid = first.iter().find_map(|line| line.strip_prefix("a=mid:"));
    let candidates = first.iter().filter_map(|line| line.strip_prefix("a="));
    let candidates = candidates.filter(|line| line.starts_with("candidate:"));
    (mid.unwrap_or("0"), candidates.collect())
}

/// Whether the offerer receives.
fn flow(lines: &[&str]) -> Option<bool> {
    flows(lines).map(|(_, receives)| receives)
}

/// Whether its writer sends, and whether it receives.
fn flows(lines: &[&str]) -> Option<(bool, bool)> {
    lines.iter().find_map(|line| match *line {
        "a=sendrecv" => Some((true, true)),
        "a=recvonly" => Some((false, true)),
        "a=sendonly" => Some((true, false)),
        "a=inactive" => Some((false, false)),
        _ => None,
    })
}

/// The session's lines, and those of each section, without their ends.
fn sections(sdp: &str) -> (Vec<&str>, Vec<Vec<&str>>) {
    let mut head = Vec::new();
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(vec![line]);
        } else if let Some(section) = sections.last_mut() {
            section.push(line);
        } else {
            head.push(line);
        }
    }
    (head, sections)
}

/// The same with the payload types of a codec first in the sections that have it: the answer keeps the order.
fn preferring(sdp: &str, codec: Codec) -> String {
    let name = codec.mime().trim_start_matches("video/");
    let (head, sections) = sections(sdp);
    let mut text = String::with_capacity(sdp.len());
    let mut put = |line: &str| {
        text.push_str(line);
        text.push_str("\r\n");
    };
    for line in head {
        put(line);
    }
    for section in sections {
        let mut lines = section.iter();
        if let Some(media) = lines.next() {
            put(&reordered(media, &section, name));
        }
        for line in lines {
            put(line);
        }
    }
    text
}

fn reordered(media: &str, section: &[&str], name: &str) -> String {
    let wished: Vec<&str> = section
        .iter()
        .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
        .filter(|(_, map)| {
            let codec = map.split('/').next().unwrap_or_default();
            codec.eq_ignore_ascii_case(name)
        })
        .map(|(payload, _)| payload)
        .collect();
    let words: Vec<&str> = media.split(' ').collect();
    let Some((fixed, payloads)) = words.split_at_checked(3) else {
        return media.to_owned();
    };
    if !media.starts_with("m=video ") {
        return media.to_owned();
    }
    let (first, rest): (Vec<&str>, Vec<&str>) = payloads
        .iter()
        .partition(|payload| wished.contains(payload));
    [fixed, &first, &rest].concat().join(" ")
}

#[cfg(test)]
mod tests;
