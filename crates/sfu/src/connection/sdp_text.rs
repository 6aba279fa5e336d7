//! Descriptions as text. str0m cannot be told what a section that the client made carries, nor leave a section unused,
//! nor which credentials a restart has: those lines are written here. And what clients write is made uniform before
//! str0m reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::codecs;
use super::egress::Ssrcs;
use crate::api::{Codec, MediaKind, Refusal};
use crate::ufrag::Credentials;

/// More m-lines than that are refused.
pub(super) const SECTIONS_MAX: usize = 512;
/// str0m keeps that many characters of a mid and a rid.
const MID_CHARS_MAX: usize = 16;
const RID_CHARS_MAX: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Both,
    Send,
    Receive,
    Neither,
}

impl Flow {
    pub(super) fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::Both,
            (true, false) => Self::Send,
            (false, true) => Self::Receive,
            (false, false) => Self::Neither,
        }
    }

    pub(super) fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Send)
    }

    pub(super) fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receive)
    }

    fn read(attribute: &str) -> Option<Self> {
        match attribute {
            "sendrecv" => Some(Self::Both),
            "sendonly" => Some(Self::Send),
            "recvonly" => Some(Self::Receive),
            "inactive" => Some(Self::Neither),
            _ => None,
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Self::Both => "sendrecv",
            Self::Send => "sendonly",
            Self::Receive => "recvonly",
            Self::Neither => "inactive",
        }
    }
}

/// A client's description, as far as it must be known besides str0m.
#[derive(Debug)]
pub(super) struct Remote {
    /// For str0m.
    pub(super) text: String,
    pub(super) sections: Vec<RemoteLines>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RemoteLines {
    /// None: data channels.
    pub(super) kind: Option<MediaKind>,
    pub(super) mid: String,
    /// Port 0 and not bundled (RFC 8843 §6).
    pub(super) rejected: bool,
    pub(super) flow: Option<Flow>,
    /// Stream and track.
    pub(super) msid: Option<(String, String)>,
    pub(super) rids: Vec<String>,
    /// Payload types in the order of preference, with their encoding names.
    pub(super) payloads: Vec<(u8, String)>,
}

/// Reads a client's description.
pub(super) fn read(sdp: &str, bytes_max: usize) -> Result<Remote, Refusal> {
    if sdp.len() > bytes_max {
        return Err(Refusal::TooLarge("session description"));
    }
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    for line in sdp
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        if line.starts_with("m=") {
            if groups.len() > SECTIONS_MAX {
                return Err(Refusal::Limit("media sections"));
            }
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push(line);
        }
    }
    let (session, media) = groups.split_first().expect("at least the session part");
    let bundle = bundled(session);
    let sections = media
        .iter()
        .map(|lines| read_section(lines, bundle.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    check_transport(session, media)?;
    let text = clean(session, media, &sections);
    Ok(Remote { text, sections })
}

fn refused(why: &str) -> Refusal {
    Refusal::Sdp(why.to_owned())
}

fn bundled<'a>(session: &[&'a str]) -> Option<Vec<&'a str>> {
    session
        .iter()
        .find_map(|line| line.strip_prefix("a=group:BUNDLE"))
        .map(|mids| mids.split_ascii_whitespace().collect())
}

/// What str0m would stumble over after it has changed its state.
fn check_transport(session: &[&str], media: &[Vec<&str>]) -> Result<(), Refusal> {
    let lines = || session.iter().chain(media.iter().flatten());
    if media.is_empty() {
        return Err(refused("no media section"));
    }
    for (attribute, name) in [
        ("a=ice-ufrag:", "no ice-ufrag"),
        ("a=ice-pwd:", "no ice-pwd"),
        ("a=fingerprint:", "no fingerprint"),
    ] {
        if !lines().any(|line| line.starts_with(attribute)) {
            return Err(refused(name));
        }
    }
    if lines().any(|line| *line == "a=ice-lite") {
        return Err(refused("both sides are ice-lite"));
    }
    Ok(())
}

fn read_section(lines: &[&str], bundle: Option<&[&str]>) -> Result<RemoteLines, Refusal> {
    let mut section = RemoteLines::default();
    let mut names: BTreeMap<u8, &str> = static_payloads();
    let mut order: Vec<u8> = Vec::new();
    let mut port_is_zero = false;
    let mut rid_lines: Vec<String> = Vec::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("m=") {
            let mut words = rest.split(' ');
            section.kind = match words.next() {
                Some("audio") => Some(MediaKind::Audio),
                Some("video") => Some(MediaKind::Video),
                Some("application") => None,
                // str0m would leave it out of the answer.
                _ => return Err(refused("a kind of media that is not known here")),
            };
            port_is_zero = words.next() == Some("0");
            order = words.skip(1).filter_map(|word| word.parse().ok()).collect();
            continue;
        }
        let Some(attribute) = line.strip_prefix("a=") else {
            continue;
        };
        if let Some(flow) = Flow::read(attribute) {
            section.flow = Some(flow);
            continue;
        }
        let Some((key, value)) = attribute.split_once(':') else {
            continue;
        };
        match key {
            "mid" => value.clone_into(&mut section.mid),
            "msid" => section.msid = Some(read_msid(value)),
            "ssrc" if section.msid.is_none() => {
                section.msid = value.split_once(" msid:").map(|(_, msid)| read_msid(msid));
            }
            "rtpmap" => {
                if let Some((payload_type, name)) = read_rtpmap(value) {
                    names.insert(payload_type, name);
                }
            }
            "rid" => rid_lines.extend(sent_rid(value)),
            "simulcast" => section.rids = sent_simulcast(value),
            _ => {}
        }
    }
    if section.rids.is_empty() {
        section.rids = rid_lines;
    }
    section.payloads = order
        .iter()
        .filter_map(|pt| names.get(pt).map(|name| (*pt, (*name).to_owned())))
        .collect();
    let in_bundle = bundle.is_some_and(|mids| mids.contains(&section.mid.as_str()));
    section.rejected = port_is_zero && !in_bundle;
    check_names(&section)?;
    Ok(section)
}

fn check_names(section: &RemoteLines) -> Result<(), Refusal> {
    let plain = |text: &str, max: usize| {
        !text.is_empty()
            && text.len() <= max
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !plain(&section.mid, MID_CHARS_MAX) {
        return Err(refused("a section has no mid, or one that is too long"));
    }
    if !section.rids.iter().all(|rid| plain(rid, RID_CHARS_MAX)) {
        return Err(refused("a rid is too long"));
    }
    Ok(())
}

/// RFC 3551 §6, where no rtpmap is needed.
fn static_payloads() -> BTreeMap<u8, &'static str> {
    BTreeMap::from([(0, "PCMU"), (8, "PCMA")])
}

fn read_rtpmap(value: &str) -> Option<(u8, &str)> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let name = encoding.split('/').next()?;
    Some((payload_type.parse().ok()?, name))
}

/// RFC 8830 §2; "-" is no stream.
fn read_msid(value: &str) -> (String, String) {
    let mut words = value.split_ascii_whitespace();
    let stream = words.next().filter(|stream| *stream != "-");
    let track = words.next();
    (
        stream.unwrap_or_default().to_owned(),
        track.unwrap_or_default().to_owned(),
    )
}

/// `a=rid:<id> send …` (RFC 8851 §4).
fn sent_rid(value: &str) -> Option<String> {
    let mut words = value.split_ascii_whitespace();
    let id = words.next()?;
    (words.next() == Some("send")).then(|| id.to_owned())
}

/// `send a;~b;c recv …` (RFC 8853 §5.1); of alternatives the first.
fn sent_simulcast(value: &str) -> Vec<String> {
    let mut words = value.split_ascii_whitespace();
    while let (Some(direction), Some(list)) = (words.next(), words.next()) {
        if direction == "send" {
            return list
                .split(';')
                .filter_map(|alternatives| alternatives.split(',').next())
                .map(|rid| rid.trim_start_matches('~').to_owned())
                .collect();
        }
    }
    Vec::new()
}

/// Only what str0m's parser knows, in its order. Candidates are left out: we are ice-lite and learn the client's
/// addresses from its checks, and names in candidates must not be resolved.
fn clean(session: &[&str], media: &[Vec<&str>], sections: &[RemoteLines]) -> String {
    let mut text = String::new();
    let mut push = |line: &str| {
        text.push_str(line);
        text.push_str("\r\n");
    };
    for line in session {
        if ["v=", "o=", "s=", "t=", "a="]
            .iter()
            .any(|kind| line.starts_with(kind))
            && !is_candidate(line)
        {
            push(line);
        }
    }
    if !session.iter().any(|line| line.starts_with("a=group:")) {
        let mids: Vec<&str> = sections
            .iter()
            .filter(|section| !section.rejected)
            .map(|section| section.mid.as_str())
            .collect();
        push(&format!("a=group:BUNDLE {}", mids.join(" ")));
    }
    for (lines, section) in media.iter().zip(sections) {
        for line in lines {
            if line.starts_with("m=") || line.starts_with("a=") && !is_candidate(line) {
                push(line);
            }
        }
        if section.kind.is_some() && section.flow.is_none() {
            push("a=sendrecv"); // RFC 8866 §6.7: the default.
        }
    }
    text
}

fn is_candidate(line: &str) -> bool {
    line.starts_with("a=candidate:") || line.starts_with("a=remote-candidates:")
}

/// What one of our sections is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SectionText {
    pub(super) flow: Flow,
    pub(super) sending: Option<Sending>,
    /// The client's payload types, most wanted first; empty: our own order.
    pub(super) order: Vec<(u8, String)>,
    /// No other codec is offered.
    pub(super) only: Option<Codec>,
    pub(super) opus: Option<Opus>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) stream_id: String,
    pub(super) track_id: String,
    pub(super) ssrcs: Ssrcs,
}

/// What the client's Opus encoder is asked for (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Opus {
    pub(super) stereo: bool,
    pub(super) no_dtx: bool,
}

/// Our description for the client, from what str0m wrote.
pub(super) fn write(
    text: &str,
    credentials: &Credentials,
    sections: &BTreeMap<String, SectionText>,
) -> String {
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push(line);
        }
    }
    let (session, media) = groups.split_first().expect("at least the session part");
    let candidates: Vec<String> = media
        .iter()
        .flatten()
        .filter(|line| line.starts_with("a=candidate:"))
        .map(|line| without_ufrag(line))
        .collect();
    let mut out = String::with_capacity(text.len());
    for line in session {
        if line.starts_with("a=msid-semantic:") {
            push(&mut out, "a=msid-semantic:WMS *");
        } else {
            push(&mut out, line);
        }
    }
    let mut candidates = Some(candidates);
    for lines in media {
        let bundled = lines
            .first()
            .is_none_or(|line| line.split(' ').nth(1) != Some("0"));
        let first = if bundled { candidates.take() } else { None };
        let mid = lines.iter().find_map(|line| line.strip_prefix("a=mid:"));
        let wanted = mid.and_then(|mid| sections.get(mid));
        write_section(&mut out, lines, credentials, wanted, first.as_deref());
    }
    out
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push_str("\r\n");
}

/// The extension would name credentials of str0m's own making.
fn without_ufrag(line: &str) -> String {
    match line.split_once(" ufrag ") {
        Some((before, after)) => match after.split_once(' ') {
            Some((_, rest)) => format!("{before} {rest}"),
            None => before.to_owned(),
        },
        None => line.to_owned(),
    }
}

fn write_section(
    out: &mut String,
    lines: &[&str],
    credentials: &Credentials,
    wanted: Option<&SectionText>,
    candidates: Option<&[String]>,
) {
    let payloads = wanted.map(|wanted| Ordered::new(lines, wanted));
    for line in lines {
        if line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates") {
            continue;
        }
        if line.starts_with("a=ice-ufrag:") {
            push(out, &format!("a=ice-ufrag:{}", credentials.ufrag));
        } else if line.starts_with("a=ice-pwd:") {
            push(out, &format!("a=ice-pwd:{}", credentials.password));
            for candidate in candidates.into_iter().flatten() {
                push(out, candidate);
            }
            if candidates.is_some() {
                push(out, "a=end-of-candidates");
            }
        } else if let (Some(wanted), Some(payloads)) = (wanted, &payloads) {
            write_line(out, line, wanted, payloads);
        } else {
            push(out, line);
        }
    }
    if let Some(sending) = wanted.and_then(|wanted| wanted.sending.as_ref()) {
        write_sending(out, sending);
    }
}

fn write_line(out: &mut String, line: &str, wanted: &SectionText, payloads: &Ordered) {
    if line.starts_with("m=") {
        let mut words: Vec<String> = line.split(' ').take(3).map(str::to_owned).collect();
        words.extend(payloads.order.iter().map(u8::to_string));
        push(out, &words.join(" "));
        return;
    }
    let Some(attribute) = line.strip_prefix("a=") else {
        push(out, line);
        return;
    };
    if Flow::read(attribute).is_some() {
        push(out, &format!("a={}", wanted.flow.attribute()));
        return;
    }
    let (key, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    match key {
        "msid" | "ssrc" | "ssrc-group" => {}
        "rtpmap" | "rtcp-fb" | "fmtp" => {
            let payload_type = value.split(' ').next().and_then(|word| word.parse().ok());
            if payload_type.is_some_and(|pt| !payloads.order.contains(&pt)) {
                return;
            }
            out.push_str(line);
            if key == "fmtp" && payload_type.is_some() && payload_type == payloads.opus {
                write_opus(out, wanted.opus);
            }
            out.push_str("\r\n");
        }
        _ => push(out, line),
    }
}

fn write_opus(out: &mut String, opus: Option<Opus>) {
    let Some(opus) = opus else { return };
    if !opus.no_dtx {
        out.push_str(";usedtx=1");
    }
    if opus.stereo {
        out.push_str(";stereo=1;sprop-stereo=1;maxaveragebitrate=510000");
    }
}

fn write_sending(out: &mut String, sending: &Sending) {
    let Sending {
        stream_id,
        track_id,
        ssrcs: Ssrcs { main, repair },
    } = sending;
    push(out, &format!("a=msid:{stream_id} {track_id}"));
    if let Some(repair) = repair {
        push(out, &format!("a=ssrc-group:FID {main} {repair}"));
    }
    for ssrc in [Some(main), repair.as_ref()].into_iter().flatten() {
        push(out, &format!("a=ssrc:{ssrc} cname:{stream_id}"));
        push(out, &format!("a=ssrc:{ssrc} msid:{stream_id} {track_id}"));
    }
}

/// The payload types of a section of ours, as they are to be listed.
struct Ordered {
    order: Vec<u8>,
    opus: Option<u8>,
}

impl Ordered {
    fn new(lines: &[&str], wanted: &SectionText) -> Self {
        let mut names: BTreeMap<u8, &str> = static_payloads();
        let mut repairs: BTreeMap<u8, u8> = BTreeMap::new();
        let mut listed: Vec<u8> = Vec::new();
        for line in lines {
            if line.starts_with("m=") {
                listed = line
                    .split(' ')
                    .skip(3)
                    .filter_map(|word| word.parse().ok())
                    .collect();
            } else if let Some(value) = line.strip_prefix("a=rtpmap:") {
                names.extend(read_rtpmap(value));
            } else if let Some((pt, apt)) = line.strip_prefix("a=fmtp:").and_then(read_apt) {
                repairs.insert(apt, pt);
            }
        }
        let mut primaries: Vec<u8> = listed
            .iter()
            .copied()
            .filter(|pt| !repairs.values().any(|repair| repair == pt))
            .filter(|pt| allowed(names.get(pt).copied(), wanted.only))
            .collect();
        // Stable: what the client does not list keeps our order.
        primaries.sort_by_key(|pt| place(&wanted.order, *pt, names.get(pt).copied()));
        let mut order = Vec::with_capacity(listed.len());
        for primary in primaries {
            order.push(primary);
            order.extend(repairs.get(&primary).filter(|pt| listed.contains(pt)));
        }
        let opus = names
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case("opus"))
            .map(|(pt, _)| *pt);
        Self { order, opus }
    }
}

fn read_apt(value: &str) -> Option<(u8, u8)> {
    let (payload_type, parameters) = value.split_once(' ')?;
    let apt = parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("apt="))?;
    Some((payload_type.parse().ok()?, apt.parse().ok()?))
}

fn allowed(name: Option<&str>, only: Option<Codec>) -> bool {
    only.is_none_or(|codec| name.and_then(codecs::of_name) == Some(codec))
}

/// Where the client listed it: the answer keeps the offer's order (RFC 3264 §6.1), by which the client chooses its
/// encoder.
fn place(order: &[(u8, String)], payload_type: u8, name: Option<&str>) -> usize {
    let same_name = |listed: &str| name.is_some_and(|name| name.eq_ignore_ascii_case(listed));
    order
        .iter()
        .position(|(pt, listed)| *pt == payload_type && same_name(listed))
        .or_else(|| order.iter().position(|(_, listed)| same_name(listed)))
        .unwrap_or(order.len())
}

/// The first codec that both sides have.
pub(super) fn first_codec(payloads: &[(u8, String)], has: impl Fn(Codec) -> bool) -> Option<Codec> {
    payloads
        .iter()
        .filter_map(|(_, name)| codecs::of_name(name))
        .find(|codec| has(*codec))
}

/// For a refusal that tells what str0m said, without what the client wrote.
pub(super) fn short(error: &dyn std::fmt::Display) -> String {
    let mut text = String::new();
    write!(text, "{error}").expect("writing to a string");
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
