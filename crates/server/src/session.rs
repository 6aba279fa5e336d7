//! One task for each session. It owns the dialect, the peer's port to its shard and the present carrier, and outlives
//! carriers: a client that comes back brings a new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_sfu::api::{Event, Request};
use madang_signalling::livekit::{Claims, Entry, IceServer, LiveKit, refuse_resume};
use madang_signalling::{Dialect as _, Frame, Output, TokenClaims};
use tokio::sync::mpsc;

use crate::auth::Keys;
use crate::carrier::Carrier;
use crate::directory::Seat;
use crate::media::PeerPort;
use crate::stats::Stats;
use crate::time::now;

/// A refreshed token is good for at least this long.
const REFRESH_TTL_MIN: Duration = Duration::from_secs(600);
/// What a client without a timer of its own waits for: nothing is due for this long.
const IDLE: Duration = Duration::from_secs(3_600);

/// What others want of a session.
#[derive(Debug)]
pub(crate) enum Command {
    /// The client came back.
    Resume(Box<Comeback>),
    /// To the core, for this peer.
    Request(Request),
    /// To the client, as a message of the server: what a dialect would get from the core.
    Event(Event),
}

#[derive(Debug)]
pub(crate) struct Comeback {
    pub(crate) carrier: Carrier,
    /// The credentials of the join may have ended.
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) entry: Entry,
    pub(crate) claims: Claims,
}

/// Everything a session is made of.
pub(crate) struct Session {
    pub(crate) dialect: LiveKit,
    pub(crate) port: PeerPort,
    pub(crate) carrier: Carrier,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) seat: Seat,
    pub(crate) signer: Signer,
    pub(crate) stats: Arc<Stats>,
}

/// Makes the tokens by which a client may come back later.
pub(crate) struct Signer {
    pub(crate) keys: Keys,
    /// The one that signed the token the client came with.
    pub(crate) key: String,
    pub(crate) claims: Claims,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.seat.peer)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// To the end of the session.
    pub(crate) async fn run(self) {
        let live = self.stats.session();
        let Self {
            dialect,
            port,
            carrier,
            commands,
            seat,
            signer,
            stats,
        } = self;
        let mut running = Running {
            dialect,
            port,
            carrier: Some(carrier),
            commands: Some(commands),
            signer,
            stats,
            is_over: false,
        };
        running.drain();
        while !running.is_over {
            let next = running.next().await;
            running.handle(next);
            running.drain();
        }
        running.refuse_the_rest();
        running.stats.count_dropped(running.dialect.dropped());
        // The place is free before anybody can see the count go down.
        drop(running);
        drop(seat);
        drop(live);
    }
}

struct Running {
    dialect: LiveKit,
    port: PeerPort,
    carrier: Option<Carrier>,
    /// None: nobody can reach this session any more (its room was deleted, or its identity has a newer one).
    commands: Option<mpsc::Receiver<Command>>,
    signer: Signer,
    stats: Arc<Stats>,
    is_over: bool,
}

enum Next {
    /// None: the carrier is lost.
    Frame(Option<Frame>),
    /// None: the shard is gone, after it said so.
    Event(Option<Event>),
    Command(Option<Command>),
    Timeout,
}

impl Running {
    async fn next(&mut self) -> Next {
        let deadline = self.dialect.poll_timeout();
        tokio::select! {
            frame = read(&mut self.carrier) => Next::Frame(frame),
            event = self.port.events.recv() => Next::Event(event),
            command = command(&mut self.commands) => Next::Command(command),
            () = until(deadline) => Next::Timeout,
        }
    }

    fn handle(&mut self, next: Next) {
        let now = now();
        match next {
            Next::Frame(Some(frame)) => self.dialect.handle_frame(now, frame),
            Next::Frame(None) => self.lose_carrier(),
            Next::Event(Some(event)) => self.dialect.handle_event(now, event),
            // `Closed` came before: the dialect had its chance to say goodbye.
            Next::Event(None) => self.is_over = true,
            Next::Command(Some(Command::Resume(comeback))) => self.resume(*comeback),
            Next::Command(Some(Command::Request(request))) => self.request(request),
            Next::Command(Some(Command::Event(event))) => self.dialect.handle_event(now, event),
            Next::Command(None) => self.commands = None,
            Next::Timeout => self.dialect.handle_timeout(now),
        }
    }

    fn resume(&mut self, comeback: Comeback) {
        if let Some(old) = self.carrier.replace(comeback.carrier) {
            old.close();
        }
        tracing::info!(peer = %self.port.requests.peer(), "resumed");
        Stats::count(&self.stats.resumes);
        self.dialect.ice_servers = comeback.ice_servers;
        self.dialect.resume(now(), comeback.entry, &comeback.claims);
        self.signer.claims = comeback.claims;
    }

    fn lose_carrier(&mut self) {
        self.carrier = None;
        tracing::debug!(peer = %self.port.requests.peer(), "carrier lost");
        self.dialect.handle_carrier_lost(now());
    }

    fn request(&self, request: Request) {
        // Who is gone has had `Closed`, or will have.
        self.port.requests.send(request).ok();
    }

    fn drain(&mut self) {
        while let Some(output) = self.dialect.poll_output() {
            match output {
                Output::Frame(frame) => self.send(frame),
                Output::Request(request) => self.request(request),
                Output::TokenWanted(wanted) => self.refresh(&wanted),
                Output::CloseCarrier => {
                    if let Some(carrier) = self.carrier.take() {
                        carrier.close();
                    }
                }
                Output::End => self.is_over = true,
            }
        }
    }

    fn send(&mut self, frame: Frame) {
        let Some(carrier) = &self.carrier else {
            // After a resume the client is told everything as it is then.
            Stats::count(&self.stats.frames_without_carrier);
            return;
        };
        if carrier.send(frame).is_err() {
            Stats::count(&self.stats.carriers_too_slow);
            self.lose_carrier();
        }
    }

    fn refresh(&mut self, wanted: &TokenClaims) {
        let now = now();
        let claims = self.signer.claims.refreshed(wanted);
        let rest = claims
            .exp
            .map_or(Duration::ZERO, Duration::from_secs)
            .saturating_sub(now.wall);
        let ttl = rest.max(REFRESH_TTL_MIN);
        let token = self
            .signer
            .keys
            .sign(&self.signer.key, claims.clone(), now.wall, ttl);
        match token {
            Some(token) => self.dialect.handle_token(now, token),
            None => tracing::warn!("cannot sign a refreshed token"),
        }
    }

    /// Who tried to come back to a session that is over has to join anew.
    fn refuse_the_rest(&mut self) {
        let Some(mut commands) = self.commands.take() else {
            return;
        };
        commands.close();
        while let Ok(command) = commands.try_recv() {
            if let Command::Resume(comeback) = command {
                refuse(comeback.carrier);
            }
        }
    }
}

/// There is no such session to come back to.
pub(crate) fn refuse(carrier: Carrier) {
    for frame in refuse_resume() {
        // A fresh carrier has room for a goodbye.
        carrier.send(frame).ok();
    }
    carrier.close();
}

async fn read(carrier: &mut Option<Carrier>) -> Option<Frame> {
    match carrier {
        Some(carrier) => carrier.recv().await,
        None => std::future::pending().await,
    }
}

async fn command(commands: &mut Option<mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

pub(crate) async fn until(deadline: Option<Instant>) {
    let deadline = deadline.unwrap_or_else(|| Instant::now() + IDLE);
    tokio::time::sleep_until(deadline.into()).await;
}
