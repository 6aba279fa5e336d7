//! The packet path: sockets, media threads and the rings between them, around one core for each thread.

mod addresses;
mod batch;
mod counters;
mod demux;
mod desk;
mod entropy;
mod framing;
mod group;
mod ice;
mod inbox;
mod peers;
mod port;
mod public;
mod relay;
mod relay_sockets;
mod relays;
mod ring;
mod shard;
mod stream;
mod udp;
mod ways;

#[cfg(test)]
mod testing;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use madang_sfu::api::{PeerId, RoomId, RoomState, ShardId, ShardSet};
use madang_sfu::{Counters, Sfu, owner_of_stun};
use madang_turn::Flow;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Interfaces, TurnUdp};

pub use addresses::CANDIDATES_MAX;
pub(crate) use addresses::{Addresses, Plan, Present, is_bridge, is_public, present};
pub use counters::PathCounters;
pub(crate) use framing::{Framing, Next};
pub use peers::Peers;
use peers::Place;
pub use port::{
    EVENTS_PENDING_MAX, Gone, PeerEvents, PeerPort, PeerRequests, REQUESTS_PENDING_MAX,
};
pub use relays::{FarEnd, RelayAccess, RelayConfig};
pub(crate) use stream::{StreamInput, StreamOutput, StreamPort};

use demux::{Demux, ROUTES_MAX};
pub(crate) use entropy::OsSeeded;
use ice::IceLine;
use port::Command;
use relay::Relay;
use relays::Relays;
use ring::{Ends, RING_PARCELS_MAX};
use shard::{Gauge, Parts, Shard};
use stream::LineId;
use udp::Sockets;
pub(crate) use udp::{SOCKET_BUFFER_BYTES, socket_buffers};

/// Where all media goes unless configured.
pub const UDP_PORT_DEFAULT: u16 = 7882;
/// A bug of ours ended a media thread, and with it the calls of hundreds: start again rather than hang.
const MEDIA_PANIC_EXIT_CODE: i32 = 70;

#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// 0: any free one.
    pub udp_port: u16,
    /// Where to listen. Empty: everywhere, IPv4 and IPv6.
    pub bind: Vec<IpAddr>,
    /// 1 … 64.
    pub shards: u8,
    /// What clients are told, when it is not what the interfaces have (behind a NAT).
    pub announce: Vec<IpAddr>,
    /// Asked for the public address, if none is announced: `host:port`.
    pub stun_server: Option<String>,
    /// Whose addresses clients are told.
    pub interfaces: Interfaces,
    /// Limits of each shard's core; its shard and candidates are filled in.
    pub core: madang_sfu::Config,
    /// None: STUN, and nothing is relayed.
    pub relay: Option<RelayConfig>,
    /// A UDP port for STUN and TURN beside that of media.
    pub relay_udp: TurnUdp,
    /// Where clients may come by TCP without a relay.
    pub tcp_ports: Vec<u16>,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            udp_port: UDP_PORT_DEFAULT,
            bind: Vec::new(),
            shards: 1,
            announce: Vec::new(),
            stun_server: None,
            interfaces: Interfaces::default(),
            core: madang_sfu::Config::new(ShardId(0), Vec::new()),
            relay: None,
            relay_udp: TurnUdp::Off,
            tcp_ports: Vec::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error(
        "UDP port {port} is in use ({address}). Stop what uses it (`ss -ulpn 'sport = :{port}'` shows it), or choose another port: --udp-port"
    )]
    PortInUse { address: SocketAddr, port: u16 },
    #[error("{ip} is not an address of this machine: --bind takes addresses of its interfaces")]
    NotOurs { ip: IpAddr },
    #[error(
        "cannot listen at UDP {address}: {source}. Choose another port (--udp-port) or address (--bind)"
    )]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error(
        "turn.udp_port: cannot listen at UDP {address}: {source}. Stop what uses it (`ss -ulpn 'sport = :{port}'` shows it), choose \
         another port, or say \"off\": then STUN and TURN are at the media port alone",
        port = address.port()
    )]
    RelayPort {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("no address that clients could reach: name one with --announce")]
    NoAddress,
    #[error("{0} media threads: --shards takes 1 to 64")]
    Shards(u8),
    #[error("the system gives no random numbers: {0}")]
    Entropy(getrandom::Error),
    #[error("cannot {what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

/// What a shard has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub shard: ShardId,
    pub peers: u64,
    pub connections: u64,
}

/// The media threads. They end when told to, or when the last handle and the last peer are gone.
#[derive(Debug, Clone)]
pub struct Media(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    addresses: Arc<Addresses>,
    /// By which addresses a STUN server sees us.
    found: Vec<IpAddr>,
    relays: Arc<Relays>,
    port: u16,
    relay_port: Option<u16>,
    shards: Vec<ShardHandle>,
    /// Streams go to one shard after the other.
    streams: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct ShardHandle {
    id: ShardId,
    commands: mpsc::UnboundedSender<Command>,
    gauge: Arc<Gauge>,
}

impl Media {
    /// Binds the port and starts the threads.
    pub async fn start(config: MediaConfig) -> Result<Self, MediaError> {
        if config.shards == 0 || config.shards > ShardSet::SHARDS_MAX {
            return Err(MediaError::Shards(config.shards));
        }
        let bound = udp::bind(config.udp_port, &config.bind, config.shards)?;
        let found = match &config.stun_server {
            Some(server) if config.announce.is_empty() => public::find(server, &bound.shards).await,
            Some(_) | None => Vec::new(),
        };
        let plan = Plan {
            bound: &bound.ips,
            announce: &config.announce,
            found: &found,
            interfaces: &config.interfaces,
            port: bound.port,
        };
        let addresses = Addresses::find(plan).map_err(|source| MediaError::System {
            what: "list network interfaces",
            source,
        })?;
        if addresses.candidates().is_empty() {
            return Err(MediaError::NoAddress);
        }
        let apart = relay_port(config.relay_udp, &bound.ips, config.shards)?;
        let relay_port = apart.as_ref().map(|apart| apart.port);
        let relays = relays(&config, &addresses, relay_port, &bound.ips)?;
        let addresses = Arc::new(addresses);
        let mut media = Inner {
            addresses: Arc::clone(&addresses),
            found,
            relays: Arc::clone(&relays),
            port: bound.port,
            relay_port,
            shards: Vec::new(),
            streams: AtomicUsize::new(0),
            threads: Mutex::default(),
        };
        let rings = ring::mesh(config.shards, RING_PARCELS_MAX);
        let mut threads = Vec::new();
        let mut apart = apart.into_iter().flat_map(|apart| apart.shards);
        for (id, (mut sockets, rings)) in
            (0..).map(ShardId).zip(bound.shards.into_iter().zip(rings))
        {
            sockets.extend(apart.next().unwrap_or_default());
            let (handle, thread) = start_shard(
                id,
                &config,
                (&addresses, Arc::clone(&relays)),
                sockets,
                rings,
            )
            .await?;
            media.shards.push(handle);
            threads.push(thread);
        }
        media.threads = Mutex::new(threads);
        log_addresses(&addresses, bound.port, config.shards);
        if let Some(port) = relay_port {
            tracing::info!(port, "STUN and TURN have a UDP port of their own");
        }
        if bound.receive_buffer_bytes < udp::SOCKET_BUFFER_BYTES {
            tracing::info!(
                bytes = bound.receive_buffer_bytes,
                wanted_bytes = udp::SOCKET_BUFFER_BYTES,
                "the system gives small socket buffers; for many clients raise net.core.rmem_max and net.core.wmem_max"
            );
        }
        Ok(Self(Arc::new(media)))
    }

    pub fn local_port(&self) -> u16 {
        self.0.port
    }

    /// Of STUN and TURN alone. None: they are at the media port.
    pub fn relay_port(&self) -> Option<u16> {
        self.0.relay_port
    }

    /// What clients are told, the likeliest first.
    pub fn candidates(&self) -> &[SocketAddr] {
        self.0.addresses.candidates()
    }

    /// The public addresses that the STUN server told us.
    pub fn found(&self) -> &[IpAddr] {
        &self.0.found
    }

    pub fn shards(&self) -> u8 {
        u8::try_from(self.0.shards.len()).expect("at most 64")
    }

    /// Registers a peer; its first request is `Join`. An unknown shard, or one that has stopped, ends the stay at once.
    pub fn attach(&self, shard: ShardId, peer: PeerId) -> PeerPort {
        match self.shard(shard) {
            Some(handle) => {
                self.0.relays.attach(peer);
                port::attach(&handle.commands, peer)
            }
            None => port::attach(&mpsc::unbounded_channel().0, peer),
        }
    }

    /// What this peer needs to have its media relayed; `reached`: the address of ours that it knows to work. None: nothing is
    /// relayed, or its stay is over.
    pub fn relay_access(
        &self,
        peer: PeerId,
        reached: Option<IpAddr>,
        far: FarEnd,
    ) -> Option<RelayAccess> {
        self.0.relays.issue(shard::now().wall, peer, reached, far)
    }

    /// A client of the relay came by TCP or TLS.
    pub(crate) fn open_stream(&self, flow: Flow) -> StreamPort {
        let turn = self.0.streams.fetch_add(1, Ordering::Relaxed);
        let shards = &self.0.shards;
        match shards.get(turn % shards.len().max(1)) {
            Some(handle) => StreamPort::open(&handle.commands, LineId::Relay(flow)),
            None => StreamPort::open(&mpsc::unbounded_channel().0, LineId::Relay(flow)),
        }
    }

    /// A client came by TCP without a relay; `check`: what it said first. None: that is for no connection of ours.
    pub(crate) fn open_ice(
        &self,
        check: &[u8],
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<StreamPort> {
        let (shard, slot) = owner_of_stun(check)?;
        let handle = self.shard(shard)?;
        let candidate = self.0.addresses.arrived_at(local.ip())?;
        let line = IceLine {
            slot,
            local: SocketAddr::new(candidate.ip(), local.port()),
            remote,
        };
        Some(StreamPort::open(&handle.commands, LineId::Ice(line)))
    }

    /// Of the shards that run.
    pub async fn relay_counters(&self) -> Vec<(ShardId, madang_turn::Counters)> {
        let mut all = Vec::new();
        for handle in &self.0.shards {
            let (reply, answer) = oneshot::channel();
            let command = Command::RelayCounters { reply };
            if handle.commands.send(command).is_ok()
                && let Ok(counters) = answer.await
            {
                all.push((handle.id, counters));
            }
        }
        all
    }

    /// A room as this shard knows it.
    pub async fn room(&self, shard: ShardId, room: RoomId) -> Option<RoomState> {
        let (reply, answer) = oneshot::channel();
        let handle = self.shard(shard)?;
        handle.commands.send(Command::Room { room, reply }).ok()?;
        answer.await.ok()?
    }

    /// Of the shards that run.
    pub async fn counters(&self) -> Vec<(ShardId, Counters, PathCounters)> {
        let mut all = Vec::new();
        for handle in &self.0.shards {
            let (reply, answer) = oneshot::channel();
            if handle.commands.send(Command::Counters { reply }).is_ok()
                && let Ok((core, path)) = answer.await
            {
                all.push((handle.id, core, path));
            }
        }
        all
    }

    /// Cheap: to choose a shard by.
    pub fn load(&self) -> Vec<Load> {
        let shards = self.0.shards.iter();
        shards
            .map(|handle| Load {
                shard: handle.id,
                peers: handle.gauge.peers.load(Ordering::Relaxed),
                connections: handle.gauge.connections.load(Ordering::Relaxed),
            })
            .collect()
    }

    /// Tells every peer, lets connections say goodbye, ends the threads and frees the port.
    pub async fn stop(&self) {
        for handle in &self.0.shards {
            // It may have been told before.
            handle.commands.send(Command::Stop).ok();
        }
        let threads = std::mem::take(
            &mut *self
                .0
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A panic of it has ended the process.
                thread.join().ok();
            }
        });
        joined.await.ok();
    }

    fn shard(&self, shard: ShardId) -> Option<&ShardHandle> {
        self.0.shards.get(usize::from(shard.0))
    }
}

fn log_addresses(addresses: &Addresses, port: u16, shards: u8) {
    let joined = |texts: Vec<String>| texts.join(" ");
    let candidates = addresses.candidates().iter();
    let candidates = joined(candidates.map(SocketAddr::to_string).collect());
    tracing::info!(port, shards, %candidates, "media port open");
    let left_out = addresses.left_out().iter();
    let left_out = joined(left_out.map(|p| format!("{}={}", p.name, p.ip)).collect());
    if !left_out.is_empty() {
        tracing::info!(
            %left_out,
            "clients are not told these addresses: bridges of containers, link-local, or excluded. interfaces.include asks for them"
        );
    }
}

/// A port that was asked for must be had.
fn relay_port(
    wanted: TurnUdp,
    ips: &[IpAddr],
    shards: u8,
) -> Result<Option<udp::Bound>, MediaError> {
    let Some(port) = wanted.port() else {
        return Ok(None);
    };
    let error = match udp::bind(port, ips, shards) {
        Ok(bound) => return Ok(Some(bound)),
        Err(error) => error,
    };
    if wanted == TurnUdp::IfFree {
        tracing::info!(
            port,
            "STUN and TURN have no UDP port of their own, as another program has this one: clients are told that of media. turn.udp_port chooses another"
        );
        return Ok(None);
    }
    let (address, source) = match error {
        MediaError::PortInUse { address, .. } => (address, io::ErrorKind::AddrInUse.into()),
        MediaError::Bind { address, source } => (address, source),
        other @ (MediaError::NotOurs { .. }
        | MediaError::RelayPort { .. }
        | MediaError::NoAddress
        | MediaError::Shards(_)
        | MediaError::Entropy(_)
        | MediaError::System { .. }) => return Err(other),
    };
    Err(MediaError::RelayPort { address, source })
}

fn relays(
    config: &MediaConfig,
    addresses: &Addresses,
    udp_port: Option<u16>,
    bound: &[IpAddr],
) -> Result<Arc<Relays>, MediaError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(MediaError::Entropy)?;
    let relay = config.relay.clone();
    let present = present().map_err(|source| MediaError::System {
        what: "list network interfaces",
        source,
    })?;
    let own: Vec<IpAddr> = present.iter().map(|present| present.ip).collect();
    let place = Place {
        candidates: addresses.candidates(),
        udp_port,
        own: &own,
        bound,
    };
    Ok(Relays::new(relay, secret, place))
}

fn core(id: ShardId, config: &MediaConfig, addresses: &Addresses) -> madang_sfu::Config {
    madang_sfu::Config {
        shard: id,
        candidates: addresses.candidates().to_vec(),
        tcp_candidates: addresses.tcp_candidates(&config.tcp_ports),
        ..config.core.clone()
    }
}

async fn start_shard(
    id: ShardId,
    config: &MediaConfig,
    (addresses, relays): (&Arc<Addresses>, Arc<Relays>),
    sockets: Vec<std::net::UdpSocket>,
    rings: Ends,
) -> Result<(ShardHandle, JoinHandle<()>), MediaError> {
    let (commands, queue) = mpsc::unbounded_channel();
    let gauge = Arc::new(Gauge::default());
    let entropy = Box::new(OsSeeded::new().map_err(MediaError::Entropy)?);
    let core = core(id, config, addresses);
    let receives = udp::is_port_shared() || id == ShardId(0);
    let shards = config.shards;
    let handle = ShardHandle {
        id,
        commands,
        gauge: Arc::clone(&gauge),
    };
    let addresses = Arc::clone(addresses);
    let (started, start) = oneshot::channel();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error))),
        };
        runtime.block_on(async move {
            let sockets = match Sockets::new(sockets, receives) {
                Ok(sockets) => sockets,
                Err(error) => return drop(started.send(Err(error))),
            };
            let relay = match Relay::new(relays, id, shards) {
                Ok(relay) => relay,
                Err(error) => return drop(started.send(Err(error))),
            };
            let shard = Shard::new(Parts {
                id,
                sfu: Sfu::new(shard::now(), core, entropy),
                sockets,
                addresses,
                demux: Demux::new(id, shards, ROUTES_MAX),
                relay,
                rings,
                commands: queue,
                gauge,
            });
            drop(started.send(Ok(())));
            shard.run().await;
        });
    };
    let thread = std::thread::Builder::new()
        .name(format!("media-{}", id.0))
        .spawn(move || {
            if std::panic::catch_unwind(AssertUnwindSafe(run)).is_err() {
                tracing::error!(shard = id.0, "a media thread panicked: the server ends");
                std::process::exit(MEDIA_PANIC_EXIT_CODE);
            }
        })
        .map_err(|source| MediaError::System {
            what: "start a media thread",
            source,
        })?;
    let system = |source| MediaError::System {
        what: "open the media sockets",
        source,
    };
    match start.await {
        Ok(Ok(())) => Ok((handle, thread)),
        Ok(Err(source)) => Err(system(source)),
        Err(_) => Err(system(io::Error::other("the thread ended"))),
    }
}

#[cfg(test)]
mod tests;
