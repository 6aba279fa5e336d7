//! The table: on the terminal, and in the documentation between its marks.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use crate::Forward;
use crate::cpu;
use crate::forward::{FRAMES_PER_SECOND, PACKETS_PER_FRAME, PAYLOAD_BYTES, Row};
use crate::site::Site;

const BEGIN: &str = "<!-- forward: written by `make bench` -->\n";
const END: &str = "<!-- /forward -->\n";
const HEAD: &str = "\
# Benchmarks

Ratios are the result: absolute figures belong to the machine that they were read on. The floor is measured in the same
run, on the same machine, at the same pace.

## Forwarding a packet

One publisher, N subscribers, one media thread. The floor is what the same packets cost when they are only sealed
(AES-128-GCM, aws-lc-rs) and sent: in one system call for a frame's packets of a subscriber (UDP GSO), and with a system
call for each.

";

pub(crate) fn publish(site: &Site, forward: &Forward, rows: &[Row]) -> anyhow::Result<()> {
    let table = table(rows)?;
    let machine = format!(
        "{}, load average {} at the end",
        cpu::machine(),
        cpu::load()
    );
    println!("\n{table}\n{machine}; {}", site.describe());
    let command = "make bench";
    let note = forward
        .note
        .as_ref()
        .map_or(String::new(), |note| format!("Of this run: {note}.\n"));
    let section = format!(
        "{table}\n{note}\
         Machine: {machine}. Way: {way}.\n\
         Load: {PACKETS_PER_FRAME} packets of {PAYLOAD_BYTES} B in a burst, {FRAMES_PER_SECOND} bursts a second, {seconds} s for each figure.\n\
         CPU time is that of the media thread, user and system. Memory is that of the process for each subscriber, history for\n\
         retransmission included. Command: `{command}`.\n",
        way = site.describe(),
        seconds = forward.seconds,
    );
    let path = &forward.document;
    let text = fs::read_to_string(path).unwrap_or_else(|_| format!("{HEAD}{BEGIN}{END}"));
    let text =
        replace(&text, [BEGIN, END], &section).context("the marks are missing in the document")?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn table(rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "| subscribers | madang, µs / packet | floor with GSO | ratio | floor, one by one | ratio | packets / system call | KiB / subscriber |"
    )?;
    writeln!(text, "|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for row in rows {
        let (ours, gso, single) = (
            row.ours.us_per_packet(),
            row.floor_gso.us_per_packet(),
            row.floor_one_by_one.us_per_packet(),
        );
        writeln!(
            text,
            "| {} | {ours:.2} | {gso:.2} | **{:.2}** | {single:.2} | {:.2} | {:.1} | {} |",
            row.subscribers,
            ours / gso,
            ours / single,
            row.group,
            row.memory_bytes_per_subscriber / 1024,
        )?;
    }
    Ok(text)
}

/// What stands between the two marks is written anew. None: they are missing.
pub(crate) fn replace(text: &str, [begin, end]: [&str; 2], section: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{section}\n{end}{after}"))
}
