//! N participants, each sends one video and sees all others: directly (mesh), through our server (SFU), and through a server
//! that makes one picture of all (MCU).
//!
//! Every participant is a thread, so that its CPU time can be read; all are in a network namespace that has loopback alone, so
//! that bytes can be counted. Packets are sealed, sent, received and opened; pictures are coded by FFmpeg beside it, since
//! neither our server nor our client does that.

mod mesh;
mod mixing;
pub(crate) mod sfu;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::cpu;
use crate::forward::{FRAMES_PER_SECOND, PACKETS_PER_FRAME, PAYLOAD_BYTES};
use crate::site;
use crate::video::Video;

const PATIENCE: Duration = Duration::from_secs(60);
/// Until everybody's key frames and first reports are past.
const WARM_UP: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Topologies {
    /// Of participants.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 4, 8])]
    numbers: Vec<u32>,
    /// Measured for each topology and each number of participants.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Where the table is written to, besides the terminal.
    #[arg(long, default_value = "docs/topologies.md")]
    document: PathBuf,
    /// What a reader of the table must know of this run.
    #[arg(long)]
    note: Option<String>,
}

/// Of one participant, and of the server; IP packets, one second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    up_bps: f64,
    down_bps: f64,
    pub(crate) server_in_bps: f64,
    pub(crate) server_out_bps: f64,
    /// Of one core: 1 is all of it.
    participant_cpu: f64,
    pub(crate) server_cpu: f64,
}

#[derive(Debug, Clone)]
struct Row {
    participants: u32,
    mesh: Figures,
    sfu: Figures,
    mixing: mixing::Mixing,
}

/// In a namespace of its own.
pub(crate) fn run(topologies: &Topologies) -> anyhow::Result<()> {
    let numbers: Vec<String> = topologies.numbers.iter().map(u32::to_string).collect();
    let document = topologies.document.to_str().context("a path in UTF-8")?;
    let mut arguments = vec![
        "topologies-inside".to_owned(),
        format!("--numbers={}", numbers.join(",")),
        format!("--seconds={}", topologies.seconds),
        format!("--document={document}"),
    ];
    arguments.extend(topologies.note.iter().map(|note| format!("--note={note}")));
    site::alone(&arguments)
}

pub(crate) fn measure(topologies: &Topologies) -> anyhow::Result<()> {
    let time = Duration::from_secs(topologies.seconds);
    let codec = mixing::Codec::measure(time)?;
    let mut rows = Vec::new();
    for participants in &topologies.numbers {
        if *participants < 2 {
            bail!("a conversation has at least two participants");
        }
        rows.push(Row {
            participants: *participants,
            mesh: mesh::measure(*participants, time)?,
            sfu: sfu::measure(*participants, time, sfu::Way::Straight)?,
            mixing: codec.mix(*participants)?,
        });
        eprintln!("{participants} participants: measured");
    }
    table::publish(topologies, &codec, &rows)
}

/// What the participants' threads and the measuring one know of each other.
#[derive(Debug, Default)]
struct Stage {
    /// Pictures of others that arrive, over all participants.
    watched: AtomicU32,
    received: AtomicU64,
    over: AtomicBool,
    failed: AtomicBool,
}

/// Counts what arrives on one way from one participant to another.
#[derive(Debug)]
struct Watching {
    stage: Arc<Stage>,
    has_begun: bool,
}

impl Watching {
    fn new(stage: &Arc<Stage>) -> Self {
        Self {
            stage: Arc::clone(stage),
            has_begun: false,
        }
    }

    fn packet(&mut self) {
        self.stage.received.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.has_begun, true) {
            self.stage.watched.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn name_of(participant: u32) -> String {
    format!("member-{participant}")
}

fn video() -> Video {
    let interval = Duration::from_secs(1) / FRAMES_PER_SECOND;
    Video::new(interval, PACKETS_PER_FRAME, PAYLOAD_BYTES)
}

/// A thread whose CPU time is the participant's.
fn participant(
    number: u32,
    stage: &Arc<Stage>,
    life: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let stage = Arc::clone(stage);
    let thread = std::thread::Builder::new().name(name_of(number));
    Ok(thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let lived = runtime
            .context("no runtime")
            .and_then(|runtime| runtime.block_on(until_over(Arc::clone(&stage), life)));
        // At the end somebody is the first to leave.
        if let Err(error) = lived
            && !stage.over.load(Ordering::Relaxed)
        {
            eprintln!("participant {number}: {error:#}");
            stage.failed.store(true, Ordering::Relaxed);
        }
    })?)
}

async fn until_over(
    stage: Arc<Stage>,
    life: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let over = async {
        while !stage.over.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    tokio::select! {
        lived = life => lived,
        () = over => Ok(()),
    }
}

/// Waits until everybody sees everybody, and then until it runs evenly.
fn everybody_watches(stage: &Stage, participants: u32) -> anyhow::Result<()> {
    let start = Instant::now();
    let expected = participants * (participants - 1);
    while stage.watched.load(Ordering::Relaxed) < expected {
        if stage.failed.load(Ordering::Relaxed) || start.elapsed() > PATIENCE {
            let watched = stage.watched.load(Ordering::Relaxed);
            bail!("of {expected} pictures only {watched} arrived");
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    std::thread::sleep(WARM_UP);
    Ok(())
}

/// What is read before and after.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    /// Of all participants together.
    cpu: Duration,
    received: u64,
    ip_bytes: u64,
}

impl Reading {
    fn take(stage: &Stage, participants: u32) -> anyhow::Result<Self> {
        let mut cpu = Duration::ZERO;
        for number in 0..participants {
            cpu += cpu::of_thread(&name_of(number))?;
        }
        Ok(Self {
            at: Instant::now(),
            cpu,
            received: stage.received.load(Ordering::Relaxed),
            ip_bytes: cpu::ip_bytes()?,
        })
    }
}

/// Between two readings.
#[derive(Debug, Clone, Copy)]
struct Span {
    seconds: f64,
    participant_cpu: f64,
    ip_bytes: u64,
}

/// Most of what was sent must have arrived: else the machine was too busy, and the figures are those of something else.
fn between(before: &Reading, after: &Reading, participants: u32) -> anyhow::Result<Span> {
    let seconds = (after.at - before.at).as_secs_f64();
    let ways = f64::from(participants * (participants - 1));
    let expected = ways * f64::from(PACKETS_PER_FRAME * FRAMES_PER_SECOND) * seconds;
    let arrived = f64::from(u32::try_from(after.received - before.received)?) / expected;
    if arrived < 0.9 {
        bail!(
            "only {:.0} % of the packets arrived in time: the machine is too busy for {participants} participants",
            arrived * 100.0
        );
    }
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    Ok(Span {
        seconds,
        participant_cpu: cpu / seconds / f64::from(participants),
        ip_bytes: after.ip_bytes - before.ip_bytes,
    })
}

/// Bits in a second.
fn rate_bps(bytes: u64, seconds: f64) -> anyhow::Result<f64> {
    let kib = f64::from(u32::try_from(bytes / 1024)?);
    Ok(kib * 1024.0 * 8.0 / seconds)
}
