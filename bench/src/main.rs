//! What the packet path costs, beside what it could cost at best. `make bench` runs it.

mod clients;
mod cpu;
mod document;
mod floor;
mod forward;
mod site;
mod topologies;
mod turn;
mod video;
mod words;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "The cost of a forwarded packet, beside its floor")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// CPU time per forwarded packet, by number of subscribers.
    Forward(Forward),
    /// The same, already inside of its network namespace.
    #[command(hide = true)]
    Inside {
        #[command(flatten)]
        site: site::Site,
        #[command(flatten)]
        forward: Forward,
    },
    /// What a mesh, a forwarding server and a mixing server cost everybody, by number of participants.
    Topologies(topologies::Topologies),
    /// The same, already inside of its network namespace.
    #[command(hide = true)]
    TopologiesInside(topologies::Topologies),
    /// Our TURN server beside coturn, and beside no relay at all.
    Turn(turn::Comparison),
    /// The same, already inside of its network namespace.
    #[command(hide = true)]
    TurnInside(turn::Comparison),
    /// Our server, in a process of its own.
    #[command(hide = true)]
    TurnServer(turn::OwnServer),
    /// Our server's core alone, to count its instructions.
    #[command(hide = true)]
    TurnCore(turn::Inside),
    /// The publisher and the subscribers, in a process of their own.
    #[command(hide = true)]
    Clients,
}

#[derive(Debug, Clone, clap::Args)]
struct Forward {
    /// Of subscribers.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 500, 1_000])]
    numbers: Vec<u32>,
    /// Measured for each number of subscribers, and for each floor.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Where the table is written to, besides the terminal.
    #[arg(long, default_value = "docs/benchmarks.md")]
    document: PathBuf,
    /// What a reader of the table must know of this run.
    #[arg(long)]
    note: Option<String>,
}

impl Default for Forward {
    fn default() -> Self {
        Self {
            numbers: vec![10, 100, 500, 1_000],
            seconds: 5,
            document: PathBuf::from("docs/benchmarks.md"),
            note: None,
        }
    }
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match Arguments::parse().command {
        None => site::run(&Forward::default()),
        Some(Command::Forward(forward)) => site::run(&forward),
        Some(Command::Inside { site, forward }) => {
            let rows = forward::measure(&site, &forward)?;
            document::publish(&site, &forward, &rows)
        }
        Some(Command::Topologies(topologies)) => topologies::run(&topologies),
        Some(Command::TopologiesInside(topologies)) => topologies::measure(&topologies),
        Some(Command::Turn(comparison)) => turn::run(&comparison),
        Some(Command::TurnInside(comparison)) => turn::measure(&comparison),
        Some(Command::TurnServer(own)) => turn::serve(&own),
        Some(Command::TurnCore(inside)) => turn::relay(&inside),
        Some(Command::Clients) => clients::run(),
    }
}
