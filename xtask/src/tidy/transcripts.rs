//! The doors for older programs, their transcripts and their documents say the same: every sentence of the code was said
//! in a transcript and stands in the document, and what the document quotes is in the transcripts.
//!
//! A door is a module of `crates/signalling/src` with transcripts of its name.

use super::rust::sentences;
use super::{File, Finding, Tree};
use std::collections::BTreeMap;

const RULE: &str = "transcripts";
const SOURCE: &str = "crates/signalling/src/";
const TRANSCRIPTS: &str = "crates/signalling/tests/transcripts/";
const DOCUMENTS: &str = "docs/protocols/";
/// What several doors say: in the transcripts of any.
const SHARED: [&str; 3] = ["door.rs", "json.rs", "query.rs"];
/// Modules that are one door's ground, and which: what they say is said and explained there.
const GROUND: [(&str, &str); 2] = [("jsonrpc", "kurento"), ("objects", "kurento")];
/// What a document leaves out of a line that it quotes.
const LEFT_OUT: &str = "…";

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut transcripts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in tree.under(&[TRANSCRIPTS]) {
        let rest = file.path.get(TRANSCRIPTS.len()..).unwrap_or_default();
        if let Some((door, _)) = rest.split_once('/') {
            let lines = file.text.lines().map(str::trim);
            transcripts.entry(door).or_default().extend(lines);
        }
    }
    if transcripts.is_empty() {
        return;
    }
    for (door, lines) in &transcripts {
        let document = tree
            .files
            .iter()
            .find(|file| file.path == format!("{DOCUMENTS}{door}.md"));
        let of_door = tree.under(&[SOURCE]).filter(|file| is_of(file, door));
        for file in of_door.filter(|file| !file.is_test()) {
            said(file, lines, findings);
            if let Some(document) = document {
                explained(file, document, findings);
            }
        }
        if let Some(document) = document {
            quoted(document, lines, findings);
        }
    }
    let all: Vec<&str> = transcripts.into_values().flatten().collect();
    let shared = SHARED.map(|name| format!("{SOURCE}{name}"));
    for file in tree.files.iter().filter(|file| shared.contains(&file.path)) {
        said(file, &all, findings);
    }
}

/// The module of `crates/signalling/src` that the file belongs to.
fn module(file: &File) -> &str {
    let rest = file.path.get(SOURCE.len()..).unwrap_or_default();
    let first = rest.split('/').next().unwrap_or_default();
    first.trim_end_matches(".rs")
}

fn is_of(file: &File, door: &str) -> bool {
    let module = module(file);
    module == door || GROUND.contains(&(module, door))
}

fn said(file: &File, lines: &[&str], findings: &mut Vec<Finding>) {
    for (line, sentence) in sentences(&file.text) {
        let parts = fixed_parts(&sentence);
        if !lines.iter().any(|line| holds(line, &parts)) {
            findings.push(file.finding(
                line,
                RULE,
                format!("no transcript in which anybody is told `{sentence}`"),
                "add the case to crates/signalling/tests/transcripts",
            ));
        }
    }
}

fn explained(file: &File, document: &File, findings: &mut Vec<Finding>) {
    for (line, sentence) in sentences(&file.text) {
        let parts = fixed_parts(&sentence);
        if !document.lines().any(|(_, line)| holds(line, &parts)) {
            findings.push(file.finding(
                line,
                RULE,
                format!("{} does not have `{sentence}`", document.path),
                "say there when it is told, and what follows",
            ));
        }
    }
}

fn quoted(document: &File, lines: &[&str], findings: &mut Vec<Finding>) {
    let mut is_quote = false;
    for (number, line) in document.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            is_quote = !is_quote;
            continue;
        }
        if !is_quote || line.is_empty() {
            continue;
        }
        let is_said = lines.iter().any(|said| {
            let mut parts = line.split(LEFT_OUT);
            let first = parts.next().unwrap_or_default();
            let rest = said.strip_prefix(first);
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            rest.is_some_and(|rest| *said == line || !parts.is_empty() && holds(rest, &parts))
        });
        if !is_said {
            findings.push(document.finding(
                number,
                RULE,
                "this is quoted from no transcript".to_owned(),
                "quote what the tests run, with … for what is left out",
            ));
        }
    }
}

/// What is around the placeholders of a format string.
fn fixed_parts(sentence: &str) -> Vec<String> {
    let pieces = sentence.split('{');
    pieces
        .map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after))
        .map(str::to_owned)
        .collect()
}

/// Whether the parts stand in the line, one after the other.
fn holds(line: &str, parts: &[String]) -> bool {
    let mut rest = Some(line);
    for part in parts {
        rest = rest.and_then(|rest| rest.split_once(part.as_str()).map(|(_, after)| after));
    }
    rest.is_some()
}
