//! The whole server: started, reached, stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use madang_sfu::api::{Entropy as _, LeaveReason, Request};
use madang_signalling::livekit::ServerInfo;
use tokio::time::{interval, timeout};

use crate::auth::Keys;
use crate::config::{Bind, Config};
use crate::directory::Directory;
use crate::doors::{Compat, CompatError, Doors};
use crate::http::{self, Files, Joins, Listeners, Shared, Tasks};
use crate::media::{Media, MediaConfig, OsSeeded};
use crate::stats::Stats;
use crate::time::now;

/// How exactly rooms end.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Each part of stopping. All together stay below five seconds.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(1_200);

/// A running server.
#[derive(Debug)]
pub struct App {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    compat: Vec<(&'static str, Vec<SocketAddr>)>,
}

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] http::ListenError),
    #[error(transparent)]
    Compat(#[from] CompatError),
    #[error(transparent)]
    Media(#[from] crate::media::MediaError),
    #[error("the system gives no random numbers: {0}")]
    Entropy(getrandom::Error),
}

impl App {
    /// Binds the ports, then serves in tasks of the present runtime.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let listeners = Listeners::bind(&config.bind, config.port)?;
        let addresses = listeners.addresses();
        let compat_listeners = Compat::bind(&config)?;
        let compat = compat_listeners.addresses();
        let media = Media::start(media_config(&config)).await?;
        let mut entropy = OsSeeded::new().map_err(StartError::Entropy)?;
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
            stats: Arc::new(Stats::default()),
            doors: Doors::new(),
            files,
            server,
            tasks: Tasks::default(),
            started: Instant::now(),
        });
        http::serve(listeners, &http::router(&shared), &shared, None);
        compat_listeners.serve(&shared);
        shared.tasks.connections.spawn(sweep(Arc::clone(&shared)));
        Ok(Self {
            shared,
            addresses,
            compat,
        })
    }

    /// Where it listens for TCP.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The ports for older programs: which program, and where it listens for TCP.
    pub fn compat_addresses(&self) -> &[(&'static str, Vec<SocketAddr>)] {
        &self.compat
    }

    /// How the app is reached from this machine.
    pub fn url(&self) -> String {
        let port = self.addresses.first().map_or(0, SocketAddr::port);
        let is_local =
            |address: &SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
        match self.addresses.first() {
            Some(address) if !self.addresses.iter().any(is_local) => format!("http://{address}"),
            Some(_) | None => format!("http://localhost:{port}"),
        }
    }

    pub fn udp_port(&self) -> u16 {
        self.shared.media.local_port()
    }

    /// What clients are told to send media to.
    pub fn candidates(&self) -> &[SocketAddr] {
        self.shared.media.candidates()
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

fn media_config(config: &Config) -> MediaConfig {
    MediaConfig {
        udp_port: config.udp_port,
        bind: media_bind(&config.bind),
        shards: config.shards,
        announce: config.announce.clone(),
        ..MediaConfig::default()
    }
}

/// Media is accepted only from who was let in by signalling, so in development mode too its port listens everywhere
/// unless somebody chose addresses: browsers do not pair their addresses with a loopback one.
fn media_bind(bind: &Bind) -> Vec<std::net::IpAddr> {
    if bind.is_default {
        Vec::new()
    } else {
        bind.addresses.clone()
    }
}
