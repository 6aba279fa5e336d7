//! One publisher, N subscribers: CPU time of the media thread for each packet that it sent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use madang_server::media::{Media, MediaConfig, PeerEvents, PeerPort, PeerRequests};
use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, DataForm, Event, Grant, Identity, Join, MsidStyle, Offerer,
    PeerId, PeerKind, Request, RoomId, RoomInfo, RoomName, ShardId, ShardSet,
};
use tokio::sync::mpsc;

use crate::Forward;
use crate::cpu;
use crate::floor::{self, Sending};
use crate::site::Site;
use crate::words::{Number, Order, PUBLISHER, Word};

pub(crate) const PACKETS_PER_FRAME: u32 = 6;
pub(crate) const PAYLOAD_BYTES: usize = 1_100;
pub(crate) const FRAMES_PER_SECOND: u32 = 30;

const MEDIA_THREAD: &str = "media-0";
const MAIN: ConnectionKey = ConnectionKey(0);
/// Handshakes going on at once.
const JOINING_MAX: u32 = 32;
const PATIENCE: Duration = Duration::from_secs(60);
/// Until the histories for retransmission are as long as they get.
const WARM_UP: Duration = Duration::from_secs(3);

/// CPU time, and for how many packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) cpu: Duration,
    pub(crate) packets: u64,
}

impl Rate {
    pub(crate) fn us_per_packet(&self) -> f64 {
        let packets = u32::try_from(self.packets).map_or(f64::INFINITY, f64::from);
        self.cpu.as_secs_f64() * 1e6 / packets
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) subscribers: u32,
    pub(crate) ours: Rate,
    pub(crate) floor_gso: Rate,
    pub(crate) floor_one_by_one: Rate,
    /// Datagrams for each system call of ours.
    pub(crate) group: f64,
    pub(crate) memory_bytes_per_subscriber: u64,
}

pub(crate) fn measure(site: &Site, forward: &Forward) -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let time = Duration::from_secs(forward.seconds);
    let mut rows = Vec::new();
    for subscribers in &forward.numbers {
        let mut row = runtime.block_on(ours(site, *subscribers, time))?;
        site.sink()?;
        let floor =
            |sending| floor::measure(site.server, site.subscribers, *subscribers, sending, time);
        row.floor_gso = floor(Sending::Gso)?;
        row.floor_one_by_one = floor(Sending::OneByOne)?;
        site.unsink()?;
        let (ours, gso) = (row.ours.us_per_packet(), row.floor_gso.us_per_packet());
        eprintln!(
            "{subscribers} subscribers: {ours:.2} µs a packet, {:.2} times the floor",
            ours / gso
        );
        rows.push(row);
    }
    Ok(rows)
}

async fn ours(site: &Site, subscribers: u32, time: Duration) -> anyhow::Result<Row> {
    let mut config = MediaConfig {
        udp_port: 0,
        bind: vec![site.server],
        shards: 1,
        ..MediaConfig::default()
    };
    config.core.connect_timeout = PATIENCE;
    config.core.reconnect_timeout = PATIENCE;
    let media = Media::start(config).await?;
    let memory_before = cpu::memory_bytes()?;
    let stage = play(site, &media, subscribers).await?;
    let memory = cpu::memory_bytes()?.saturating_sub(memory_before);
    eprintln!("{subscribers} subscribers have packets: measuring");
    let (start, core_before, path_before) = snapshot(&media).await?;
    tokio::time::sleep(time).await;
    let (end, core, path) = snapshot(&media).await?;
    let packets = core.rtp_out - core_before.rtp_out;
    let expected =
        u64::from(subscribers) * u64::from(PACKETS_PER_FRAME * FRAMES_PER_SECOND) * time.as_secs();
    if packets < expected / 4 || path.dropped_send_queue + path.send_failed > 0 {
        bail!("only {packets} of {expected} packets were forwarded: {core:?} {path:?}");
    }
    if packets < expected * 9 / 10 {
        eprintln!(
            "the machine is busy: {packets} of {expected} packets were sent and forwarded in time"
        );
    }
    let (sent, groups) = (
        path.sent - path_before.sent,
        path.sent_groups - path_before.sent_groups,
    );
    stage.end()?;
    media.stop().await;
    site.unsink()?;
    let nothing = Rate {
        cpu: Duration::ZERO,
        packets: 0,
    };
    Ok(Row {
        subscribers,
        ours: Rate {
            cpu: end.saturating_sub(start),
            packets,
        },
        floor_gso: nothing,
        floor_one_by_one: nothing,
        group: f64::from(u32::try_from(sent)?) / f64::from(u32::try_from(groups)?),
        memory_bytes_per_subscriber: memory / u64::from(subscribers),
    })
}

/// Everybody joins and gets packets; then the subscribers are gone, without a word to the server.
async fn play(site: &Site, media: &Media, subscribers: u32) -> anyhow::Result<Stage> {
    let mut stage = Stage::start(site, media)?;
    stage.join(PUBLISHER, Offerer::Client)?;
    stage.say(&Order::Publish { ip: site.publisher })?;
    stage
        .until("the publisher's connection", |state| state.connected == 1)
        .await?;
    let mut joined = 0;
    while joined < subscribers {
        let batch = JOINING_MAX.min(subscribers - joined);
        for number in joined + 1..=joined + batch {
            stage.say(&Order::Watch {
                number,
                ip: site.subscribers,
            })?;
            stage.join(number, Offerer::Server)?;
        }
        joined += batch;
        stage
            .until("connections", |state| {
                state.connected == 1 + joined && state.subscribed == joined
            })
            .await?;
    }
    stage.say(&Order::Send {
        frames_per_second: FRAMES_PER_SECOND,
        packets: PACKETS_PER_FRAME,
        payload_bytes: PAYLOAD_BYTES,
    })?;
    stage
        .until("the first packets", |state| state.received == subscribers)
        .await?;
    stage.say(&Order::Freeze)?;
    site.sink()?;
    stage.until("silence", |state| state.frozen).await?;
    tokio::time::sleep(WARM_UP).await;
    Ok(stage)
}

async fn snapshot(
    media: &Media,
) -> anyhow::Result<(
    Duration,
    madang_sfu::Counters,
    madang_server::media::PathCounters,
)> {
    let all = media.counters().await;
    let (_, core, path) = all.first().context("the media thread is gone")?;
    Ok((cpu::of_thread(MEDIA_THREAD)?, *core, *path))
}

/// How far the clients are.
#[derive(Debug, Default)]
struct State {
    connected: u32,
    subscribed: u32,
    received: u32,
    frozen: bool,
}

enum News {
    Word(Word),
    Subscribed,
}

/// The room with its members: their sessions here, their connections in the other process.
struct Stage {
    media: Media,
    clients: Child,
    orders: Arc<Mutex<ChildStdin>>,
    news: mpsc::UnboundedReceiver<News>,
    tell: mpsc::UnboundedSender<News>,
    requests: Vec<(Number, PeerRequests)>,
    sessions: Vec<tokio::task::JoinHandle<()>>,
    state: State,
}

impl Stage {
    fn start(site: &Site, media: &Media) -> anyhow::Result<Self> {
        let mut clients = site
            .clients()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = clients.stdin.take().context("piped")?;
        let words = clients.stdout.take().context("piped")?;
        let (tell, news) = mpsc::unbounded_channel();
        let from_clients = tell.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(words).lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(word) => {
                        if from_clients.send(News::Word(word)).is_err() {
                            return;
                        }
                    }
                    Err(error) => eprintln!("the clients say {line}: {error}"),
                }
            }
        });
        Ok(Self {
            media: media.clone(),
            clients,
            orders: Arc::new(Mutex::new(orders)),
            news,
            tell,
            requests: Vec::new(),
            sessions: Vec::new(),
            state: State::default(),
        })
    }

    fn say(&self, order: &Order) -> anyhow::Result<()> {
        say(&self.orders, order)
    }

    fn join(&mut self, number: Number, offerer: Offerer) -> anyhow::Result<()> {
        let id = PeerId(u64::from(number) + 1);
        let PeerPort { requests, events } = self.media.attach(ShardId(0), id);
        let join = join_of(room_of(1), id, offerer == Offerer::Server);
        requests.send(Request::Join(Box::new(join)))?;
        requests.send(Request::Open {
            connection: MAIN,
            options: ConnectionOptions {
                offerer,
                publish: offerer == Offerer::Client,
                subscribe: offerer == Offerer::Server,
                primary: true,
                publish_unannounced: true,
                answers_ahead: false,
                bitrate_max_bps: None,
                channels: Vec::new(),
            },
        })?;
        self.requests.push((number, requests));
        let session = listen(number, events, Arc::clone(&self.orders), self.tell.clone());
        self.sessions.push(tokio::spawn(session));
        Ok(())
    }

    async fn until(&mut self, what: &str, done: impl Fn(&State) -> bool) -> anyhow::Result<()> {
        let start = Instant::now();
        while !done(&self.state) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let news = tokio::time::timeout(left, self.news.recv()).await;
            let news = news.with_context(|| format!("never came: {what}; {:?}", self.state))?;
            self.hear(news.context("the clients are gone")?)?;
        }
        Ok(())
    }

    fn hear(&mut self, news: News) -> anyhow::Result<()> {
        let word = match news {
            News::Subscribed => {
                self.state.subscribed += 1;
                return Ok(());
            }
            News::Word(word) => word,
        };
        match word {
            Word::Offer { sdp } => self.request(
                PUBLISHER,
                Request::Offer {
                    connection: MAIN,
                    sdp,
                    number: 1,
                },
            )?,
            Word::Answer { number, sdp, offer } => {
                self.request(
                    number,
                    Request::Answer {
                        connection: MAIN,
                        sdp,
                        number: offer,
                    },
                )?;
            }
            Word::Connected { .. } => self.state.connected += 1,
            Word::Received { .. } => self.state.received += 1,
            Word::Frozen => self.state.frozen = true,
        }
        Ok(())
    }

    fn request(&self, number: Number, request: Request) -> anyhow::Result<()> {
        let found = self.requests.iter().find(|(other, _)| *other == number);
        let (_, requests) = found.context("a word of nobody")?;
        Ok(requests.send(request)?)
    }

    fn end(mut self) -> anyhow::Result<()> {
        for session in &self.sessions {
            session.abort();
        }
        self.clients.kill()?;
        self.clients.wait()?;
        Ok(())
    }
}

/// A member's session with the core: it passes on what the connection needs.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a benchmark of the packet path, not a dialect"
)]
async fn listen(
    number: Number,
    mut events: PeerEvents,
    orders: Arc<Mutex<ChildStdin>>,
    tell: mpsc::UnboundedSender<News>,
) {
    while let Some(event) = events.recv().await {
        let order = match event {
            Event::Offer {
                sdp, number: offer, ..
            } => Order::Offer { number, sdp, offer },
            Event::Answer { sdp, .. } => Order::Answer { sdp },
            Event::Subscribed { .. } => {
                // Nobody counts any more at the end.
                tell.send(News::Subscribed).ok();
                continue;
            }
            Event::Refused { request, refusal } => {
                eprintln!("{request:?}: {refusal}");
                continue;
            }
            _ => continue,
        };
        if let Err(error) = say(&orders, &order) {
            eprintln!("the clients are gone: {error:#}");
            return;
        }
    }
}

fn say(orders: &Mutex<ChildStdin>, order: &Order) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    let mut orders = orders.lock().ok().context("nobody panics with it")?;
    orders.write_all(&line)?;
    Ok(orders.flush()?)
}

/// Of somebody who may do everything.
pub(crate) fn join_of(room: Arc<RoomInfo>, id: PeerId, auto_subscribe: bool) -> Join {
    Join {
        room,
        shards: ShardSet::default(),
        identity: Identity::new(&id.to_string()),
        name: String::new(),
        metadata: String::new(),
        attributes: std::collections::BTreeMap::new(),
        kind: PeerKind(0),
        grant: Grant::everything(),
        auto_subscribe,
        form: DataForm(1),
        msid: MsidStyle::PeerAndTrack,
        annotation: Bytes::new(),
    }
}

pub(crate) fn room_of(id: u64) -> Arc<RoomInfo> {
    Arc::new(RoomInfo {
        id: RoomId(id),
        name: RoomName::new(&format!("hall {id}")),
        metadata: String::new(),
        created_wall_ms: 0,
        peers_max: None,
        empty_timeout_s: 60,
        departure_timeout_s: 60,
    })
}
