//! Ports of their own for programs that cannot be told another: each carries one door, at the paths the program knows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use super::engineio::{self, Engine, Plan};
use super::{Kind, connections, ws};
use crate::config::Config;
use crate::http::{self, ListenError, Listeners, Shared, serve, with_guards};
use crate::tls::Tls;

/// Why a port for older programs is not opened.
#[derive(Debug, thiserror::Error)]
pub enum CompatError {
    #[error("{key}: {error}")]
    Listen {
        key: &'static str,
        error: ListenError,
    },
}

/// All ports that are open besides the main one.
#[derive(Debug)]
pub(crate) struct Compat {
    ports: Vec<Port>,
}

#[derive(Debug)]
struct Port {
    listeners: Listeners,
    program: Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Spider,
    Kurento,
    KurentoRpc,
    Signalling,
    Sfu,
}

impl Compat {
    /// Binds what the configuration names.
    pub(crate) fn bind(config: &Config) -> Result<Self, CompatError> {
        let mut ports = Vec::new();
        for (program, key, port) in wanted(config) {
            let listeners = Listeners::bind(&config.bind, port)
                .map_err(|error| CompatError::Listen { key, error })?;
            ports.push(Port { listeners, program });
        }
        Ok(Self { ports })
    }

    /// Older programs that speak TLS verify no certificate: any will do.
    pub(crate) fn is_tls(&self) -> bool {
        self.ports.iter().any(|port| port.program.is_tls())
    }

    /// What each port is for, and where it is.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, Vec<SocketAddr>)> {
        let ports = self.ports.iter();
        ports
            .map(|port| (port.program.name(), port.listeners.addresses()))
            .collect()
    }

    /// Until the server stops.
    pub(crate) fn serve(self, tls: Option<&Arc<Tls>>, shared: &Arc<Shared>) {
        for port in self.ports {
            let router = with_guards(port.program.router(), shared);
            let answers = match tls.filter(|_| port.program.is_tls()) {
                Some(tls) => http::Port::Secure {
                    tls: Arc::clone(tls),
                    router,
                    relays: false,
                    media: false,
                    unencrypted: None,
                },
                None => http::Port::Plain(router),
            };
            serve(port.listeners, answers, shared);
        }
    }
}

/// Ports that the configuration names: the program it is for, its setting and its number.
pub(crate) fn compat_ports(
    config: &Config,
) -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    wanted(config).map(|(program, key, port)| (program.name(), key, port))
}

fn wanted(config: &Config) -> impl Iterator<Item = (Program, &'static str, u16)> {
    let compat = &config.compat;
    [
        (Program::Spider, "compat.spider.port", compat.spider.port),
        (Program::Kurento, "compat.kurento.port", compat.kurento.port),
        (
            Program::KurentoRpc,
            "compat.kurento.rpc_port",
            compat.kurento.rpc_port,
        ),
        (
            Program::Signalling,
            "compat.signalling.port",
            compat.signalling.port,
        ),
        (Program::Sfu, "compat.sfu.port", compat.sfu.port),
    ]
    .into_iter()
    .filter_map(|(program, key, port)| Some((program, key, port?)))
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Spider => "spider",
            Self::Kurento => "kurento",
            Self::KurentoRpc => "kurento-rpc",
            Self::Signalling => "signalling",
            Self::Sfu => "sfu",
        }
    }

    fn is_tls(self) -> bool {
        match self {
            Self::Spider | Self::Kurento => true,
            Self::KurentoRpc | Self::Signalling | Self::Sfu => false,
        }
    }

    fn router(self) -> Router<Arc<Shared>> {
        match self {
            Self::Spider => ws::spider(),
            Self::Kurento => ws::one2many(),
            Self::KurentoRpc => ws::kurento(),
            Self::Signalling => {
                let engine = Engine::new(Plan {
                    namespaces: &[("/", Kind::Peers)],
                    has_v3: false,
                    ping_timeout: Duration::from_secs(20),
                    cookie: None,
                });
                engineio::routes(&engine).route("/connections", get(connections))
            }
            Self::Sfu => engineio::routes(&Engine::new(Plan {
                namespaces: &[("/", Kind::Many)],
                has_v3: true,
                ping_timeout: Duration::from_secs(5),
                cookie: Some("io"),
            })),
        }
    }
}
