//! The whole server: started, reached, stopped.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_sfu::api::{Entropy as _, LeaveReason, Request};
use madang_signalling::livekit::ServerInfo;
use tokio::time::{interval, timeout};

use crate::auth::Keys;
use crate::config::{Bind, CertificateSource, Config, TurnPeers, TurnUdp};
use crate::directory::Directory;
use crate::doors::{Compat, CompatError, Doors};
use crate::http::{self, Files, Https, Joins, Listeners, Shared, Tasks, Unencrypted, to_https};
use crate::media::{Media, MediaConfig, OsSeeded, Peers, RelayConfig};
use crate::stats::Stats;
use crate::time::now;
use crate::tls::{Tls, TlsError, lan_addresses};

/// How exactly rooms end.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Each part of stopping. All together stay below five seconds.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(1_200);

/// Of a machine with many interfaces.
const LAN_URLS_MAX: usize = 4;

/// A running server.
#[derive(Debug)]
pub struct App {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    turn: Vec<SocketAddr>,
    compat: Vec<(&'static str, Vec<SocketAddr>)>,
}

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{key}: {error}")]
    Listen {
        key: &'static str,
        error: http::ListenError,
    },
    #[error(transparent)]
    Compat(#[from] CompatError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Media(#[from] crate::media::MediaError),
    #[error("the system gives no random numbers: {0}")]
    Entropy(getrandom::Error),
}

impl App {
    /// Binds the ports, then serves in tasks of the present runtime.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let ports = Ports::bind(&config)?;
        let of = |listeners: &Option<Listeners>| {
            listeners
                .as_ref()
                .map_or_else(Vec::new, Listeners::addresses)
        };
        let (addresses, compat) = (ports.main.addresses(), ports.compat.addresses());
        let (https, http, turn) = (of(&ports.https), of(&ports.http), of(&ports.turn));
        let stats = Arc::new(Stats::default());
        let opened = Tls::open(&config, ports.compat.is_tls(), &stats)?;
        let (tls, keeper) = opened.unzip();
        let mut entropy = OsSeeded::new().map_err(StartError::Entropy)?;
        let is_relaying = config.turn.enabled;
        let media = Media::start(MediaConfig {
            relay: is_relaying.then(|| relay_config(&config, &ports, &mut entropy)),
            relay_udp: if is_relaying {
                config.turn.udp
            } else {
                TurnUdp::Off
            },
            tcp_ports: ports.of_media(&config),
            ..media_config(&config)
        });
        let media = media.await?;
        let server = ServerInfo {
            node_id: format!("ND_{:016x}", entropy.next_u64()),
            debug_info: format!("madang {}", env!("CARGO_PKG_VERSION")),
            ..ServerInfo::default()
        };
        let directory = Directory::new(
            config.rooms.clone(),
            config.limits.sessions_max,
            media.shards(),
            Box::new(entropy),
        );
        let files = config
            .web
            .dir
            .clone()
            .map_or_else(Files::embedded, Files::folder);
        let shared = Arc::new(Shared {
            keys: Keys::new(&config.keys),
            joins: Joins::new(config.limits.joins_per_ip_per_minute),
            config,
            directory,
            media,
            stats,
            doors: Doors::new(),
            files,
            tls: tls.map(Arc::new),
            server,
            tasks: Tasks::default(),
            started: Instant::now(),
        });
        ports.serve(&shared);
        let tasks = &shared.tasks;
        if let Some((tls, keeper)) = shared.tls.as_ref().zip(keeper) {
            keeper.keep(tls, &tasks.connections, &tasks.stopping);
        }
        tasks.connections.spawn(sweep(Arc::clone(&shared)));
        Ok(Self {
            shared,
            addresses,
            https,
            http,
            turn,
            compat,
        })
    }

    /// Where it listens for TCP: the main port.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A port for HTTPS besides the main one.
    pub fn https_addresses(&self) -> &[SocketAddr] {
        &self.https
    }

    /// A port whose visitors are sent on to HTTPS.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http
    }

    /// Where clients of the relay may come by TCP.
    pub fn turn_addresses(&self) -> &[SocketAddr] {
        &self.turn
    }

    /// The SHA-256 of the certificate that browsers are shown now. None: the app is served without TLS.
    pub fn fingerprint(&self) -> Option<String> {
        let tls = self.shared.tls.as_ref().filter(|_| self.is_secure())?;
        tls.certificates().shown().map(|shown| shown.fingerprint())
    }

    /// Is the app served over HTTPS?
    fn is_secure(&self) -> bool {
        self.config().tls.source != CertificateSource::None
    }

    /// The ports for older programs: which program, and where it listens for TCP.
    pub fn compat_addresses(&self) -> &[(&'static str, Vec<SocketAddr>)] {
        &self.compat
    }

    /// How the app is reached: by its name, else from this machine.
    pub fn url(&self) -> String {
        let (scheme, addresses) = match (self.is_secure(), self.https.is_empty()) {
            (true, false) => ("https", &self.https),
            (true, true) => ("https", &self.addresses),
            (false, _) => ("http", &self.addresses),
        };
        let port = addresses.first().map_or(0, SocketAddr::port);
        if let Some(domain) = self.config().domain.as_ref().filter(|_| self.is_secure()) {
            return match port {
                443 => format!("https://{domain}"),
                port => format!("https://{domain}:{port}"),
            };
        }
        let is_local =
            |address: &SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
        match addresses.first() {
            Some(address) if !addresses.iter().any(is_local) => format!("{scheme}://{address}"),
            Some(_) | None => format!("{scheme}://localhost:{port}"),
        }
    }

    /// How the app is reached from other machines of the network.
    pub fn lan_urls(&self) -> Vec<String> {
        let is_everywhere = self
            .config()
            .bind
            .addresses
            .iter()
            .any(IpAddr::is_unspecified);
        let url = self.url();
        let (scheme, port) = (
            url.split(':').next().unwrap_or_default(),
            url.rsplit(':').next().unwrap_or_default(),
        );
        let addresses = lan_addresses().filter(|_| is_everywhere);
        let v4 = addresses.filter(IpAddr::is_ipv4).take(LAN_URLS_MAX);
        v4.map(|ip| format!("{scheme}://{ip}:{port}")).collect()
    }

    pub fn udp_port(&self) -> u16 {
        self.shared.media.local_port()
    }

    /// Of STUN and TURN alone. None: they are at the media port.
    pub fn turn_udp_port(&self) -> Option<u16> {
        self.shared.media.relay_port()
    }

    /// What clients are told to send media to.
    pub fn candidates(&self) -> &[SocketAddr] {
        self.shared.media.candidates()
    }

    /// The public addresses that the STUN server told us.
    pub fn found_addresses(&self) -> &[IpAddr] {
        self.shared.media.found()
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Tells everybody, lets them go, frees the ports.
    pub async fn stop(self) {
        let (shared, tasks) = (&self.shared, &self.shared.tasks);
        tasks.stopping.cancel();
        for session in shared.directory.everybody() {
            session.request(Request::Remove {
                reason: LeaveReason::Shutdown,
            });
        }
        tasks.sessions.close();
        let sessions = timeout(GOODBYE_TIMEOUT, tasks.sessions.wait()).await;
        // Ends the sessions that are left: their shard is gone.
        shared.media.stop().await;
        tasks.carriers.close();
        let carriers = timeout(GOODBYE_TIMEOUT, tasks.carriers.wait()).await;
        tasks.connections.close();
        let connections = timeout(GOODBYE_TIMEOUT, tasks.connections.wait()).await;
        if sessions.is_err() || carriers.is_err() || connections.is_err() {
            tracing::warn!(
                sessions = tasks.sessions.len(),
                carriers = tasks.carriers.len(),
                connections = tasks.connections.len(),
                "stopped before everybody said goodbye"
            );
        }
    }
}

/// Everything that listens for TCP.
#[derive(Debug)]
struct Ports {
    main: Listeners,
    https: Option<Listeners>,
    http: Option<Listeners>,
    turn: Option<Listeners>,
    compat: Compat,
}

impl Ports {
    fn bind(config: &Config) -> Result<Self, StartError> {
        let bind_at = |key, at: &Bind, port| {
            let bound = Listeners::bind(at, port);
            bound.map_err(|error| StartError::Listen { key, error })
        };
        let bind = |key, port| bind_at(key, &config.bind, port);
        let turn = &config.turn;
        let tls = &config.tls;
        Ok(Self {
            main: bind("port (--port)", config.port)?,
            https: tls
                .https_port
                .map(|port| bind("tls.https_port", port))
                .transpose()?,
            http: tls
                .http_port
                .map(|port| bind("tls.http_port", port))
                .transpose()?,
            turn: (turn.enabled || config.ice_tcp)
                .then(|| bind_at("turn.tcp_port", &config.bind.of_media(), turn.tcp_port))
                .transpose()?,
            compat: Compat::bind(config)?,
        })
    }

    /// Where TLS is spoken with everybody: the port with the address that is easiest to reach.
    fn secure(&self, config: &Config) -> Vec<SocketAddr> {
        if config.tls.source == CertificateSource::None {
            return Vec::new();
        }
        self.https.as_ref().unwrap_or(&self.main).addresses()
    }

    /// Where media may come over TCP without a relay, those that cost the client least first.
    fn of_media(&self, config: &Config) -> Vec<u16> {
        let is_secure = config.tls.source != CertificateSource::None;
        let https = self.https.as_ref().filter(|_| is_secure);
        let listeners = [self.turn.as_ref(), https].into_iter().flatten();
        let first = |at: &Listeners| at.addresses().first().map(SocketAddr::port);
        let ports = listeners.filter_map(first).collect();
        if config.ice_tcp { ports } else { Vec::new() }
    }

    fn serve(self, shared: &Arc<Shared>) {
        let router = http::router(shared);
        let is_secure = shared.config.tls.source != CertificateSource::None;
        let https = self.https.as_ref().and_then(|https| {
            let first = https.addresses().first().copied()?;
            Some(Https::At(first.port()))
        });
        let main_port = self.main.addresses().first().map_or(0, SocketAddr::port);
        let secure = |tls: &Arc<Tls>, https: Https, media: bool| http::Port::Secure {
            tls: Arc::clone(tls),
            router: router.clone(),
            relays: shared.config.turn.enabled,
            media,
            unencrypted: Some(Unencrypted {
                here: router.clone(),
                elsewhere: to_https(shared, https),
            }),
        };
        match shared.tls.as_ref().filter(|_| is_secure) {
            Some(tls) => {
                let port = secure(tls, https.unwrap_or(Https::Here), false);
                http::serve(self.main, port, shared);
                if let Some(listeners) = self.https {
                    let port = secure(tls, Https::Here, shared.config.ice_tcp);
                    http::serve(listeners, port, shared);
                }
                if let Some(listeners) = self.http {
                    let https = https.unwrap_or(Https::At(main_port));
                    let port = http::Port::Plain(to_https(shared, https));
                    http::serve(listeners, port, shared);
                }
            }
            None => http::serve(self.main, http::Port::Plain(router), shared),
        }
        if let Some(listeners) = self.turn {
            let port = http::Port::Media {
                relays: shared.config.turn.enabled,
                media: shared.config.ice_tcp,
            };
            http::serve(listeners, port, shared);
        }
        self.compat.serve(shared.tls.as_ref(), shared);
    }
}

async fn sweep(shared: Arc<Shared>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            () = shared.tasks.stopping.cancelled() => return,
            _ = ticks.tick() => {
                shared.directory.sweep(now());
                shared.doors.uploads.sweep(now().instant);
            }
        }
    }
}

/// Without relaying.
pub(crate) fn media_config(config: &Config) -> MediaConfig {
    MediaConfig {
        udp_port: config.udp_port,
        bind: media_bind(&config.bind),
        shards: config.shards,
        announce: config.announce.clone(),
        stun_server: config.stun_server.clone(),
        interfaces: config.interfaces.clone(),
        ..MediaConfig::default()
    }
}

fn relay_config(config: &Config, ports: &Ports, entropy: &mut OsSeeded) -> RelayConfig {
    let turn = &config.turn;
    let secret = turn.secret.as_ref().map_or_else(
        || {
            let mut made = vec![0; 32];
            entropy.fill(&mut made);
            made
        },
        |secret| secret.reveal().as_bytes().to_vec(),
    );
    RelayConfig {
        realm: turn.realm.clone(),
        host: turn.host.clone(),
        tcp: ports
            .turn
            .as_ref()
            .map_or_else(Vec::new, Listeners::addresses),
        tls: ports.secure(config),
        tls_host: config.domain.clone(),
        secret,
        credentials_ttl: turn.credentials_ttl,
        allocations_max: turn.allocations_max,
        allocations_per_peer_max: turn.allocations_per_peer_max,
        bytes_per_second: turn.bytes_per_second,
        replies_per_source_per_second: turn.replies_per_source_per_second,
        peers: match turn.peers {
            TurnPeers::Room => Peers::Room,
            TurnPeers::Public => Peers::Public {
                allow: turn.allow.clone(),
                deny: turn.deny.clone(),
            },
            TurnPeers::Any => Peers::Any,
        },
        ports: turn.relay_ports.clone(),
        users: turn
            .users
            .iter()
            .map(|(name, password)| (name.clone(), password.reveal().to_owned()))
            .collect(),
        allocations_per_user_max: turn.allocations_per_user_max,
    }
}

pub(crate) fn media_bind(bind: &Bind) -> Vec<IpAddr> {
    if bind.is_default {
        Vec::new()
    } else {
        bind.addresses.clone()
    }
}
