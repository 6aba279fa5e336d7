//! The public address of the media port: as a STUN server sees its very sockets.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, interval, timeout};

use crate::stun::{self, Transaction};

/// Asked again while there is no answer (RFC 8489 §6.2.1 waits longer; nobody waits so long for a server to start).
const ASK_AGAIN_AFTER: [Duration; 3] = [
    Duration::from_millis(0),
    Duration::from_millis(500),
    Duration::from_millis(1_500),
];
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Longer than any answer to a bare request.
const ANSWER_BYTES_MAX: usize = 1_500;

/// What was learned. Empty: nothing; why was logged.
pub(super) async fn find(server: &str, shards: &[Vec<UdpSocket>]) -> Vec<IpAddr> {
    let servers: Vec<SocketAddr> = match timeout(ANSWER_TIMEOUT, lookup_host(server)).await {
        Ok(Ok(servers)) => servers.collect(),
        Ok(Err(error)) => {
            tracing::warn!(%server, %error, "the public address was not found: the STUN server's name leads nowhere. Remedy: name the address with announce");
            return Vec::new();
        }
        Err(_) => {
            tracing::warn!(%server, "the public address was not found: nobody says where the STUN server is. Remedy: name the address with announce");
            return Vec::new();
        }
    };
    let (v4, v6) = tokio::join!(
        of_family(servers.iter().find(|server| server.is_ipv4()), shards),
        of_family(servers.iter().find(|server| server.is_ipv6()), shards),
    );
    let found: Vec<IpAddr> = [v4, v6].into_iter().flatten().collect();
    if found.is_empty() {
        tracing::warn!(%server, "the public address was not found: the STUN server does not answer. Remedy: open UDP to it, or name the address with announce");
    }
    found
}

async fn of_family(server: Option<&SocketAddr>, shards: &[Vec<UdpSocket>]) -> Option<IpAddr> {
    let server = *server?;
    let sockets: Vec<&UdpSocket> = shards
        .iter()
        .flatten()
        .filter(|socket| {
            socket.local_addr().is_ok_and(|own| {
                let leads_out = !own.ip().is_loopback() || server.ip().is_loopback();
                own.is_ipv4() == server.is_ipv4() && leads_out
            })
        })
        .collect();
    let first = sockets.first()?;
    match ask(server, first, &sockets).await {
        Ok(seen) => {
            let own = first.local_addr().ok()?.port();
            if seen.port() != own {
                tracing::warn!(
                    port = own,
                    seen_as = seen.port(),
                    "the router changes the media port on the way out: forward this UDP port to this machine"
                );
            }
            Some(seen.ip())
        }
        Err(error) => {
            tracing::debug!(%server, %error, "no answer of the STUN server");
            None
        }
    }
}

/// `all` share a port, and the system chooses which of them gets the answer. What else arrives meanwhile is lost: nobody was
/// told of this port yet.
async fn ask(server: SocketAddr, from: &UdpSocket, all: &[&UdpSocket]) -> io::Result<SocketAddr> {
    let transaction = Transaction::random().map_err(io::Error::other)?;
    let request = stun::request(transaction);
    let start = Instant::now();
    let mut asked = 0;
    let mut ticks = interval(LOOK_INTERVAL);
    let mut answer = [0; ANSWER_BYTES_MAX];
    while start.elapsed() < ANSWER_TIMEOUT {
        ticks.tick().await;
        if ASK_AGAIN_AFTER
            .get(asked)
            .is_some_and(|after| start.elapsed() >= *after)
        {
            from.send_to(&request, server)?;
            asked += 1;
        }
        for socket in all {
            // Until there is nothing more. A refusal by the other end shows here, too, and may pass.
            while let Ok((bytes, remote)) = socket.recv_from(&mut answer) {
                let datagram = answer.get(..bytes).unwrap_or_default();
                if remote == server
                    && let Some(seen) = stun::mapped(datagram, transaction)
                {
                    return Ok(seen);
                }
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
