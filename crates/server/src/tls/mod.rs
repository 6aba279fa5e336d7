//! TLS: whose certificate is shown, where it comes from, and what handshakes may cost.

mod acme;
mod files;
mod identity;
mod own;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{CertificateSource, Config};
use crate::http::ByIp;
use crate::stats::Stats;

pub(crate) use self::acme::Challenges;
use self::acme::Renewal;
use self::files::{Files, Watch};
pub(crate) use self::identity::Identity;
pub use self::identity::IdentityError;
pub(crate) use self::own::lan_addresses;

/// From the first byte to the end of the handshake. A round trip of a phone may take a second, and one in ten is lost.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Of all handshakes, so many may be of one address.
const SHARE_OF_IP: u32 = 8;
/// WebSockets are spoken here, and browsers open those over HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("tls: {error}")]
    Files { error: IdentityError },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the certificate that was made here: {error}")]
    Own { error: IdentityError },
    #[error(
        "tls.cache: there is no usual place for what must outlive a restart (neither STATE_DIRECTORY nor HOME is set). Name a folder"
    )]
    NoCache,
    #[error("TLS cannot be used: {0}")]
    Use(rustls::Error),
}

/// Turns TCP connections into TLS ones.
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    challenges: Arc<Challenges>,
    handshakes: Semaphore,
    handshakes_of_ip: ByIp,
    handshakes_of_ip_max: u32,
    stats: Arc<Stats>,
}

/// The certificate that is shown now.
#[derive(Debug, Default)]
pub(crate) struct Certificates(RwLock<Option<Arc<Identity>>>);

/// What keeps the certificate good, until the server stops.
#[derive(Debug)]
pub(crate) enum Keeper {
    /// It is good for as long as the server runs.
    None,
    Files(Watch),
    Acme(Renewal),
}

/// What became of a handshake.
enum Shaken {
    Done(Box<TlsStream<TcpStream>>),
    /// A certificate authority saw what it wanted to see.
    Proved,
    /// There are too many at present.
    Full,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// None: nothing here speaks TLS. `is_needed`: something does, also where the settings say nothing of a certificate.
    pub(crate) fn open(
        config: &Config,
        is_needed: bool,
        stats: &Arc<Stats>,
    ) -> Result<Option<(Self, Keeper)>, TlsError> {
        let certificates = Arc::new(Certificates::default());
        let challenges = Arc::new(Challenges::default());
        let mut keeper = Keeper::None;
        let identity = match &config.tls.source {
            CertificateSource::None if !is_needed => return Ok(None),
            CertificateSource::None => Some(own::passing(&own::names(config))?),
            CertificateSource::SelfSigned => Some(own::kept(&cache(config)?, &own::names(config))?),
            CertificateSource::Files {
                certificate,
                private_key,
            } => {
                let files = Files {
                    certificate: certificate.clone(),
                    private_key: private_key.clone(),
                };
                let (identity, watch) =
                    Watch::open(files).map_err(|error| TlsError::Files { error })?;
                keeper = Keeper::Files(watch);
                Some(identity)
            }
            CertificateSource::Acme(acme) => {
                let renewal =
                    Renewal::new(acme, &cache(config)?, &challenges, &certificates, stats);
                let kept = renewal.kept();
                keeper = Keeper::Acme(renewal);
                kept
            }
        };
        if let Some(identity) = identity {
            certificates.show(identity);
        }
        let mut rustls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Use)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
        rustls.alpn_protocols = vec![ALPN.to_vec()];
        let handshakes_max = config.tls.handshakes_max;
        let permits = usize::try_from(handshakes_max).unwrap_or(usize::MAX);
        let tls = Self {
            config: Arc::new(rustls),
            certificates,
            challenges,
            handshakes: Semaphore::new(permits.min(Semaphore::MAX_PERMITS)),
            handshakes_of_ip: ByIp::default(),
            handshakes_of_ip_max: handshakes_max.div_ceil(SHARE_OF_IP),
            stats: Arc::clone(stats),
        };
        Ok(Some((tls, keeper)))
    }

    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    pub(crate) fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// None: it came to nothing, and is counted.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        ip: IpAddr,
    ) -> Option<TlsStream<TcpStream>> {
        let (stats, _live) = (&self.stats, self.stats.tls_handshake());
        match timeout(HANDSHAKE_TIMEOUT, self.shake_hands(stream, ip)).await {
            Ok(Ok(Shaken::Done(stream))) => {
                Stats::count(&stats.tls_handshakes_done);
                Some(*stream)
            }
            Ok(Ok(Shaken::Proved)) => {
                Stats::count(&stats.acme_challenges_answered);
                None
            }
            Ok(Ok(Shaken::Full)) => {
                Stats::count(&stats.tls_handshakes_refused);
                None
            }
            Ok(Err(error)) => {
                Stats::count(&stats.tls_handshakes_failed);
                tracing::debug!(%error, "no TLS");
                None
            }
            Err(_) => {
                Stats::count(&stats.tls_handshakes_slow);
                None
            }
        }
    }

    /// Whoever has not said hello costs a socket only and holds no place.
    async fn shake_hands(&self, stream: TcpStream, ip: IpAddr) -> std::io::Result<Shaken> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let limit = Some(self.handshakes_of_ip_max);
        let of_ip = self.handshakes_of_ip.enter(ip, limit);
        let (Some(_of_ip), Ok(_place)) = (of_ip, self.handshakes.try_acquire()) else {
            return Ok(Shaken::Full);
        };
        if let Some(config) = self.challenge(&hello.client_hello()) {
            // The certificate is the answer (RFC 8737 §3).
            let mut stream = hello.into_stream(config).await?;
            stream.shutdown().await?;
            return Ok(Shaken::Proved);
        }
        let stream = hello.into_stream(Arc::clone(&self.config)).await?;
        Ok(Shaken::Done(Box::new(stream)))
    }

    fn challenge(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        protocols.find(|protocol| *protocol == acme::ALPN)?;
        self.challenges.config(hello.server_name()?)
    }
}

impl Certificates {
    /// To whoever comes from now on. Connections that are open stay as they are.
    fn show(&self, identity: Identity) {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(Arc::new(identity));
    }

    pub(crate) fn shown(&self) -> Option<Arc<Identity>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown()?.certified))
    }
}

impl Keeper {
    pub(crate) fn keep(self, tls: &Tls, tasks: &TaskTracker, stopping: &CancellationToken) {
        let stopping = stopping.clone();
        match self {
            Self::None => {}
            Self::Files(watch) => {
                let certificates = Arc::clone(&tls.certificates);
                let stats = Arc::clone(&tls.stats);
                tasks.spawn(watch.run(certificates, stats, stopping));
            }
            Self::Acme(renewal) => {
                tasks.spawn(renewal.run(stopping));
            }
        }
    }
}

/// One crypto library in the program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The file of the certificate that was got from an authority.
pub(crate) fn obtained(config: &Config) -> Option<PathBuf> {
    let CertificateSource::Acme(acme) = &config.tls.source else {
        return None;
    };
    Some(acme::kept_at(acme, &cache(config).ok()?))
}

/// Where certificates are kept that we got or made.
fn cache(config: &Config) -> Result<PathBuf, TlsError> {
    let variable = |name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value))
    };
    let of_service = || {
        // systemd: several folders are parted by colons.
        let folders = std::env::var("STATE_DIRECTORY").ok()?;
        let first = folders.split(':').next().filter(|first| !first.is_empty());
        first.map(PathBuf::from)
    };
    let of_user =
        || variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    config
        .tls
        .cache
        .clone()
        .or_else(of_service)
        .or_else(|| of_user().map(|folder| folder.join("madang")))
        .or_else(|| variable("LOCALAPPDATA").map(|folder| folder.join("madang")))
        .ok_or(TlsError::NoCache)
}

#[cfg(test)]
mod tests;
