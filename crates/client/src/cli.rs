//! The verbs of the program `madang` that are clients: `publish` and `subscribe`.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::session::{Options, SessionError};
use crate::source::SourceError;
use crate::spider::Role;
use crate::{Codec, PeerError, Url, mesh};

mod conversation;
mod data;
mod publish;
mod retry;
mod status;
mod stop;
mod subscribe;

use conversation::Way;
pub use publish::{Publish, publish};
pub use subscribe::{Subscribe, subscribe};

/// Where the channel is, or the peers are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server", group = clap::ArgGroup::new("where").required(true))]
pub struct Server {
    /// A server that speaks Spider's protocol: wss://host:8267, or madang's main port, ws://host:7880.
    #[arg(long, value_name = "URL", env = "MADANG_SPIDER", group = "where")]
    spider: Option<String>,
    /// A Socket.IO signalling server, which introduces peers that connect directly: http://host:3030, or madang's main port,
    /// http://host:7880/signal.
    #[arg(long, value_name = "URL", env = "MADANG_PEERS", group = "where")]
    peers: Option<String>,
    /// With --spider, the channel: one publisher and its subscribers. In madang it is a room; with --peers, the room, if not the
    /// one of all.
    #[arg(short, long, value_name = "NAME", visible_alias = "room")]
    channel: Option<String>,
    /// With --peers: our name, which nobody else there has.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// With --peers: what kind of peer we are, in words of your own.
    #[arg(long, value_name = "WORD", requires = "name")]
    peer_type: Option<String>,
    /// With --peers: connect to this peer alone. May be given several times.
    #[arg(long, value_name = "NAME", requires = "name")]
    with: Vec<String>,
    /// An access token, where the server wants one (`madang token` makes it; signalling servers have tokens of their own).
    #[arg(
        long,
        value_name = "TOKEN",
        env = "MADANG_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Take any certificate, such as one that the server made for itself. Whoever is between could listen.
    #[arg(long)]
    insecure: bool,
    /// When the connection breaks, or the server is not there: try again, after 0.5 s to 30 s.
    #[arg(long)]
    reconnect: bool,
    /// End after that time, such as 10s, 5m, 1h.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Print a line of figures on standard error each second, also where it is no terminal.
    #[arg(long)]
    stats: bool,
}

impl Server {
    /// `parameters` are those of Spider's query.
    fn way(&self, role: Role, parameters: &[(&str, String)]) -> Result<Way, CliError> {
        let usage = |text: &str| CliError::Usage(text.to_owned());
        let parse = |text: &str| Url::parse(text).map_err(|error| usage(&error.to_string()));
        if let Some(peers) = &self.peers {
            let name = self.name.as_deref();
            let name = name.ok_or_else(|| usage("--peers needs --name: who we are there"))?;
            return Ok(Way::Peers(mesh::Options {
                kind: self.peer_type.clone(),
                token: self.token.clone(),
                room: self.channel.clone(),
                with: self.with.clone(),
                insecure: self.insecure,
                ..mesh::Options::new(parse(peers)?, name)
            }));
        }
        if self.name.is_some() {
            return Err(usage("--name is for --peers"));
        }
        let url = parse(self.spider.as_deref().unwrap_or_default())?;
        let channel = self.channel.clone();
        let channel = channel.ok_or_else(|| usage("--spider needs --channel"))?;
        let mut all: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        if let Some(token) = &self.token {
            all.push(("access_token", token));
        }
        let mut options = Options::new(url.channel(role, &channel, &all), role);
        options.insecure = self.insecure;
        Ok(Way::Spider { options, channel })
    }
}

/// Why a verb did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{0}")]
    Io(String),
    #[error("{0}")]
    Media(String),
}

impl From<PeerError> for CliError {
    fn from(error: PeerError) -> Self {
        Self::Session(error.into())
    }
}

impl CliError {
    /// Of a file, or of standard input or output, by its name.
    fn io(name: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self::Io(format!("{name}: {error}"))
    }
}

/// How a verb ended that did what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// Ctrl-C, SIGTERM, `--duration`, or nobody reads our output any more.
    User,
    Input,
    /// And why, if it said so.
    Server(Option<String>),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User => f.write_str("ended"),
            Self::Input => f.write_str("the input is over"),
            Self::Server(None) => f.write_str("the server ended the session"),
            Self::Server(Some(why)) => write!(f, "the server ended the session: {why}"),
        }
    }
}

fn run(verb: impl Future<Output = Result<End, CliError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("madang: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(verb);
    // A thread may be waiting for standard input, and would for ever.
    runtime.shutdown_background();
    match done {
        Ok(end) => {
            eprintln!("{end}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("madang: {error}");
            ExitCode::from(if matches!(error, CliError::Usage(_)) {
                2
            } else {
                1
            })
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum VideoCodec {
    Vp8,
    H264,
}

impl VideoCodec {
    /// As the query of the URL names it.
    fn word(self) -> &'static str {
        match self {
            Self::Vp8 => "vp8",
            Self::H264 => "h264",
        }
    }
}

impl From<VideoCodec> for Codec {
    fn from(codec: VideoCodec) -> Self {
        match codec {
            VideoCodec::Vp8 => Self::Vp8,
            VideoCodec::H264 => Self::H264,
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write 500ms, 90s, 30m or 6h");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let ms = number.checked_mul(unit_ms).ok_or_else(wrong)?;
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests;
