//! A way between a client without TURN and a server, on which the client's datagrams are relayed; or are not, and take as long.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::{Client, is_nothing};
use super::servers::Account;
use super::stun::CHANNEL_HEADER_BYTES;

const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Open until dropped.
#[derive(Debug)]
pub(crate) struct Tunnel {
    /// Where the client sends to, instead of to the server.
    pub(crate) entrance: SocketAddr,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Tunnel {
    pub(crate) fn relayed(server: SocketAddr, account: &Account) -> anyhow::Result<Self> {
        let mut client = Client::allocate(server, account)?;
        client.bind(server)?;
        Self::open(client.socket, true)
    }

    pub(crate) fn direct(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        Self::open(socket, false)
    }

    fn open(far: UdpSocket, is_wrapped: bool) -> anyhow::Result<Self> {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let entrance = near.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let header_bytes = if is_wrapped { CHANNEL_HEADER_BYTES } else { 0 };
        let mut threads = Vec::new();
        for socket in [&near, &far] {
            socket.set_read_timeout(Some(LOOK_INTERVAL))?;
        }
        let (from, to, ended) = (near.try_clone()?, far.try_clone()?, Arc::clone(&over));
        threads.push(std::thread::spawn(move || {
            let carried = carry_in(&from, &to, is_wrapped, &ended);
            tell(carried, &ended);
        }));
        let ended = Arc::clone(&over);
        threads.push(std::thread::spawn(move || {
            let carried = carry_out(&far, &near, header_bytes, &ended);
            tell(carried, &ended);
        }));
        Ok(Self {
            entrance,
            over,
            threads,
        })
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn tell(carried: anyhow::Result<()>, over: &AtomicBool) {
    if let Err(error) = carried
        && !over.load(Ordering::Relaxed)
    {
        eprintln!("a tunnel broke: {error:#}");
    }
}

/// To the server. The one who sends first is its client.
fn carry_in(
    near: &UdpSocket,
    far: &UdpSocket,
    is_wrapped: bool,
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let mut bytes = [0; 2_048];
    let mut is_known = false;
    while !over.load(Ordering::Relaxed) {
        let (length, client) = match near.recv_from(&mut bytes[CHANNEL_HEADER_BYTES..]) {
            Ok(received) => received,
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        if !is_known {
            near.connect(client)?;
            is_known = true;
        }
        let end = CHANNEL_HEADER_BYTES + length;
        let start = if is_wrapped {
            bytes[..CHANNEL_HEADER_BYTES].copy_from_slice(&Client::header(length)?);
            0
        } else {
            CHANNEL_HEADER_BYTES
        };
        match far.send(&bytes[start..end]) {
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn carry_out(
    far: &UdpSocket,
    near: &UdpSocket,
    header_bytes: usize,
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let mut bytes = [0; 2_048];
    while !over.load(Ordering::Relaxed) {
        let length = match far.recv(&mut bytes) {
            Ok(length) => length,
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        let Some(payload) = bytes.get(header_bytes..length) else {
            continue;
        };
        match near.send(payload) {
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_passing(error: &io::Error) -> bool {
    is_nothing(error) || error.kind() == io::ErrorKind::ConnectionRefused
}
