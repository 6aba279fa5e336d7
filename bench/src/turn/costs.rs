//! What else a relay costs: an allocation, a stranger, system calls, instructions.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use quinn_udp::{Transmit, UdpSocketState};

use super::client::{Client, is_nothing};
use super::load::{Load, VIDEO, Way};
use super::servers::Server;
use super::stun::{self, Request};
use super::{Comparison, Fact, Report, TRIES, inside};
use crate::topologies::sfu;

const ALLOCATION: &str = "allocation";
const RELAYED: &str = "relayed client";
/// Each sends one picture and gets those of the others.
const PARTICIPANTS: u32 = 4;
const STRANGERS: &str = "strangers";
const SYSTEM_CALLS: &str = "system calls";
const INSTRUCTIONS: &str = "instructions";
/// Made before memory is looked at: what is made once, and tables as they first grow.
const ALLOCATIONS_BEFORE: u32 = 500;
/// Its sockets and ours are in one limit of open files.
const ALLOCATIONS: u32 = 4_000;
const STRANGERS_OURS: u32 = 100_000;
/// It would have gigabytes of all.
const STRANGERS_COTURN: u32 = 5_000;
/// Asked before answers are waited for.
const STRANGERS_AT_ONCE: u32 = 100;
const ALLOCATIONS_FEW: u16 = 10;
const ALLOCATIONS_MANY: u16 = 10_000;

/// Again, if the machine was too busy for it.
pub(super) fn patiently<T>(measure: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut tries = 1;
    loop {
        match measure() {
            Err(error) if tries < TRIES => eprintln!("once more: {error:#}"),
            done => return done,
        }
        tries += 1;
    }
}

/// Of one server: CPU time in microseconds, and bytes.
struct Cost {
    cpu: f64,
    bytes: f64,
}

fn allocations(rounds: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut ours_bytes = Vec::new();
    for _ in 0..rounds {
        let other = patiently(|| allocation(&Server::coturn()?))?;
        let ours = patiently(|| allocation(&Server::ours(&[])?))?;
        let cpu = (ours.cpu, other.cpu);
        report.add(("an allocation, CPU", "µs"), cpu, 0.35);
        let bytes = (ours.bytes, other.bytes);
        report.add(("an allocation, memory", "B"), bytes, 0.09);
        ours_bytes.push(ours.bytes);
    }
    report.facts.push(Fact {
        name: "memory of an allocation",
        value: super::table::median(&ours_bytes),
        bar: 2_048.0,
        unit: "B",
        remark: String::new(),
    });
    Ok(())
}

fn allocation(server: &Server) -> anyhow::Result<Cost> {
    let mut clients = Vec::new();
    let mut allocate = |numbers: std::ops::Range<u32>| -> anyhow::Result<()> {
        for number in numbers {
            let account = server.account(number)?;
            clients.push(Client::allocate(server.address, account)?);
        }
        Ok(())
    };
    allocate(0..ALLOCATIONS_BEFORE)?;
    let (cpu, memory) = (server.cpu()?, server.memory_bytes()?);
    allocate(ALLOCATIONS_BEFORE..ALLOCATIONS_BEFORE + ALLOCATIONS)?;
    let cpu = server.cpu()?.saturating_sub(cpu);
    let bytes = server.memory_bytes()?.saturating_sub(memory);
    Ok(Cost {
        cpu: cpu.as_secs_f64() * 1e6 / f64::from(ALLOCATIONS),
        bytes: f64::from(u32::try_from(bytes)?) / f64::from(ALLOCATIONS),
    })
}

/// All that is not the CPU time of packets.
pub(super) fn others(comparison: &Comparison, report: &mut Report) {
    if comparison.wants(ALLOCATION)
        && let Err(error) = allocations(comparison.rounds, report)
    {
        report.miss(ALLOCATION, &error);
    }
    type Measure = fn(&Comparison) -> anyhow::Result<Vec<Fact>>;
    let measures: [(&str, Measure); 4] = [
        (SYSTEM_CALLS, system_calls),
        (INSTRUCTIONS, instructions),
        (RELAYED, relayed),
        (STRANGERS, strangers),
    ];
    for (name, measure) in measures {
        if !comparison.wants(name) {
            continue;
        }
        match measure(comparison) {
            Ok(facts) => report.facts.extend(facts),
            Err(error) => report.miss(name, &error),
        }
    }
}

/// A conversation over our own media port, beside the same one relayed by it.
fn relayed(comparison: &Comparison) -> anyhow::Result<Vec<Fact>> {
    let cost = |way| {
        patiently(|| {
            let figures = sfu::measure(PARTICIPANTS, comparison.time() * 2, way)?;
            Ok(figures.server_cpu / (figures.server_in_bps + figures.server_out_bps))
        })
    };
    let mut ratios = Vec::new();
    for _ in 0..comparison.rounds {
        let direct = cost(sfu::Way::Tunnel)?;
        ratios.push(cost(sfu::Way::Relay)? / direct);
        eprintln!("relayed client ÷ direct client: {ratios:.2?}");
    }
    Ok(vec![Fact {
        name: "relayed client ÷ direct client, CPU of the media thread",
        value: super::table::median(&ratios),
        bar: 1.08,
        unit: "",
        remark: format!("{PARTICIPANTS} in a room"),
    }])
}

/// Of the core alone, by callgrind.
fn instructions(_comparison: &Comparison) -> anyhow::Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for (name, way) in [
        (
            "instructions / packet, from a client, 10,000 allocations",
            inside::UP,
        ),
        (
            "instructions / packet, to a client, 10,000 allocations",
            inside::DOWN,
        ),
    ] {
        let few = inside::instructions(way, ALLOCATIONS_FEW)?;
        let many = inside::instructions(way, ALLOCATIONS_MANY)?;
        facts.push(Fact {
            name,
            value: many,
            bar: 300.0_f64.min(few * 1.1),
            unit: "",
            remark: format!("{few:.0} with {ALLOCATIONS_FEW} allocations"),
        });
    }
    Ok(facts)
}

/// Counted by strace, which slows them down: no CPU time is read meanwhile.
fn system_calls(comparison: &Comparison) -> anyhow::Result<Vec<Fact>> {
    let time = comparison.time();
    let mut facts = Vec::new();
    for (name, way) in [
        ("system calls / packet, video, up", Way::Up),
        ("system calls / packet, video, down", Way::Down),
    ] {
        let ours = patiently(|| calls(&Server::ours(&["--any"])?, way, time))?;
        let other = patiently(|| calls(&Server::coturn()?, way, time))?;
        facts.push(Fact {
            name,
            value: ours,
            bar: 0.35,
            unit: "",
            remark: format!("coturn {other:.2}"),
        });
    }
    Ok(facts)
}

fn calls(server: &Server, way: Way, time: Duration) -> anyhow::Result<f64> {
    let mut load = Load::new(server, &VIDEO, way)?;
    load.play(VIDEO.interval * 2)?;
    let report = std::env::temp_dir().join(format!("madang-bench-{}.strace", server.id()));
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-p", &server.id().to_string(), "-o"])
        .arg(&report)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start strace (Debian: apt install strace)")?;
    // Until it has stopped every thread once.
    std::thread::sleep(Duration::from_millis(500));
    let delivered = load.play(time);
    interrupt(&mut strace)?;
    let text = std::fs::read_to_string(&report).context("strace says nothing")?;
    std::fs::remove_file(&report)?;
    load.end()?;
    let total = text
        .lines()
        .rfind(|line| line.trim_end().ends_with("total"))
        .and_then(|line| line.split_whitespace().nth(3))
        .and_then(|calls| calls.parse::<f64>().ok())
        .with_context(|| format!("strace says: {text}"))?;
    Ok(total / f64::from(u32::try_from(delivered?)?))
}

/// Killed, it would not say what it counted.
fn interrupt(child: &mut Child) -> anyhow::Result<()> {
    let id = child.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status()?;
    if !told.success() {
        bail!("strace ended by itself");
    }
    child.wait()?;
    Ok(())
}

/// They ask for an allocation, each from an address of its own, and never again.
fn strangers(_comparison: &Comparison) -> anyhow::Result<Vec<Fact>> {
    let of = |server: &Server, number| -> anyhow::Result<f64> {
        // What is made once.
        ask_as_strangers(server, 1..1_000)?;
        let before = server.memory_bytes()?;
        let answered = ask_as_strangers(server, 1_000..1_000 + number)?;
        let more = server.memory_bytes()?.saturating_sub(before);
        eprintln!("{answered} of {number} strangers were answered");
        Ok(f64::from(u32::try_from(more / 1024)?))
    };
    let ours = of(&Server::ours(&[])?, STRANGERS_OURS)?;
    let other = of(&Server::coturn()?, STRANGERS_COTURN)? / f64::from(STRANGERS_COTURN);
    Ok(vec![Fact {
        name: "memory after 100,000 strangers",
        value: ours,
        bar: 64.0,
        unit: "KiB",
        remark: format!("coturn {other:.1} KiB each, after {STRANGERS_COTURN}"),
    }])
}

/// How many were answered: not all, as a busy server may lose some.
fn ask_as_strangers(server: &Server, numbers: std::ops::Range<u32>) -> anyhow::Result<u32> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let state = UdpSocketState::new((&socket).into())?;
    // That made it one that does not wait.
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let request = Request::new(stun::ALLOCATE, [9; 12])
        .with(stun::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
        .open()?;
    let (mut asked, mut answered) = (0_u32, 0_u32);
    for number in numbers {
        // All of 127/8 is this machine.
        let source = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number);
        let transmit = Transmit {
            destination: server.address,
            ecn: None,
            contents: &request,
            segment_size: None,
            src_ip: Some(source.into()),
        };
        state.try_send((&socket).into(), &transmit)?;
        asked += 1;
        if asked % STRANGERS_AT_ONCE == 0 {
            answered += answers(&socket, asked - answered)?;
        }
    }
    answered += answers(&socket, asked - answered)?;
    if answered < asked / 2 {
        bail!(
            "{answered} of {asked} strangers were answered by {}",
            server.address
        );
    }
    Ok(answered)
}

/// So many, or until nothing more comes.
fn answers(socket: &UdpSocket, wanted: u32) -> anyhow::Result<u32> {
    let mut bytes = [0; 2_048];
    for heard in 0..wanted {
        match socket.recv_from(&mut bytes) {
            Ok((_, SocketAddr::V4(_))) => {}
            Ok((_, from @ SocketAddr::V6(_))) => bail!("an answer from {from}"),
            Err(error) if is_nothing(&error) => return Ok(heard),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wanted)
}
