//! One task for each Engine.IO session: it owns what waits to be sent, the transport (a poll that waits, or a WebSocket),
//! the heartbeat and, for each namespace the client has connected to, the carrier of a door.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use madang_signalling::Frame;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::packet::{
    CLOSE, Message, NOOP, PING, PONG, PROBE, PROBE_ANSWER, Protocol, UPGRADE, Verb, message,
};
use super::{Engine, query_value};
use crate::carrier::{self, Carrier, Wire, len};
use crate::door_session::{DoorSession, Visitor};
use crate::doors::{Doors, Kind, Listing, Opening, random_id, token_of};
use crate::http::{Bucket, Remote, Shared, TALK, TALK_BYTES};
use crate::stats::Stats;

pub(super) const PING_INTERVAL: Duration = Duration::from_secs(25);
/// From the handshake to the first namespace.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// From the end of the last namespace to the next one.
const LINGER: Duration = Duration::from_secs(5);
/// From the probe to the end of the upgrade.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// After the last word, for it to be fetched.
const FAREWELL: Duration = Duration::from_secs(5);
/// While so much waits for a poll, doors are not listened to: what they send meanwhile counts against their own limit.
const OUTBOX_PACKETS_MAX: usize = 64;
const OUTBOX_BYTES_MAX: usize = 256 * 1024;

/// What HTTP requests of a session bring.
pub(super) enum Inlet {
    Poll(oneshot::Sender<Option<Vec<String>>>),
    Packets {
        packets: Vec<String>,
        /// How long to wait before saying that they were taken; None: malformed.
        taken: oneshot::Sender<Option<Duration>>,
    },
    /// A WebSocket that wants to take over.
    Socket(Carrier),
}

pub(super) struct Session {
    engine: Arc<Engine>,
    shared: Arc<Shared>,
    protocol: Protocol,
    sid: String,
    remote: Remote,
    reached: Option<IpAddr>,
    query: String,
    inlets: mpsc::Receiver<Inlet>,
    outbox: VecDeque<String>,
    poll: Option<oneshot::Sender<Option<Vec<String>>>>,
    socket: Option<Carrier>,
    probe: Option<Probe>,
    namespaces: BTreeMap<&'static str, Namespace>,
    talk: Bucket,
    next_ping: Option<Instant>,
    /// Nothing heard by then: it is gone.
    silent_at: Instant,
    connect_by: Option<Instant>,
    phase: Phase,
}

struct Probe {
    carrier: Carrier,
    is_answered: bool,
    ends_at: Instant,
}

struct Namespace {
    wire: Wire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is left to say may be fetched until then.
    Leaving(Instant),
    Over,
}

enum Next {
    /// None cannot be: the engine holds the other end.
    Inlet(Option<Inlet>),
    Socket(Option<Frame>),
    Probe(Option<Frame>),
    /// None: the door closed.
    Door(&'static str, Option<Frame>),
    Timeout,
    Stopping,
}

/// What a session begins with.
pub(super) struct Beginning {
    pub(super) protocol: Protocol,
    pub(super) sid: String,
    pub(super) remote: Remote,
    pub(super) reached: Option<IpAddr>,
    pub(super) query: String,
    pub(super) inlets: mpsc::Receiver<Inlet>,
    pub(super) socket: Option<Carrier>,
}

impl Session {
    pub(super) fn new(engine: Arc<Engine>, shared: Arc<Shared>, beginning: Beginning) -> Self {
        let now = Instant::now();
        let is_v4 = beginning.protocol == Protocol::V4;
        let mut session = Self {
            protocol: beginning.protocol,
            remote: beginning.remote,
            reached: beginning.reached,
            query: beginning.query,
            inlets: beginning.inlets,
            outbox: VecDeque::new(),
            poll: None,
            socket: beginning.socket,
            probe: None,
            namespaces: BTreeMap::new(),
            talk: Bucket::full(now.into_std(), TALK),
            next_ping: is_v4.then(|| now + PING_INTERVAL),
            silent_at: now + PING_INTERVAL + engine.plan.ping_timeout,
            connect_by: Some(now + CONNECT_TIMEOUT),
            phase: Phase::Open,
            sid: beginning.sid,
            engine,
            shared,
        };
        let is_upgraded = session.socket.is_some();
        session.push(session.engine.opening(&session.sid, is_upgraded));
        if !is_v4 {
            // Version 2 is connected to the root without asking.
            if session.engine.kind_of("/").is_some() {
                session.connect("/", "", "");
            } else {
                session.push(message('0', "/", ""));
            }
        }
        session
    }

    pub(super) async fn run(mut self) {
        loop {
            self.flush();
            if self.phase == Phase::Over {
                break;
            }
            let next = self.next().await;
            self.handle(next).await;
        }
        self.engine.forget(&self.sid);
        if let Some(socket) = self.socket.take() {
            socket.close();
        }
        if let Some(probe) = self.probe.take() {
            probe.carrier.close();
        }
    }

    async fn next(&mut self) -> Next {
        let deadline = self.deadline();
        let is_leaving = self.phase != Phase::Open;
        let waiting_bytes: usize = self.outbox.iter().map(String::len).sum();
        let is_listening = !is_leaving
            && self.outbox.len() < OUTBOX_PACKETS_MAX
            && waiting_bytes < OUTBOX_BYTES_MAX;
        let stopping = &self.shared.tasks.stopping;
        tokio::select! {
            () = stopping.cancelled(), if !is_leaving => Next::Stopping,
            inlet = self.inlets.recv() => Next::Inlet(inlet),
            frame = read(&mut self.socket) => Next::Socket(frame),
            frame = read_probe(&mut self.probe) => Next::Probe(frame),
            (name, frame) = hear(&mut self.namespaces), if is_listening => Next::Door(name, frame),
            () = sleep_until(deadline) => Next::Timeout,
        }
    }

    async fn handle(&mut self, next: Next) {
        match next {
            Next::Inlet(None) => self.phase = Phase::Over,
            Next::Inlet(Some(Inlet::Poll(answer))) => self.take_poll(answer),
            Next::Inlet(Some(Inlet::Packets { packets, taken })) => {
                let wait = self.take_packets(packets).await;
                if self.phase == Phase::Over {
                    // Before the client can ask again.
                    self.engine.forget(&self.sid);
                }
                // Who asked may have gone.
                taken.send(wait).ok();
            }
            Next::Inlet(Some(Inlet::Socket(carrier))) => self.take_socket(carrier),
            Next::Socket(Some(Frame::Text(packet))) => {
                if !self.take_packet(&packet).await {
                    self.phase = Phase::Over;
                }
            }
            Next::Socket(Some(Frame::Binary(_)) | None) => self.phase = Phase::Over,
            Next::Probe(frame) => self.take_probe(frame),
            Next::Door(name, Some(frame)) => self.pass_on(name, frame),
            Next::Door(name, None) => self.end_namespace(name),
            Next::Timeout => self.handle_timeout(),
            Next::Stopping => self.leave(),
        }
    }

    fn deadline(&self) -> Instant {
        let leaving = match self.phase {
            Phase::Leaving(until) => Some(until),
            Phase::Open | Phase::Over => None,
        };
        let probe = self.probe.as_ref().map(|probe| probe.ends_at);
        [self.next_ping, self.connect_by, leaving, probe]
            .into_iter()
            .flatten()
            .fold(self.silent_at, Instant::min)
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_left = matches!(self.phase, Phase::Leaving(until) if until <= now);
        if is_left || self.silent_at <= now {
            self.phase = Phase::Over;
            return;
        }
        if is_due(self.connect_by) {
            self.connect_by = None;
            self.leave();
            return;
        }
        if self.probe.as_ref().is_some_and(|p| p.ends_at <= now) {
            self.probe = None;
        }
        if is_due(self.next_ping) {
            self.next_ping = Some(now + PING_INTERVAL);
            self.push(PING.to_string());
        }
    }

    fn take_poll(&mut self, answer: oneshot::Sender<Option<Vec<String>>>) {
        let is_second = self.poll.as_ref().is_some_and(|poll| !poll.is_closed());
        if is_second || self.socket.is_some() {
            if is_second {
                // One of them is not the client's.
                self.phase = Phase::Over;
                self.engine.forget(&self.sid);
            }
            answer.send(None).ok();
            return;
        }
        self.poll = Some(answer);
    }

    async fn take_packets(&mut self, packets: Vec<String>) -> Option<Duration> {
        if self.socket.is_some() {
            return None;
        }
        let mut wait = Duration::ZERO;
        if packets.is_empty() {
            self.phase = Phase::Over;
            return None;
        }
        for packet in packets {
            let blocks = u32::try_from(packet.len() / TALK_BYTES).unwrap_or(u32::MAX);
            let cost = 1.0 + f64::from(blocks);
            let now = Instant::now().into_std();
            if let Some(pause) = self.talk.charge(now, TALK, cost) {
                Stats::count(&self.shared.stats.carriers_paused);
                wait = pause;
            }
            Stats::count(&self.shared.stats.frames_in);
            if !self.take_packet(&packet).await {
                self.phase = Phase::Over;
                return None;
            }
        }
        Some(wait)
    }

    fn take_socket(&mut self, carrier: Carrier) {
        if self.socket.is_some() || self.probe.is_some() || self.phase != Phase::Open {
            carrier.close();
            return;
        }
        self.probe = Some(Probe {
            carrier,
            is_answered: false,
            ends_at: Instant::now() + UPGRADE_TIMEOUT,
        });
    }

    fn take_probe(&mut self, frame: Option<Frame>) {
        let Some(mut probe) = self.probe.take() else {
            return;
        };
        match frame {
            Some(Frame::Text(text)) if text == PROBE && !probe.is_answered => {
                probe.is_answered = true;
                probe
                    .carrier
                    .send(Frame::Text(PROBE_ANSWER.to_owned()))
                    .ok();
                self.probe = Some(probe);
            }
            Some(Frame::Text(text)) if text == UPGRADE && probe.is_answered => {
                self.socket = Some(probe.carrier);
                self.answer_poll(vec![NOOP.to_owned()]);
            }
            // The client may try again, or stay with polling.
            Some(_) | None => probe.carrier.close(),
        }
    }

    /// False: malformed.
    async fn take_packet(&mut self, packet: &str) -> bool {
        self.silent_at = Instant::now() + PING_INTERVAL + self.engine.plan.ping_timeout;
        let mut characters = packet.chars();
        match (characters.next(), self.protocol) {
            (Some('4'), _) => self.take_message(characters.as_str()).await,
            (Some(PING), Protocol::V3) => {
                self.push(format!("{PONG}{}", characters.as_str()));
                true
            }
            (Some(PONG), Protocol::V4) => true,
            (Some('1'), _) => {
                self.phase = Phase::Over;
                true
            }
            (Some('6'), _) => true,
            // A client of protocol 4 does not ping.
            _ => false,
        }
    }

    async fn take_message(&mut self, text: &str) -> bool {
        let Some(message) = Message::parse(text) else {
            return false;
        };
        match message.verb {
            Verb::Connect => {
                let Some(name) = self.engine.name_of(message.namespace) else {
                    return self.refuse(message.namespace, "Invalid namespace");
                };
                if self.namespaces.contains_key(name) {
                    // Version 2 asks for the root it is in already.
                    return self.protocol == Protocol::V3;
                }
                self.connect(name, message.data, message.query);
                true
            }
            Verb::Disconnect => {
                if let Some(name) = self.engine.name_of(message.namespace) {
                    self.namespaces.remove(name);
                    self.linger();
                }
                true
            }
            Verb::Event => {
                let Some(event) = message.event() else {
                    return false;
                };
                let namespace = self.namespaces.get(message.namespace);
                if let Some(namespace) = namespace {
                    let frame = Frame::Text(event.to_owned());
                    let cut = namespace.wire.cut.clone();
                    tokio::select! {
                        () = cut.cancelled() => {}
                        // A door that is over does not read; its goodbye is next.
                        sent = namespace.wire.inbox.send(frame) => drop(sent),
                    }
                }
                true
            }
            Verb::Ack => true,
        }
    }

    fn connect(&mut self, name: &'static str, auth: &str, query: &str) {
        let Some(kind) = self.engine.kind_of(name) else {
            return;
        };
        // Version 2 has no place for what it shows but a query.
        let query = format!("{query}&{}", self.query);
        let token = token_of(auth).or_else(|| query_value(&query, "token"));
        let Some(is_trusted) = self.admits(kind, token.as_deref()) else {
            Stats::count(&self.shared.stats.refused_tokens);
            self.refuse(name, "Authentication error");
            return;
        };
        let socket_id = match (self.protocol, name) {
            (Protocol::V4, _) => random_id(),
            (Protocol::V3, "/") => self.sid.clone(),
            (Protocol::V3, name) => format!("{name}#{}", self.sid),
        };
        let opening = Opening {
            query: &query,
            socket_id: &socket_id,
            auth,
        };
        let door = match kind.open(&opening) {
            Ok(door) => door,
            Err(reason) => {
                self.refuse(name, &reason);
                return;
            }
        };
        let (carrier, wire) = carrier::pair();
        let session = DoorSession {
            door,
            carrier,
            visitor: Visitor {
                ip: self.remote.0,
                reached: self.reached,
                is_trusted,
                granted: None,
                listing: (kind == Kind::Peers).then(|| Listing::new(&self.shared, &socket_id)),
            },
            shared: Arc::clone(&self.shared),
        };
        self.shared.tasks.sessions.spawn(session.run());
        self.namespaces.insert(name, Namespace { wire });
        self.connect_by = None;
        let sid = match self.protocol {
            Protocol::V4 => json!({ "sid": socket_id }).to_string(),
            Protocol::V3 => String::new(),
        };
        self.push(message('0', name, &sid));
    }

    /// Whether the token opens every room; None: may not connect.
    fn admits(&self, kind: Kind, token: Option<&str>) -> Option<bool> {
        if kind != Kind::Peers {
            return Some(false);
        }
        let token = token?;
        let is_listed = Doors::is_signalling_token(&self.shared.config, token);
        (is_listed || self.shared.keys.verify(token).is_ok()).then_some(is_listed)
    }

    /// The client hears why; it may try another namespace.
    fn refuse(&mut self, name: &str, reason: &str) -> bool {
        let data = match self.protocol {
            Protocol::V4 => json!({ "message": reason }),
            Protocol::V3 => json!(reason),
        };
        self.push(message('4', name, &data.to_string()));
        true
    }

    fn pass_on(&mut self, name: &'static str, frame: Frame) {
        if let Some(namespace) = self.namespaces.get(name) {
            namespace.wire.written(len(&frame));
        }
        match frame {
            Frame::Text(event) => self.push(message('2', name, &event)),
            Frame::Binary(_) => debug_assert!(false, "events are text"),
        }
    }

    fn end_namespace(&mut self, name: &'static str) {
        self.namespaces.remove(name);
        self.push(message('1', name, ""));
        self.linger();
    }

    /// Clients close by themselves when the last namespace is done. One that finds the session closed instead takes it
    /// for a failure, and comes back.
    fn linger(&mut self) {
        if self.namespaces.is_empty() {
            self.connect_by = Some(Instant::now() + LINGER);
        }
    }

    /// What was said can still be fetched.
    fn leave(&mut self) {
        self.namespaces.clear();
        if self.socket.is_none() {
            self.push(CLOSE.to_owned());
        }
        self.phase = Phase::Leaving(Instant::now() + FAREWELL);
    }

    fn push(&mut self, packet: String) {
        self.outbox.push_back(packet);
    }

    fn flush(&mut self) {
        if let Some(socket) = &self.socket {
            while let Some(packet) = self.outbox.pop_front() {
                if socket.send(Frame::Text(packet)).is_err() {
                    Stats::count(&self.shared.stats.carriers_too_slow);
                    self.phase = Phase::Over;
                    return;
                }
            }
        } else if self.poll.is_some() {
            let is_upgrading = self.probe.as_ref().is_some_and(|probe| probe.is_answered);
            let packets: Vec<String> = self.outbox.drain(..).collect();
            if !packets.is_empty() {
                self.answer_poll(packets);
            } else if is_upgrading {
                // The client waits for its poll to end before it goes on.
                self.answer_poll(vec![NOOP.to_owned()]);
            }
        }
        if matches!(self.phase, Phase::Leaving(_)) && self.outbox.is_empty() {
            self.phase = Phase::Over;
        }
    }

    fn answer_poll(&mut self, packets: Vec<String>) {
        let Some(poll) = self.poll.take() else {
            return;
        };
        let count = u64::try_from(packets.len()).unwrap_or(u64::MAX);
        let out = &self.shared.stats.frames_out;
        out.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        if let Err(Some(unsent)) = poll.send(Some(packets)) {
            // Whoever polled has gone: the next one gets it.
            for packet in unsent.into_iter().rev().filter(|packet| packet != NOOP) {
                self.outbox.push_front(packet);
            }
        }
    }
}

async fn read(carrier: &mut Option<Carrier>) -> Option<Frame> {
    match carrier {
        Some(carrier) => carrier.recv().await,
        None => std::future::pending().await,
    }
}

async fn read_probe(probe: &mut Option<Probe>) -> Option<Frame> {
    match probe {
        Some(probe) => probe.carrier.recv().await,
        None => std::future::pending().await,
    }
}

/// What any door says next; never ready while there are none. Cancel safe.
async fn hear(namespaces: &mut BTreeMap<&'static str, Namespace>) -> (&'static str, Option<Frame>) {
    poll_fn(|context| {
        for (name, namespace) in &mut *namespaces {
            // Cut: its door is over, what it said last need not arrive.
            if namespace.wire.cut.is_cancelled() {
                return Poll::Ready((*name, None));
            }
            if let Poll::Ready(frame) = pin!(namespace.wire.next()).poll(context) {
                return Poll::Ready((*name, frame));
            }
        }
        Poll::Pending
    })
    .await
}
