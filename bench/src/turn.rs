//! Our TURN server beside coturn: the same clients, peers and packets, in turns, in a network namespace that has loopback alone.

mod client;
mod costs;
mod inside;
mod load;
mod ours;
mod servers;
mod stun;
mod table;
mod tunnel;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::site;
use load::{AUDIO, COALESCED, LONG_BURSTS, Shape, VIDEO, Way};
use servers::Server;

pub(crate) use inside::{Inside, run as relay};
pub(crate) use ours::{OwnServer, relay_config, serve};
pub(crate) use servers::Account;
pub(crate) use tunnel::Tunnel;

/// Of one figure, when packets were lost: something else may have had the machine.
const TRIES: u32 = 3;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Comparison {
    /// Of each row; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// For each server, row and round.
    #[arg(long, default_value_t = 2_000)]
    milliseconds: u64,
    /// Rows whose name contains this, only; nothing is written then.
    #[arg(long)]
    only: Option<String>,
    /// Where the table is written to, besides the terminal.
    #[arg(long, default_value = "docs/benchmarks.md")]
    document: PathBuf,
    /// What a reader of the table must know of this run.
    #[arg(long)]
    note: Option<String>,
}

/// Both servers, round by round.
#[derive(Debug, Clone)]
pub(super) struct Row {
    name: &'static str,
    unit: &'static str,
    ours: Vec<f64>,
    other: Vec<f64>,
    /// What ours may be at most, divided by the other.
    bar: f64,
}

/// Ours alone, or its ratio to something that is not coturn.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    name: &'static str,
    value: f64,
    bar: f64,
    unit: &'static str,
    remark: String,
}

const ROWS: [(&str, Shape, Way, f64); 10] = [
    ("video, up", VIDEO, Way::Up, 0.58),
    ("video, down", VIDEO, Way::Down, 0.58),
    ("video, arrivals coalesced, up", COALESCED, Way::Up, 0.35),
    (
        "video, arrivals coalesced, down",
        COALESCED,
        Way::Down,
        0.35,
    ),
    ("bursts of 30, up", LONG_BURSTS, Way::Up, 0.58),
    ("bursts of 30, down", LONG_BURSTS, Way::Down, 0.58),
    ("audio, up", AUDIO, Way::Up, 0.75),
    ("audio, down", AUDIO, Way::Down, 0.75),
    ("video, client to client", VIDEO, Way::Between, 0.30),
    (
        "video, client to client, coalesced",
        COALESCED,
        Way::Between,
        0.30,
    ),
];

/// In a namespace of its own.
pub(crate) fn run(comparison: &Comparison) -> anyhow::Result<()> {
    let document = comparison.document.to_str().context("a path in UTF-8")?;
    let mut arguments = vec![
        "turn-inside".to_owned(),
        format!("--rounds={}", comparison.rounds),
        format!("--milliseconds={}", comparison.milliseconds),
        format!("--document={document}"),
    ];
    arguments.extend(comparison.only.iter().map(|only| format!("--only={only}")));
    arguments.extend(comparison.note.iter().map(|note| format!("--note={note}")));
    site::alone(&arguments)
}

/// What cannot be measured is named, and the rest is.
pub(crate) fn measure(comparison: &Comparison) -> anyhow::Result<()> {
    let mut report = Report::default();
    packets(comparison, &mut report)?;
    costs::others(comparison, &mut report);
    table::publish(comparison, &report)?;
    if !report.missing.is_empty() {
        bail!("not everything could be measured");
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Report {
    rows: Vec<Row>,
    facts: Vec<Fact>,
    /// Names, and why.
    missing: Vec<String>,
}

impl Report {
    /// One round.
    fn add(
        &mut self,
        (name, unit): (&'static str, &'static str),
        (ours, other): (f64, f64),
        bar: f64,
    ) {
        eprintln!("{name}: {ours:.2} to {other:.2} {unit}");
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == name) {
            row.ours.push(ours);
            row.other.push(other);
            return;
        }
        self.rows.push(Row {
            name,
            unit,
            ours: vec![ours],
            other: vec![other],
            bar,
        });
    }

    fn miss(&mut self, name: &str, error: &anyhow::Error) {
        eprintln!("{name} was not measured: {error:#}");
        self.missing.push(format!("{name}: {error:#}"));
    }
}

impl Comparison {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

/// CPU time for each packet.
fn packets(comparison: &Comparison, report: &mut Report) -> anyhow::Result<()> {
    let coturn = Server::coturn()?;
    let by_sockets = Server::ours(&["--any"])?;
    let by_table = Server::ours(&[])?;
    for round in 0..comparison.rounds {
        for (name, shape, way, bar) in ROWS {
            if !comparison.wants(name) {
                continue;
            }
            let own = match way {
                Way::Up | Way::Down => &by_sockets,
                Way::Between => &by_table,
            };
            let cost =
                |server| costs::patiently(|| load::measure(server, &shape, way, comparison.time()));
            // Who is first takes turns.
            let both = if round % 2 == 0 {
                cost(&coturn).and_then(|other| Ok((cost(own)?, other)))
            } else {
                cost(own).and_then(|ours| Ok((ours, cost(&coturn)?)))
            };
            match both {
                Ok(both) => report.add((name, "CPU µs / packet"), both, bar),
                Err(error) => report.miss(name, &error),
            }
        }
    }
    Ok(())
}
