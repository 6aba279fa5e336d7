//! The server around the media core: sockets, shards, HTTP, access, configuration.
//! [`App`] is all of it; the program `madang` is a command line over it.

mod app;
mod auth;
mod banner;
mod carrier;
mod config;
mod directory;
mod door_session;
mod doors;
mod http;
mod invite;
mod room_service;
mod session;
mod stats;
mod time;

pub mod cli;
pub mod media;

pub use app::{App, StartError};
pub use banner::{Style, banner};
pub use config::{
    Bind, Compat, CompatKurento, CompatPort, CompatSignalling, CompatTls, Config, ConfigError,
    DEV_KEY, DEV_SECRET, Flags, Limits, Log, LogFormat, Rooms, SECRET_CHARS_MIN, Secret, Web,
    commented_toml, load, markdown,
};
pub use doors::{CompatError, TlsError};
pub use http::ListenError;
pub use invite::{TokenWishError, token};
