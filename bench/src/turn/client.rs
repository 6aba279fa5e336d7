//! A client of a TURN server: it has an allocation, and a channel to one peer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::servers::Account;
use super::stun::{self, Answer, Request, Transaction};

const PATIENCE: Duration = Duration::from_secs(1);
/// Of one request, if no answer comes; and of sockets, if an older client's allocation is still at its address (437).
const TRIES: u32 = 5;
const CHANNEL: u16 = 0x4000;
const UDP: [u8; 4] = [17, 0, 0, 0];
const MISMATCH: u16 = 437;
const UNAUTHORIZED: u16 = 401;
const STALE_NONCE: u16 = 438;

#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: UdpSocket,
    pub(super) relayed: SocketAddr,
    account: Account,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    transactions: u64,
}

impl Client {
    /// Without credentials first, as browsers do.
    pub(super) fn allocate(server: SocketAddr, account: &Account) -> anyhow::Result<Self> {
        for _ in 0..TRIES {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let mut client = Self {
                socket,
                relayed: server,
                account: account.clone(),
                realm: Vec::new(),
                nonce: Vec::new(),
                transactions: 0,
            };
            let transport = |request: Request| Ok(request.with(stun::REQUESTED_TRANSPORT, &UDP));
            let answer = client.ask(stun::ALLOCATE, transport)?;
            match answer.code {
                0 => {
                    client.relayed = answer.relayed.context("no relayed address")?;
                    return Ok(client);
                }
                MISMATCH => {}
                code => bail!("no allocation: {code}"),
            }
        }
        bail!("all addresses have an allocation already")
    }

    pub(super) fn permit(&mut self, peer: SocketAddr) -> anyhow::Result<()> {
        let answer = self.ask(stun::CREATE_PERMISSION, |request| request.with_peer(peer))?;
        if answer.code != 0 {
            bail!("no permission for {peer}: {}", answer.code);
        }
        Ok(())
    }

    pub(super) fn bind(&mut self, peer: SocketAddr) -> anyhow::Result<()> {
        let [high, low] = CHANNEL.to_be_bytes();
        let answer = self.ask(stun::CHANNEL_BIND, |request| {
            request
                .with(stun::CHANNEL_NUMBER, &[high, low, 0, 0])
                .with_peer(peer)
        })?;
        if answer.code != 0 {
            bail!("no channel to {peer}: {}", answer.code);
        }
        Ok(())
    }

    pub(super) fn release(&mut self) -> anyhow::Result<()> {
        self.socket.set_nonblocking(false)?;
        let answer = self.ask(stun::REFRESH, |request| {
            Ok(request.with(stun::LIFETIME, &[0; 4]))
        })?;
        if answer.code != 0 {
            bail!("not released: {}", answer.code);
        }
        Ok(())
    }

    /// Before payloads of that length.
    pub(super) fn header(payload: usize) -> anyhow::Result<[u8; stun::CHANNEL_HEADER_BYTES]> {
        stun::channel_header(CHANNEL, payload)
    }

    fn ask(
        &mut self,
        method: u16,
        fill: impl Fn(Request) -> anyhow::Result<Request>,
    ) -> anyhow::Result<Told> {
        for _ in 0..TRIES {
            self.transactions += 1;
            let mut transaction = Transaction::default();
            transaction[4..].copy_from_slice(&self.transactions.to_be_bytes());
            let request = fill(Request::new(method, transaction))?;
            let bytes = if self.nonce.is_empty() {
                request.open()?
            } else {
                let Account { username, password } = &self.account;
                let key = stun::key(username, &self.realm, password);
                request
                    .with(stun::USERNAME, username.as_bytes())
                    .with(stun::REALM, &self.realm)
                    .with(stun::NONCE, &self.nonce)
                    .sealed(&key)?
            };
            self.socket.send(&bytes)?;
            let Some(told) = self.hear(transaction)? else {
                continue;
            };
            let is_first = told.code == UNAUTHORIZED && self.nonce.is_empty();
            if !is_first && told.code != STALE_NONCE {
                return Ok(told);
            }
            self.realm = told.realm;
            self.nonce = told.nonce;
        }
        bail!("the server does not answer")
    }

    /// None: nothing in time.
    fn hear(&self, transaction: Transaction) -> anyhow::Result<Option<Told>> {
        let mut bytes = [0; 2_048];
        loop {
            let length = match self.socket.recv(&mut bytes) {
                Ok(length) => length,
                Err(error) if is_nothing(&error) => return Ok(None),
                // It may not listen yet.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let answer = bytes.get(..length).and_then(Answer::parse);
            let Some(answer) = answer.filter(|answer| answer.transaction == transaction) else {
                continue;
            };
            let bytes_of = |kind| answer.get(kind).unwrap_or_default().to_vec();
            return Ok(Some(Told {
                code: answer.code,
                relayed: answer.relayed().ok(),
                realm: bytes_of(stun::REALM),
                nonce: bytes_of(stun::NONCE),
            }));
        }
    }
}

struct Told {
    code: u16,
    relayed: Option<SocketAddr>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
}

pub(super) fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Does a STUN server answer there?
pub(super) fn answers(server: SocketAddr) -> anyhow::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let request = Request::new(stun::BINDING, [1; 12]).open()?;
    // Refused as long as nobody is there.
    if socket.send(&request).is_err() {
        return Ok(false);
    }
    Ok(socket.recv(&mut [0; 512]).is_ok())
}
