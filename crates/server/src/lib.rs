//! The server around the media core: sockets, shards, HTTP, access, configuration.
//! [`App`] is all of it; the program `madang` is a command line over it.

mod app;
mod auth;
mod banner;
mod carrier;
mod config;
mod directory;
mod doctor;
mod door_session;
mod doors;
mod http;
mod invite;
mod language;
mod ports;
mod room_service;
mod session;
mod stats;
mod stun;
mod time;
mod tls;

pub mod cli;
pub mod media;

pub use app::{App, StartError};
pub use banner::{Style, banner};
pub use config::{
    Acme, AcmeChallenge, Bind, CertificateSource, Compat, CompatKurento, CompatPort,
    CompatSignalling, Config, ConfigError, DEV_KEY, DEV_SECRET, Flags, InterfaceFilter, Interfaces,
    Limits, Log, LogFormat, Network, Rooms, SECRET_CHARS_MIN, Secret, StreamKey, Tls, TlsMode,
    Turn, TurnPeers, TurnUdp, Web, Whip, commented_toml, load, markdown,
};
pub use doctor::{Helper, Report, Wish, examine};
pub use doors::CompatError;
pub use http::ListenError;
pub use invite::{TokenWishError, token};
pub use language::Language;
pub use ports::{ports_json, ports_text};
pub use tls::{IdentityError, TlsError};
