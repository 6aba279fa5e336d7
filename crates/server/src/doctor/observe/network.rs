//! Asking others how they see us.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use quinn_udp::UdpSocketState;

use super::super::judge::Seen;
use crate::stun::{self, Transaction};

/// When a request is sent again. The last answer is waited for until `ANSWER_TIMEOUT`.
const ASK_AGAIN_AFTER: [Duration; 3] = [
    Duration::from_millis(0),
    Duration::from_millis(300),
    Duration::from_millis(900),
];
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: usize = 2_048;
/// UDP payloads tried: Ethernet, PPPoE, tunnels, and what is less than media needs. Of IPv6 20 bytes fewer.
const PAYLOADS: [usize; 6] = [1_472, 1_452, 1_372, 1_252, 996, 548];
const IPV6_HEADER_MORE_BYTES: usize = 20;

/// All from one socket for each family: only so can what they see be compared. `port` 0: any.
pub(in crate::doctor) fn ask(servers: &[SocketAddr], port: u16) -> Vec<Seen> {
    let mut seen = Vec::new();
    for is_ipv4 in [true, false] {
        let of_family = servers.iter().filter(|server| server.is_ipv4() == is_ipv4);
        let questions: Vec<Question> = of_family.filter_map(|to| Question::new(*to)).collect();
        let socket = UdpSocket::bind(SocketAddr::new(anywhere(is_ipv4), port));
        let (from_port, answers) = match &socket {
            Ok(socket) => {
                let from = socket.local_addr().map_or(0, |own| own.port());
                (from, exchange(socket, &questions, ANSWER_TIMEOUT))
            }
            Err(_) => (0, vec![None; questions.len()]),
        };
        for (question, mapped) in questions.iter().zip(answers) {
            let from = local_ip(question.to).unwrap_or(anywhere(is_ipv4));
            seen.push(Seen {
                by: question.to,
                from: SocketAddr::new(from, from_port),
                mapped,
            });
        }
    }
    seen
}

/// From any port.
pub(super) fn ask_once(server: SocketAddr, timeout: Duration) -> Option<SocketAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(anywhere(server.is_ipv4()), 0)).ok()?;
    let answers = exchange(&socket, &[Question::new(server)?], timeout);
    answers.into_iter().next().flatten()
}

/// The address that the system sends from to there. Nothing is sent.
fn local_ip(server: SocketAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(anywhere(server.is_ipv4()), 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// The largest UDP payload that is answered when nobody on the way may cut it up, and the largest that was tried.
pub(in crate::doctor) fn largest_payload(server: SocketAddr) -> Option<(usize, usize)> {
    let socket = UdpSocket::bind(SocketAddr::new(anywhere(server.is_ipv4()), 0)).ok()?;
    // It forbids fragments, as the media sockets do.
    UdpSocketState::new((&socket).into()).ok()?;
    socket.set_nonblocking(false).ok()?;
    let less = if server.is_ipv4() {
        0
    } else {
        IPV6_HEADER_MORE_BYTES
    };
    let sizes: Vec<usize> = PAYLOADS.iter().map(|bytes| bytes - less).collect();
    let questions: Vec<Question> = sizes
        .iter()
        .filter_map(|bytes| {
            let mut question = Question::new(server)?;
            question.bytes = stun::request_of_size(question.transaction, *bytes);
            Some(question)
        })
        .collect();
    let answers = exchange(&socket, &questions, ANSWER_TIMEOUT);
    let mut passed = sizes
        .iter()
        .zip(answers)
        .filter(|(_, mapped)| mapped.is_some());
    Some((*passed.next()?.0, *sizes.first()?))
}

struct Question {
    to: SocketAddr,
    transaction: Transaction,
    bytes: Vec<u8>,
}

impl Question {
    fn new(to: SocketAddr) -> Option<Self> {
        let transaction = Transaction::random().ok()?;
        Some(Self {
            to,
            transaction,
            bytes: stun::request(transaction),
        })
    }
}

/// All at once, each asked again until it is answered. In their order.
fn exchange(
    socket: &UdpSocket,
    questions: &[Question],
    timeout: Duration,
) -> Vec<Option<SocketAddr>> {
    let mut answers = vec![None; questions.len()];
    let mut hopeless = vec![false; questions.len()];
    let (start, mut asked) = (Instant::now(), 0);
    let mut answer = [0; ANSWER_BYTES_MAX];
    loop {
        let since = start.elapsed();
        let is_over =
            |(answer, hopeless): (&Option<SocketAddr>, &bool)| answer.is_some() || *hopeless;
        if since >= timeout || answers.iter().zip(&hopeless).all(is_over) {
            return answers;
        }
        if ASK_AGAIN_AFTER
            .get(asked)
            .is_some_and(|after| since >= *after)
        {
            asked += 1;
            for ((question, answer), hopeless) in questions.iter().zip(&answers).zip(&mut hopeless)
            {
                // Too large for our own interface, or no way there: nobody needs to be waited for.
                *hopeless |=
                    answer.is_none() && socket.send_to(&question.bytes, question.to).is_err();
            }
        }
        let next = ASK_AGAIN_AFTER
            .get(asked)
            .map_or(timeout, |after| (*after).min(timeout));
        let patience = next
            .saturating_sub(start.elapsed())
            .max(Duration::from_millis(1));
        if socket.set_read_timeout(Some(patience)).is_err() {
            return answers;
        }
        // A refusal shows as an error here, too, and may be of what was sent before.
        if let Ok((bytes, remote)) = socket.recv_from(&mut answer) {
            let datagram = answer.get(..bytes).unwrap_or_default();
            for (question, answer) in questions.iter().zip(&mut answers) {
                if remote == question.to && answer.is_none() {
                    *answer = stun::mapped(datagram, question.transaction);
                }
            }
        }
    }
}

pub(in crate::doctor) fn anywhere(is_ipv4: bool) -> IpAddr {
    if is_ipv4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}
