//! Words that must not stand in certain places.

use super::rust::identifiers;
use super::{File, Finding, Tree};

const SANS_IO: &[&str] = &[
    "crates/sfu/",
    "crates/turn/",
    "crates/signalling/",
    "crates/netsim/",
];
const SOURCE_EXTENSIONS: [&str; 9] = ["rs", "ts", "tsx", "mjs", "js", "py", "sh", "css", "html"];
/// Names of wire dialects, lower case, by words: `ertc` must not be found in `InsertCandidate`.
const DIALECT_WORDS: [&str; 5] = ["whip", "whep", "ertc", "spider", "kurento"];
/// Written together in any spelling: `LiveKit` is two words.
const DIALECT_PARTS: [&str; 9] = [
    "livekit",
    "kurento",
    "rtcpub",
    "rtcbot",
    "one2many",
    "socketio",
    "socket.io",
    "engineio",
    "engine.io",
];
/// What dialects are built on: of each its file or folder in `crates/signalling/src`, and what else of that crate it may use.
/// None of them may name a dialect, nor anything that one talks of.
const GROUND: [(&str, &[&str]); 4] = [
    ("jsonrpc", &["Frame", "json"]),
    ("objects", &["Frame", "jsonrpc", "uuid"]),
    ("patchbay", &[]),
    (
        "switchboard",
        &["door", "offering", "patchbay", "room", "sdp"],
    ),
];
/// What objects are called by who makes them.
const CLASS_PARTS: [&str; 6] = [
    "mediaobject",
    "mediaelement",
    "mediapipeline",
    "webrtcendpoint",
    "rtpendpoint",
    "servermanager",
];
// Put together here, so that this file does not find itself.
const UNFINISHED: [&str; 5] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("X", "XX"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
];
const MACHINE_PATHS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.under(&["crates/sfu/"]) {
        let core = "the media core names the dialect";
        no_dialects(file, core, &DIALECT_PARTS, findings);
    }
    for (module, uses) in GROUND {
        let folder = format!("crates/signalling/src/{module}");
        let own = [format!("{folder}.rs"), format!("{folder}/")];
        for file in tree.under(&own.each_ref().map(String::as_str)) {
            let parts = [&DIALECT_PARTS[..], &CLASS_PARTS].concat();
            no_dialects(file, "what dialects share names", &parts, findings);
            only_below(file, module, uses, findings);
        }
    }
    for file in tree.under(&["crates/"]) {
        one_home_for_str0m(file, findings);
        clients_in_main_alone(file, findings);
    }
    for file in tree.under(&["crates/signalling/src/"]) {
        only_the_api(file, findings);
    }
    for file in tree.under(SANS_IO) {
        no_sleep(file, findings);
    }
    for file in &tree.files {
        nothing_unfinished(file, findings);
        no_machine_paths(file, findings);
    }
}

/// The media core knows rooms and packets. Comments count too: a comment about a dialect is knowledge of it.
fn no_dialects(file: &File, who: &str, parts: &[&'static str], findings: &mut Vec<Finding>) {
    for (number, line) in file.lines() {
        let lower = line.to_lowercase();
        let parts = parts.iter().filter(|part| lower.contains(**part)).copied();
        let words: Vec<String> = words(line);
        let whole = DIALECT_WORDS
            .iter()
            .filter(|name| words.iter().any(|word| word == **name))
            .copied();
        if let Some(name) = parts.chain(whole).next() {
            findings.push(file.finding(
                number,
                "dialect-blind",
                format!("{who} {name}"),
                "say it in the words of the room it is in, or move it to the dialect",
            ));
        }
    }
}

/// str0m is imported by one module of `sfu`, so that it can be replaced in one place.
fn one_home_for_str0m(file: &File, findings: &mut Vec<Finding>) {
    let home = file.path.starts_with("crates/sfu/src/connection/")
        || file.path == "crates/sfu/src/connection.rs";
    let fenced = file.path.starts_with("crates/sfu/src/")
        || file.path.starts_with("crates/signalling/src/")
        || file.path.starts_with("crates/turn/src/")
        || file.path.starts_with("crates/server/src/");
    if file.extension() != "rs" || home || !fenced || file.is_test() {
        return;
    }
    for (line, word) in identifiers(&file.text) {
        if word == "str0m" {
            findings.push(file.finding(
                line,
                "str0m-home",
                "str0m is used outside crates/sfu/src/connection".to_owned(),
                "give connection the method you need, with types of ours",
            ));
        }
    }
}

/// The program has the verbs of clients; the server's library does not know that there are any.
fn clients_in_main_alone(file: &File, findings: &mut Vec<Finding>) {
    let fenced =
        file.path.starts_with("crates/server/src/") && file.path != "crates/server/src/main.rs";
    if file.extension() != "rs" || !fenced || file.is_test() {
        return;
    }
    for (line, word) in identifiers(&file.text) {
        if word == "madang_client" {
            findings.push(file.finding(
                line,
                "client-in-main",
                "the server's library uses the client".to_owned(),
                "call it from main.rs, which has both",
            ));
        }
    }
}

/// Of the media core a dialect sees the API alone.
fn only_the_api(file: &File, findings: &mut Vec<Finding>) {
    let words = identifiers(&file.text);
    for (at, (line, word)) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", |(_, next)| next.as_str());
        if word == "madang_sfu" && next != "api" {
            findings.push(file.finding(
                *line,
                "api-only",
                format!("a dialect reaches past the API of the core: madang_sfu::{next}"),
                "write madang_sfu::api::…; what the API lacks is added there",
            ));
        }
    }
}

/// What dialects share looks down only: never at a dialect, nor at what is built on it.
fn only_below(file: &File, module: &str, uses: &[&str], findings: &mut Vec<Finding>) {
    let words = identifiers(&file.text);
    let word = |at: usize| words.get(at).map_or("", |(_, word)| word.as_str());
    for (at, (line, root)) in words.iter().enumerate() {
        let is_path = match root.as_str() {
            // `pub(crate)` is none.
            "crate" => at == 0 || word(at - 1) != "pub",
            "super" => !file.is_test(),
            _ => false,
        };
        let next = word(at + 1);
        // Its tests have what all tests have.
        let is_help = file.is_test() && next == "testing";
        if is_path && next != module && !uses.contains(&next) && !is_help {
            findings.push(file.finding(
                *line,
                "downwards",
                format!("{module} uses crate::{next}"),
                "hand it in, or argue the edge and add it to GROUND in xtask/src/tidy/words.rs",
            ));
        }
    }
}

fn no_sleep(file: &File, findings: &mut Vec<Finding>) {
    if file.extension() != "rs" {
        return;
    }
    for (line, word) in identifiers(&file.text) {
        if word == "sleep" {
            findings.push(file.finding(
                line,
                "no-sleep",
                "a sleep in a crate that has no clock".to_owned(),
                "hand in a later `now`",
            ));
        }
    }
}

fn nothing_unfinished(file: &File, findings: &mut Vec<Finding>) {
    if !SOURCE_EXTENSIONS.contains(&file.extension()) {
        return;
    }
    for (number, line) in file.lines() {
        let found = UNFINISHED.iter().find(|mark| contains_word(line, mark));
        if let Some(mark) = found {
            findings.push(file.finding(
                number,
                "finished",
                format!("{mark} in committed code"),
                "do it now, or write down in the docs that it is absent",
            ));
        }
    }
}

fn no_machine_paths(file: &File, findings: &mut Vec<Finding>) {
    for (number, line) in file.lines() {
        let found = MACHINE_PATHS.iter().find(|path| {
            line.match_indices(**path).any(|(at, _)| {
                // Part of a longer path or of an address is not the machine's.
                let before = line.get(..at).and_then(|head| head.chars().next_back());
                !before.is_some_and(|c| c.is_alphanumeric() || "/._-}):$".contains(c))
            })
        });
        if let Some(path) = found {
            findings.push(file.finding(
                number,
                "machine-paths",
                format!("a path of somebody's machine: {path}"),
                "make it relative to the repository, or take it from the environment",
            ));
        }
    }
}

/// Lower-case words of a line: split at anything but letters and digits, and where a capital follows a small letter.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in line.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words
                .last_mut()
                .expect("never empty")
                .extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

/// Whether `mark` stands in `line` and is not part of a longer word.
fn contains_word(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        let after = line
            .get(at + mark.len()..)
            .and_then(|tail| tail.chars().next());
        let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !in_word(before) && (mark.ends_with('!') || !in_word(after))
    })
}
