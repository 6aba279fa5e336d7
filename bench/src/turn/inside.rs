//! The sans-IO server alone, to count its instructions: a datagram from one client to another, and out to that one.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use madang_turn::{
    Account, Auth, Config, Families, Flow, Now, PeerClass, Policy, Ports, Principal, Refused,
    Transport, Turn, User, Verdict,
};

use super::stun::{self, Answer, Request};

const RELAY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const PACKETS: u32 = 100_000;
const PAYLOAD_BYTES: usize = 1_172;
const NAME: &str = "u";
const PASSWORD: &str = "p";
const CHANNEL: u16 = 0x4000;
/// What is counted: all that runs in it.
pub(super) const UP: &str = "*turn*inside*take_packets*";
pub(super) const DOWN: &str = "*turn*inside*give_packets*";
/// Packets that arrive at one time.
const BATCH: usize = 10;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Inside {
    #[arg(long)]
    allocations: u16,
}

/// A client, and its relayed address.
type Client = (Flow, SocketAddr);

/// Everybody may do everything.
struct Anybody;

impl Auth for Anybody {
    fn account(&self, _now: Now, _user: User<'_>) -> Option<Account> {
        Some(Account {
            username: NAME.as_bytes().to_vec(),
            password: PASSWORD.to_owned(),
            who: Principal {
                participant: 1,
                room: 1,
            },
        })
    }
}

impl Policy for Anybody {
    fn open(&self, _who: Principal, _port: u16, _families: Families) -> Result<(), Refused> {
        Ok(())
    }

    fn close(&self, _who: Principal, _port: u16) {}

    fn peer(&self, _who: Principal, _peer: SocketAddr) -> Option<PeerClass> {
        Some(PeerClass::Member)
    }

    fn permits(&self, _who: Principal, _peer: SocketAddr) -> bool {
        true
    }
}

/// Instructions for each packet, by callgrind, with so many allocations.
pub(super) fn instructions(way: &str, allocations: u16) -> anyhow::Result<f64> {
    let own = std::env::current_exe()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={way}"))
        .arg(own)
        .args(["turn-core", "--allocations", &allocations.to_string()])
        .output()
        .context("cannot start valgrind (Debian: apt install valgrind)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse::<f64>().ok());
    match collected {
        Some(collected) if output.status.success() && collected > 0.0 => {
            Ok(collected / f64::from(PACKETS))
        }
        Some(_) | None => bail!("callgrind counts nothing: {said}"),
    }
}

pub(crate) fn run(inside: &Inside) -> anyhow::Result<()> {
    let config = Config {
        relay_ipv4: Some(RELAY),
        bytes_per_second: u64::from(u32::MAX),
        replies_per_source_per_second: u16::MAX,
        ..Config::new([7; 32], Ports::new(0, 1))
    };
    let mut turn = Turn::new(config, Box::new(Anybody), Box::new(Anybody));
    let mut now = now();
    let mut clients = Vec::new();
    for number in 0..inside.allocations {
        clients.push(allocate(&mut turn, now, number)?);
    }
    for pair in clients.chunks_exact(2) {
        let [(one, of_one), (other, of_other)] = pair else {
            bail!("a pair");
        };
        bind(&mut turn, now, *one, *of_other)?;
        bind(&mut turn, now, *other, *of_one)?;
    }
    let mut packet = stun::channel_header(CHANNEL, PAYLOAD_BYTES)?.to_vec();
    packet.resize(packet.len() + PAYLOAD_BYTES, 0xa5);
    let taken = take_packets(&mut turn, &mut now, &clients, &packet);
    let given = give_packets(&mut turn, &mut now, &clients, &packet);
    if [taken, given] != [PACKETS; 2] {
        bail!("of {PACKETS} packets {taken} were taken and {given} given");
    }
    Ok(())
}

/// From clients.
#[inline(never)]
fn take_packets(turn: &mut Turn, now: &mut Now, clients: &[Client], packet: &[u8]) -> u32 {
    let mut taken = 0;
    for (flow, _) in clients.iter().cycle().take(PACKETS as usize / BATCH) {
        now.instant += Duration::from_micros(100);
        for _ in 0..BATCH {
            let verdict = turn.handle_packet(*now, *flow, packet);
            taken += u32::from(matches!(verdict, Verdict::ToRelay { .. }));
        }
    }
    taken
}

/// To clients.
#[inline(never)]
fn give_packets(turn: &mut Turn, now: &mut Now, clients: &[Client], payload: &[u8]) -> u32 {
    let mut given = 0;
    let mut out = Vec::with_capacity(65_536);
    let pairs = clients.chunks_exact(2);
    for pair in pairs.cycle().take(PACKETS as usize / BATCH) {
        now.instant += Duration::from_micros(100);
        out.clear();
        for _ in 0..BATCH {
            let (from, to) = (pair[0].1, pair[1].1);
            if let Ok(envelope) = turn.handle_relayed(*now, from, to, 1, payload.len()) {
                envelope.seal(payload, &mut out);
                given += 1;
            }
        }
    }
    given
}

fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: Duration::from_secs(1_800_000_000),
    }
}

fn allocate(turn: &mut Turn, now: Now, number: u16) -> anyhow::Result<(Flow, SocketAddr)> {
    let [high, low] = number.to_be_bytes();
    let flow = Flow {
        transport: Transport::Udp,
        client: SocketAddr::new(Ipv4Addr::new(10, 0, high, low).into(), 5_000),
        local: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
    };
    let request =
        Request::new(stun::ALLOCATE, [1; 12]).with(stun::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    let reply = ask(turn, now, flow, request)?;
    let answer = Answer::parse(&reply).context("an answer")?;
    if answer.code != 0 {
        bail!("no allocation: {}", answer.code);
    }
    Ok((flow, answer.relayed()?))
}

fn bind(turn: &mut Turn, now: Now, flow: Flow, peer: SocketAddr) -> anyhow::Result<()> {
    let [high, low] = CHANNEL.to_be_bytes();
    let request = Request::new(stun::CHANNEL_BIND, [2; 12])
        .with(stun::CHANNEL_NUMBER, &[high, low, 0, 0])
        .with_peer(peer)?;
    let reply = ask(turn, now, flow, request)?;
    match Answer::parse(&reply).context("an answer")?.code {
        0 => Ok(()),
        code => bail!("no channel: {code}"),
    }
}

fn ask(turn: &mut Turn, now: Now, flow: Flow, request: Request) -> anyhow::Result<Vec<u8>> {
    let first =
        Request::new(stun::ALLOCATE, [3; 12]).with(stun::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    let challenge = said(turn, now, flow, &first.open()?)?;
    let challenge = Answer::parse(&challenge).context("a challenge")?;
    let nonce = challenge.get(stun::NONCE).context("a nonce")?;
    let realm = challenge.get(stun::REALM).context("a realm")?;
    let key = stun::key(NAME, realm, PASSWORD);
    let bytes = request
        .with(stun::USERNAME, NAME.as_bytes())
        .with(stun::REALM, realm)
        .with(stun::NONCE, nonce)
        .sealed(&key)?;
    said(turn, now, flow, &bytes)
}

fn said(turn: &mut Turn, now: Now, flow: Flow, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    match turn.handle_packet(now, flow, bytes) {
        Verdict::Reply => Ok(turn.reply().to_vec()),
        other @ (Verdict::ToSfu { .. }
        | Verdict::ToRelay { .. }
        | Verdict::ToPeer { .. }
        | Verdict::Drop(_)) => bail!("no answer: {other:?}"),
    }
}
