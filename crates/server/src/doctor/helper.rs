//! The doctor's helper: a second `madang doctor` on a machine outside, which looks at the first one from there.
//!
//! It is asked over TCP and sends STUN Binding requests to the address that the question came from, and to no other: whoever
//! asks can be looked at, and nobody else. It answers STUN itself, at two ports, so that the first one sees how it is seen.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::judge::{Answer, Outcome};
use crate::http::{Bucket, Rate};
use crate::stun::{self, Transaction};

pub(super) const PORT: u16 = 7884;
/// What a question begins with; what follows is the UDP port.
const QUESTION: &str = "madang-doctor 1 udp ";
const LINE_BYTES_MAX: usize = 512;
const CONNECTIONS_MAX: usize = 32;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// Whoever asks sends his line within so long, and reads the answer.
const LINE_TIMEOUT: Duration = Duration::from_secs(5);
/// To one address, and to all together.
const PROBES_OF_IP: Rate = Rate {
    at_once: 4.0,
    per_second: 0.2,
};
const PROBES: Rate = Rate {
    at_once: 32.0,
    per_second: 4.0,
};
const IPS_MAX: usize = 4_096;
/// STUN answers, to all together.
const ANSWERS: Rate = Rate {
    at_once: 200.0,
    per_second: 100.0,
};
const SEND_AFTER: [Duration; 3] = [
    Duration::from_millis(0),
    Duration::from_millis(400),
    Duration::from_millis(1_000),
];
const PROBE_TIMEOUT: Duration = Duration::from_millis(2_500);
/// System ports are none of ours, but for the one of HTTPS.
const FIRST_PORT: u16 = 1_024;
const HTTPS_PORT: u16 = 443;
const DATAGRAM_BYTES_MAX: usize = 2_048;

/// One line of JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Said {
    /// As what it knows whoever asked.
    seen: Option<IpAddr>,
    refused: Option<String>,
    answered_from: Option<SocketAddr>,
    after_ms: Option<u64>,
}

/// What the helper at that address says of our UDP port; `arrived` is filled in by whoever holds the port.
pub(super) fn ask(helper: SocketAddr, port: u16) -> Outcome {
    match asked(helper, port) {
        Ok(Said {
            refused: Some(why), ..
        }) => Outcome::Refused(why),
        Ok(Said {
            seen: Some(at),
            answered_from,
            after_ms,
            ..
        }) => Outcome::Asked {
            at,
            answer: answered_from.map(|from| Answer {
                from,
                after: Duration::from_millis(after_ms.unwrap_or(0)),
            }),
            arrived: None,
        },
        Ok(_) => Outcome::NoHelper("it says nothing that we understand".to_owned()),
        Err(error) => Outcome::NoHelper(error.to_string()),
    }
}

fn asked(helper: SocketAddr, port: u16) -> io::Result<Said> {
    let mut stream = TcpStream::connect_timeout(&helper, LINE_TIMEOUT)?;
    stream.set_write_timeout(Some(LINE_TIMEOUT))?;
    stream.write_all(format!("{QUESTION}{port}\n").as_bytes())?;
    let line = line(&mut stream, PROBE_TIMEOUT + LINE_TIMEOUT)?;
    serde_json::from_str(&line).map_err(|_| io::Error::other("it is no helper of a doctor"))
}

/// The helper itself. Runs until it cannot listen any more.
#[derive(Debug)]
pub struct Helper {
    listeners: Vec<TcpListener>,
    stun: Vec<UdpSocket>,
    limits: Arc<Limits>,
}

impl Helper {
    /// Nothing, a port, or an address with a port. The port after it is used, too, for STUN.
    pub fn listen(at: &str) -> io::Result<Self> {
        let port = if at.is_empty() {
            Some(PORT)
        } else {
            at.parse().ok()
        };
        let (addresses, is_default) = match port {
            Some(port) => {
                let everywhere: [IpAddr; 2] =
                    [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
                (
                    everywhere.map(|ip| SocketAddr::new(ip, port)).to_vec(),
                    true,
                )
            }
            None => {
                let wrong = |_| {
                    io::Error::other(format!(
                        "{at:?} is neither a port nor an address with a port, such as 203.0.113.9:{PORT}"
                    ))
                };
                (vec![at.parse().map_err(wrong)?], false)
            }
        };
        let mut listeners = Vec::new();
        let mut stun = Vec::new();
        for address in addresses {
            match bind(address) {
                Ok((listener, sockets)) => {
                    listeners.push(listener);
                    stun.extend(sockets);
                }
                // A machine without IPv6.
                Err(_) if is_default && !listeners.is_empty() => {}
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{address}: {error}")));
                }
            }
        }
        Ok(Self {
            listeners,
            stun,
            limits: Arc::new(Limits::new(Instant::now())),
        })
    }

    /// Where it is asked.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }

    /// `tell` hears of every question.
    pub fn run(self, tell: impl Fn(&str) + Send + Sync) {
        let (limits, tell) = (&self.limits, &tell);
        std::thread::scope(|scope| {
            for socket in &self.stun {
                scope.spawn(move || answer_stun(socket, limits));
            }
            for listener in &self.listeners {
                scope.spawn(move || {
                    for stream in listener.incoming() {
                        match stream {
                            Ok(stream) => welcome(scope, stream, limits, tell),
                            Err(error) => {
                                tell(&format!("cannot accept a connection: {error}"));
                                std::thread::sleep(Duration::from_millis(100));
                            }
                        }
                    }
                });
            }
        });
    }
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, [UdpSocket; 2])> {
    let socket = |kind| {
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        io::Result::Ok(socket)
    };
    let tcp = socket(Type::STREAM)?;
    // What is left of connections that were closed keeps nobody away.
    #[cfg(unix)]
    tcp.set_reuse_address(true)?;
    tcp.bind(&address.into())?;
    tcp.listen(BACKLOG)?;
    let tcp = TcpListener::from(tcp);
    let port = tcp.local_addr()?.port();
    let next = port.checked_add(1);
    let next = next.ok_or_else(|| io::Error::other("there is no port after this one"))?;
    let udp = |port| {
        let socket = socket(Type::DGRAM)?;
        socket.bind(&SocketAddr::new(address.ip(), port).into())?;
        io::Result::Ok(socket.into())
    };
    Ok((tcp, [udp(port)?, udp(next)?]))
}

fn answer_stun(socket: &UdpSocket, limits: &Limits) {
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    loop {
        // A refusal by whoever was answered shows here as an error, and is over with that.
        let Ok((bytes, remote)) = socket.recv_from(&mut datagram) else {
            continue;
        };
        let question = datagram.get(..bytes).unwrap_or_default();
        if let Some(answer) = stun::answer(question, remote)
            && limits.may_answer(Instant::now())
        {
            // A full socket loses it, as the network may.
            socket.send_to(&answer, remote).ok();
        }
    }
}

fn welcome<'scope, 'env>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    stream: TcpStream,
    limits: &'scope Limits,
    tell: &'scope (impl Fn(&str) + Sync),
) {
    let Some(place) = limits.enter() else {
        return;
    };
    scope.spawn(move || {
        let _place = place;
        if let Ok(remote) = stream.peer_addr() {
            let told = match look(stream, remote.ip(), limits) {
                Ok(told) => told,
                Err(error) => format!("no question: {error}"),
            };
            tell(&format!("{}: {told}", remote.ip()));
        }
    });
}

fn look(mut stream: TcpStream, remote: IpAddr, limits: &Limits) -> io::Result<String> {
    stream.set_write_timeout(Some(LINE_TIMEOUT))?;
    let question = line(&mut stream, LINE_TIMEOUT)?;
    let said = match limits.admit(&question, remote, Instant::now()) {
        Ok(port) => probe(stream.local_addr()?.ip(), SocketAddr::new(remote, port))?,
        Err(why) => Said {
            refused: Some(why.to_owned()),
            ..Said::default()
        },
    };
    let text = serde_json::to_string(&said).map_err(io::Error::other)?;
    stream.write_all(format!("{text}\n").as_bytes())?;
    Ok(text)
}

/// From a port that the other one has sent nothing to: else his own question would have opened the way through his router.
fn probe(from: IpAddr, to: SocketAddr) -> io::Result<Said> {
    let socket = UdpSocket::bind(SocketAddr::new(from, 0))?;
    let transaction = Transaction::random().map_err(io::Error::other)?;
    let request = stun::request(transaction);
    let mut said = Said {
        seen: Some(to.ip()),
        ..Said::default()
    };
    let (start, mut sent) = (Instant::now(), 0);
    let mut answer = [0; DATAGRAM_BYTES_MAX];
    while start.elapsed() < PROBE_TIMEOUT {
        if SEND_AFTER
            .get(sent)
            .is_some_and(|after| start.elapsed() >= *after)
        {
            sent += 1;
            // A refusal of what was sent before may show here; the next may get through.
            socket.send_to(&request, to).ok();
        }
        let next = SEND_AFTER.get(sent).copied().unwrap_or(PROBE_TIMEOUT);
        let patience = next
            .saturating_sub(start.elapsed())
            .max(Duration::from_millis(1));
        socket.set_read_timeout(Some(patience))?;
        if let Ok((bytes, remote)) = socket.recv_from(&mut answer)
            && stun::mapped(answer.get(..bytes).unwrap_or_default(), transaction).is_some()
        {
            said.answered_from = Some(remote);
            said.after_ms = u64::try_from(start.elapsed().as_millis()).ok();
            break;
        }
    }
    Ok(said)
}

/// Whole within that time, however slowly it comes.
fn line(stream: &mut TcpStream, timeout: Duration) -> io::Result<String> {
    let start = Instant::now();
    let mut line = Vec::new();
    let mut part = [0; LINE_BYTES_MAX];
    loop {
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            return String::from_utf8(line).map_err(io::Error::other);
        }
        if line.len() >= LINE_BYTES_MAX {
            return Err(io::Error::other("the line is too long"));
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => line.extend(part.get(..bytes).unwrap_or_default()),
        }
    }
}

/// What strangers may make the helper do.
#[derive(Debug)]
struct Limits {
    connections: AtomicUsize,
    probes: Mutex<Probes>,
    answers: Mutex<Bucket>,
}

#[derive(Debug)]
struct Probes {
    all: Bucket,
    of_ip: BTreeMap<IpAddr, Bucket>,
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limits {
    fn new(now: Instant) -> Self {
        Self {
            connections: AtomicUsize::new(0),
            probes: Mutex::new(Probes {
                all: Bucket::full(now, PROBES),
                of_ip: BTreeMap::new(),
            }),
            answers: Mutex::new(Bucket::full(now, ANSWERS)),
        }
    }

    fn enter(&self) -> Option<Place<'_>> {
        let place = Place(&self.connections);
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        (before < CONNECTIONS_MAX).then_some(place)
    }

    fn may_answer(&self, now: Instant) -> bool {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.take(now, ANSWERS, 1.0).is_ok()
    }

    /// The port to look at.
    fn admit(&self, question: &str, remote: IpAddr, now: Instant) -> Result<u16, &'static str> {
        let port: u16 = question
            .trim_end()
            .strip_prefix(QUESTION)
            .and_then(|port| port.parse().ok())
            .ok_or("this is the helper of `madang doctor`, and that was no question of it")?;
        if port < FIRST_PORT && port != HTTPS_PORT {
            return Err("ports below 1024 are not looked at");
        }
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let Probes { all, of_ip } = &mut *probes;
        if of_ip.len() >= IPS_MAX {
            of_ip.retain(|_, bucket| !bucket.is_full(now, PROBES_OF_IP));
        }
        let ip = owner(remote);
        if of_ip.len() >= IPS_MAX && !of_ip.contains_key(&ip) {
            return Err("too many ask at present; try again in a minute");
        }
        let own = of_ip
            .entry(ip)
            .or_insert_with(|| Bucket::full(now, PROBES_OF_IP));
        if own.take(now, PROBES_OF_IP, 1.0).is_err() {
            return Err("you asked too often; try again in a minute");
        }
        if all.take(now, PROBES, 1.0).is_err() {
            return Err("too many ask at present; try again in a minute");
        }
        Ok(port)
    }
}

/// Whoever has an address of IPv6 has all of its /64.
fn owner(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
