//! The table: on the terminal, and in the document between its marks.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use super::{Figures, Row, Topologies, mixing};
use crate::cpu;
use crate::document;
use crate::forward::{FRAMES_PER_SECOND, PACKETS_PER_FRAME, PAYLOAD_BYTES};

const MARKS: [&str; 2] = [
    "<!-- topologies: written by `make bench-topologies` -->\n",
    "<!-- /topologies -->\n",
];

pub(super) fn publish(
    topologies: &Topologies,
    codec: &mixing::Codec,
    rows: &[Row],
) -> anyhow::Result<()> {
    let table = table(rows, codec)?;
    let machine = format!(
        "{}, load average {} at the end",
        cpu::machine(),
        cpu::load()
    );
    println!("\n{table}\n{machine}");
    let note = topologies
        .note
        .as_ref()
        .map_or(String::new(), |note| format!("Of this run: {note}.\n"));
    let section = format!(
        "{table}\n\
         To encode one picture of 1280×720 costs {encode:.0} % of a core, to decode one {decode:.0} % (FFmpeg, libvpx, VP8, in real time).\n\n\
         {note}Machine: {machine}. {seconds} s for each figure. Each participant sends {PACKETS_PER_FRAME} packets of {PAYLOAD_BYTES} B in a\n\
         burst, {FRAMES_PER_SECOND} bursts a second, over loopback in a network namespace of its own; the sender pays for the receiving side of\n\
         the network stack too. Command: `make bench-topologies`.\n",
        encode = codec.encode * 100.0,
        decode = codec.decode * 100.0,
        seconds = topologies.seconds,
    );
    let path = &topologies.document;
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read {}: the table goes between its marks",
            path.display()
        )
    })?;
    let text = document::replace(&text, MARKS, &section)
        .context("the marks are missing in the document")?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn table(rows: &[Row], codec: &mixing::Codec) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "| participants | | up, Mbit/s | down, Mbit/s | encodes | decodes | packets, % of a core | with coding, % of a core | server in, Mbit/s | server out, Mbit/s | server, % of a core |"
    )?;
    writeln!(
        text,
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    // One picture up and one down, whatever sends it.
    let pair = rows.iter().find(|row| row.participants == 2);
    for row in rows {
        let others = row.participants - 1;
        line(
            &mut text,
            row.participants,
            "mesh",
            &row.mesh,
            [others, others],
            codec,
        )?;
        line(
            &mut text,
            row.participants,
            "SFU",
            &row.sfu,
            [1, others],
            codec,
        )?;
        let Some(pair) = pair else { continue };
        let n = f64::from(row.participants);
        let (up_bps, down_bps) = (pair.sfu.up_bps, pair.sfu.down_bps);
        let calculated = Figures {
            up_bps,
            down_bps,
            server_in_bps: up_bps * n,
            server_out_bps: down_bps * n,
            participant_cpu: pair.sfu.participant_cpu,
            server_cpu: row.mixing.cpu,
        };
        line(
            &mut text,
            row.participants,
            "MCU",
            &calculated,
            [1, 1],
            codec,
        )?;
    }
    Ok(text)
}

fn line(
    text: &mut String,
    participants: u32,
    topology: &str,
    figures: &Figures,
    [encodes, decodes]: [u32; 2],
    codec: &mixing::Codec,
) -> anyhow::Result<()> {
    let mbit = |bps: f64| bps / 1e6;
    let percent = |share: f64| share * 100.0;
    let coding = f64::from(encodes) * codec.encode + f64::from(decodes) * codec.decode;
    let is_mixed = topology == "MCU";
    // Calculated, not measured.
    let about = if is_mixed { "= " } else { "" };
    let server = match topology {
        "mesh" => "– | – | –".to_owned(),
        _ => format!(
            "{about}{:.1} | {about}{:.1} | **{:.1}**",
            mbit(figures.server_in_bps),
            mbit(figures.server_out_bps),
            percent(figures.server_cpu)
        ),
    };
    writeln!(
        text,
        "| {participants} | {topology} | {about}{:.2} | {about}{:.2} | {encodes} | {decodes} | {about}{:.1} | = {:.0} | {server} |",
        mbit(figures.up_bps),
        mbit(figures.down_bps),
        percent(figures.participant_cpu),
        percent(figures.participant_cpu + coding),
    )?;
    Ok(())
}
