//! The accept loop: our own, because it must bound what strangers can hold open (slow headers, many connections).

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use madang_turn::{Flow, Transport};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::by_ip::{ByIp, Place};
use super::opening::Opening;
use super::stream::{self, Opened};
use super::{Remote, Shared};
use crate::config::Bind;
use crate::media::{Framing, StreamPort};
use crate::stats::Stats;
use crate::tls::Tls;

/// From the first byte, or the end of the request before, to the end of a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A join request travels in the request line. Larger headers are answered 431: surely from twice as much on, since hyper bounds what it
/// asks its buffer for, and the buffer grows by doubling.
const HEADER_BYTES_MAX: usize = 128 * 1024;
/// A peer that acknowledges nothing for so long is gone (RFC 5482).
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// After a failure to accept (no descriptors left): others must be closed first, and asking at once again burns a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests under way when the server stops get so long to be answered.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Where we listen.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<TcpListener>);

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "TCP port {port} is in use ({address}). Stop what uses it (`ss -tlpn 'sport = :{port}'` shows it), or choose another port"
    )]
    InUse { address: SocketAddr, port: u16 },
    #[error(
        "TCP {address} is for those with a right to it: {error}. Remedy: `setcap cap_net_bind_service=+ep` on the program \
         (AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit), or another port to which the router maps this one"
    )]
    Right {
        address: SocketAddr,
        error: io::Error,
    },
    #[error("cannot listen at TCP {address}: {error}. Choose another port or address (--bind)")]
    Bind {
        address: SocketAddr,
        error: io::Error,
    },
    #[error("none of the addresses to listen at is one of this machine")]
    Nowhere,
}

impl Listeners {
    /// With port 0 the first address chooses, and the others take the same.
    pub(crate) fn bind(bind: &Bind, port: u16) -> Result<Self, ListenError> {
        let mut listeners: Vec<TcpListener> = Vec::new();
        let mut port = port;
        for ip in &bind.addresses {
            let address = SocketAddr::new(*ip, port);
            match listen(address) {
                Ok(listener) => {
                    port = listener.local_addr().map_or(port, |address| address.port());
                    listeners.push(listener);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(ListenError::InUse { address, port });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(ListenError::Right { address, error });
                }
                // Many machines have no IPv6.
                Err(error) if bind.is_default => {
                    tracing::debug!(%address, %error, "not listening");
                }
                Err(error) => return Err(ListenError::Bind { address, error }),
            }
        }
        if listeners.is_empty() {
            return Err(ListenError::Nowhere);
        }
        Ok(Self(listeners))
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.0.iter();
        listeners.filter_map(|l| l.local_addr().ok()).collect()
    }
}

/// What a port answers.
#[derive(Debug, Clone)]
pub(crate) enum Port {
    Plain(Router),
    Secure {
        tls: Arc<Tls>,
        router: Router,
        /// Clients of the relay may come by TLS.
        relays: bool,
        /// Media may come without TLS.
        media: bool,
        /// To who comes without TLS. Not said: closed.
        unencrypted: Option<Unencrypted>,
    },
    /// Clients of the relay, and media without one.
    Media {
        relays: bool,
        media: bool,
    },
}

/// What is answered without TLS on a port that speaks it.
#[derive(Debug, Clone)]
pub(crate) struct Unencrypted {
    /// To programs on this machine, such as a proxy: nobody is in between.
    pub(crate) here: Router,
    pub(crate) elsewhere: Router,
}

/// Serves until the server stops. All tasks are `shared.tasks.connections`.
pub(crate) fn serve(listeners: Listeners, port: Port, shared: &Arc<Shared>) {
    let port = Arc::new(port);
    let by_ip = ByIp::default();
    for listener in listeners.0 {
        let door = Door {
            port: Arc::clone(&port),
            shared: Arc::clone(shared),
            by_ip: by_ip.clone(),
        };
        shared.tasks.connections.spawn(door.accept(listener));
    }
}

#[derive(Clone)]
struct Door {
    port: Arc<Port>,
    shared: Arc<Shared>,
    by_ip: ByIp,
}

impl Door {
    async fn accept(self, listener: TcpListener) {
        let stopping = self.shared.tasks.stopping.clone();
        loop {
            let accepted = tokio::select! {
                () = stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => self.welcome(stream, remote),
                Err(error) => {
                    Stats::count(&self.shared.stats.accept_failed);
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, remote: SocketAddr) {
        let (limits, stats) = (&self.shared.config.limits, &self.shared.stats);
        if stats.sockets_now() >= u64::from(limits.connections_max) {
            Stats::count(&stats.refused_connections);
            return;
        }
        let Some(place) = self.by_ip.enter(remote.ip(), limits.connections_per_ip_max) else {
            Stats::count(&stats.refused_connections_of_ip);
            return;
        };
        Stats::count(&stats.accepted);
        if let Err(error) = tune(&stream) {
            tracing::debug!(%error, "a connection that is closed already");
            return;
        }
        let live = stats.socket();
        let door = self.clone();
        self.shared.tasks.connections.spawn(async move {
            door.greet(stream, remote, Arc::new((place, live))).await;
        });
    }

    async fn greet(self, stream: TcpStream, remote: SocketAddr, held: Arc<Held>) {
        let stopping = self.shared.tasks.stopping.clone();
        let ip = remote.ip();
        let opening = Opening::of_tcp(&stream);
        let Some(opening) = stopping.run_until_cancelled(heard(opening)).await else {
            return;
        };
        match (opening, &*self.port) {
            (Some(Opening::Http), port) => match port.unencrypted(ip) {
                Some(router) => self.converse(router.clone(), stream, ip, held).await,
                None => self.refuse(),
            },
            (Some(Opening::Stun), Port::Media { relays, media }) => {
                self.datagrams(stream, remote, *relays, *media).await;
            }
            (Some(Opening::Stun), Port::Secure { media: true, .. }) => {
                self.datagrams(stream, remote, false, true).await;
            }
            (
                Some(Opening::Tls),
                Port::Secure {
                    tls,
                    router,
                    relays,
                    ..
                },
            ) => {
                let accepted = stopping.run_until_cancelled(tls.accept(stream, ip)).await;
                let Some(mut stream) = accepted.flatten() else {
                    return;
                };
                let opening = Opening::of_tls(&mut stream);
                match stopping.run_until_cancelled(heard(opening)).await.flatten() {
                    Some(Opening::Http) => {
                        self.converse(router.clone(), stream, ip, held).await;
                    }
                    Some(Opening::Stun) if *relays => {
                        let opened = Opened::relay();
                        let _live = self.shared.stats.tls_relay_stream();
                        let socket = stream.get_ref().0;
                        stream::tune(socket);
                        if let Some(port) = self.relay_port(Transport::Tls, socket, remote) {
                            stream::carry(stream, opened, port, &self.shared).await;
                        }
                    }
                    Some(Opening::Tls | Opening::Stun | Opening::Unknown) => self.refuse(),
                    None => {}
                }
            }
            (Some(Opening::Tls), Port::Plain(_) | Port::Media { .. })
            | (Some(Opening::Stun), Port::Plain(_) | Port::Secure { .. })
            | (Some(Opening::Unknown), _) => self.refuse(),
            (None, _) => {}
        }
    }

    /// STUN without TLS: of the relay, or of a connection of ours.
    async fn datagrams(
        &self,
        mut socket: TcpStream,
        remote: SocketAddr,
        relays: bool,
        media: bool,
    ) {
        let stopping = &self.shared.tasks.stopping;
        let opening = async {
            let mut opened = Opened::read(&mut socket).await?;
            let first = match opened.framing {
                Framing::Turn => None,
                Framing::Ice => Some(opened.first(&mut socket).await?),
            };
            Some((opened, first))
        };
        let opening = timeout(HEADER_TIMEOUT, opening);
        let Some(Ok(opening)) = stopping.run_until_cancelled(opening).await else {
            return;
        };
        stream::tune(&socket);
        match opening {
            Some((opened, None)) if relays => {
                let _live = self.shared.stats.tcp_relay_stream();
                if let Some(port) = self.relay_port(Transport::Tcp, &socket, remote) {
                    stream::carry(socket, opened, port, &self.shared).await;
                }
            }
            Some((opened, Some(check))) if media => {
                let Ok(local) = socket.local_addr() else {
                    return;
                };
                match self.shared.media.open_ice(&check, local, remote) {
                    Some(port) => {
                        let _live = self.shared.stats.ice_stream();
                        stream::carry(socket, opened, port, &self.shared).await;
                    }
                    None => Stats::count(&self.shared.stats.ice_streams_foreign),
                }
            }
            Some(_) | None => self.refuse(),
        }
    }

    /// None: closed already.
    fn relay_port(
        &self,
        transport: Transport,
        socket: &TcpStream,
        client: SocketAddr,
    ) -> Option<StreamPort> {
        let flow = Flow {
            transport,
            client,
            local: socket.local_addr().ok()?,
        };
        Some(self.shared.media.open_stream(flow))
    }

    /// Closes a connection that speaks what this port does not.
    fn refuse(&self) {
        Stats::count(&self.shared.stats.refused_protocols);
    }

    /// `held` is kept for as long as the connection is, also when it became a WebSocket.
    async fn converse<S>(&self, router: Router, stream: S, ip: IpAddr, held: Arc<Held>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stopping = self.shared.tasks.stopping.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Remote(ip));
            request.extensions_mut().insert(Arc::clone(&held));
            collapse_slashes(request.uri_mut());
            let router = router.clone();
            async move {
                Ok::<_, Infallible>(
                    router
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(FINISH_TIMEOUT, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

impl Port {
    /// None: this port speaks no HTTP without TLS.
    fn unencrypted(&self, ip: IpAddr) -> Option<&Router> {
        match self {
            Self::Plain(router) => Some(router),
            Self::Media { .. } => None,
            Self::Secure { unencrypted, .. } => unencrypted.as_ref().map(|routers| {
                if ip.to_canonical().is_loopback() {
                    &routers.here
                } else {
                    &routers.elsewhere
                }
            }),
        }
    }
}

/// None: nothing came for so long that nobody waits for more, or the other side closed.
async fn heard(opening: impl Future<Output = io::Result<Option<Opening>>>) -> Option<Opening> {
    timeout(HEADER_TIMEOUT, opening).await.ok()?.ok()?
}

/// A place of its address, and the count of sockets.
pub(crate) type Held = (Place, crate::stats::Live);

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    // A server that is started again must not wait for connections of the one before.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SockRef::from(stream).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

/// Clients that are given an address with a slash at its end ask for `//rtc`.
fn collapse_slashes(uri: &mut Uri) {
    let text = uri.to_string();
    if text.starts_with("//") {
        let collapsed = format!("/{}", text.trim_start_matches('/'));
        if let Ok(better) = collapsed.parse() {
            *uri = better;
        }
    }
}

#[cfg(test)]
mod tests;
