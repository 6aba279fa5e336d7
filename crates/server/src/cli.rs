//! The command line of the verbs that are the server's.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(test)]
use clap::Parser;
use clap::{Args, Subcommand, ValueEnum};

use crate::config::{Flags, TlsMode};
use crate::doctor::Wish;
use crate::language::Language;

/// For tests; the program's own line has the verbs of clients too.
#[cfg(test)]
#[derive(Debug, Parser)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server: the app, signalling, the API and all media.
    Serve(Serve),
    /// Make an access token for one person and one room, and print it.
    Token(Box<Token>),
    /// Print which ports must be open, for whom and why.
    Ports(Box<Ports>),
    /// Look whether people can connect, and say what to do if not.
    Doctor(Box<Doctor>),
    /// Print every setting, commented, with its default.
    Config(PrintConfig),
}

/// Without any flag: development mode, reachable from this machine only.
#[derive(Debug, Args)]
#[command(
    after_help = "Every setting can also come from the file or a variable; `madang config` lists them.\n\
                        Flags win over variables, variables over the file."
)]
pub struct Serve {
    /// Settings are read from this TOML file.
    #[arg(long, value_name = "FILE", env = "MADANG_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

/// From the same settings as the server's: give the flags that it is started with.
#[derive(Debug, Args)]
pub struct Ports {
    /// Settings are read from this TOML file.
    #[arg(long, value_name = "FILE", env = "MADANG_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub output: Output,
}

/// Beside a running server or alone: give the flags that the server is started with. Ends with 1 if there is a fault.
#[derive(Debug, Args)]
#[command(
    after_help = "Nobody is asked who is not named here. To look from outside, on another machine:\n  \
                        madang doctor --listen\nand here:\n  \
                        madang doctor --helper THAT-MACHINE"
)]
pub struct Doctor {
    /// A `madang doctor --listen` on a machine outside: it looks whether the media port is reached from there [port: 7884].
    #[arg(long, value_name = "HOST[:PORT]")]
    helper: Option<String>,
    /// Be the helper of others, at TCP and UDP port 7884 and UDP port 7885, until Ctrl-C.
    #[arg(long, value_name = "[ADDRESS:]PORT", num_args = 0..=1, default_missing_value = "")]
    listen: Option<String>,
    /// STUN servers that are asked for the public address; two of them show which kind of NAT there is.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    stun: Vec<String>,
    /// Whose clock is right: an NTP server, or http://HOST.
    #[arg(long, value_name = "HOST")]
    time: Option<String>,
    /// The certificate that browsers are shown, if a proxy does it [default: the server's].
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Settings are read from this TOML file.
    #[arg(long, value_name = "FILE", env = "MADANG_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub output: Output,
}

impl Doctor {
    /// Where to be the helper of others.
    pub fn listen(&self) -> Option<&str> {
        self.listen.as_deref()
    }

    pub fn wish(&self) -> Wish {
        Wish {
            helper: self.helper.clone(),
            stun: self.stun.clone(),
            time: self.time.clone(),
            certificate: self.certificate.clone(),
        }
    }
}

/// How it is said.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// ko or en [default: that of the environment].
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
    /// For programs.
    #[arg(long)]
    pub json: bool,
}

impl Output {
    pub fn language(self) -> Language {
        self.lang.unwrap_or_else(Language::of_process)
    }
}

#[derive(Debug, Args)]
pub struct Settings {
    /// TCP port of the app, of signalling and of the API [default: 7880].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// UDP port of all media [default: 7882].
    #[arg(long, value_name = "PORT")]
    udp_port: Option<u16>,
    /// Addresses to listen at, parted by commas [default: loopback in development mode, else all].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    bind: Option<Vec<IpAddr>>,
    /// The name of this server: HTTPS on port 443, with a certificate that is got and renewed by itself.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Addresses that clients reach the media port at, when it is behind address translation.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    announce: Option<Vec<IpAddr>>,
    /// Ask this STUN server for the public address, once, at the start.
    #[arg(long, value_name = "HOST:PORT")]
    stun_server: Option<String>,
    /// Threads that forward media, 1 to 64.
    #[arg(long, value_name = "N")]
    shards: Option<u8>,
    /// Development mode: the key devkey with the secret "secret" is valid, and the app hands out tokens.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    dev: Option<bool>,
    /// error, warn, info, debug, trace, or a filter.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Serve the app from this folder instead of the one inside the program.
    #[arg(long, value_name = "DIR")]
    web_dir: Option<PathBuf>,
    /// Open the ports that older programs know: 8267, 8443, 8888, 3030, 8080.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", env = "MADANG_COMPAT", value_parser = clap::builder::BoolishValueParser::new())]
    compat: Option<bool>,
    /// How HTTPS is spoken [default: files when tls.certificate is set, acme when a domain is, else off].
    #[arg(long, value_name = "MODE")]
    tls: Option<TlsMode>,
}

impl From<Settings> for Flags {
    fn from(settings: Settings) -> Self {
        Self {
            port: settings.port,
            udp_port: settings.udp_port,
            shards: settings.shards,
            bind: settings.bind,
            domain: settings.domain,
            announce: settings.announce,
            stun_server: settings.stun_server,
            dev: settings.dev,
            log_level: settings.log_level,
            web_dir: settings.web_dir,
            compat: settings.compat,
            tls: settings.tls,
        }
    }
}

/// The key is the first one of the settings; in development mode it is devkey.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    madang token --room courtyard --identity kim\n  \
    madang token --room courtyard --identity kim --link https://meet.example.org")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub struct Token {
    #[arg(hide = true)]
    pub action: Option<TokenAction>,
    /// The room it is good for.
    #[arg(long, value_name = "NAME")]
    pub room: String,
    /// Who it is for: unique in the room.
    #[arg(long, value_name = "ID")]
    pub identity: String,
    /// How the others see them [default: the identity].
    #[arg(long)]
    pub name: Option<String>,
    /// How long it can be used to join, such as 30m, 6h, 7d.
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = parse_duration)]
    pub ttl: Duration,
    /// May not send audio, video or data.
    #[arg(long)]
    pub no_publish: bool,
    /// May not see or hear others.
    #[arg(long)]
    pub no_subscribe: bool,
    /// The others do not see them.
    #[arg(long)]
    pub hidden: bool,
    /// May moderate the room by the API, and make, list and end rooms.
    #[arg(long)]
    pub admin: bool,
    /// May change their own name and attributes.
    #[arg(long)]
    pub can_update_metadata: bool,
    /// What others learn of them besides the name; older doors read some of it, such as role=expert. May be given several times.
    #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = parse_attribute)]
    pub attributes: Vec<(String, String)>,
    /// Print an invite link to the app instead of the bare token.
    /// Without a URL: to the domain of the settings, else to this machine.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", visible_alias = "url")]
    pub link: Option<String>,
    /// Sign with this key [default: the first of the settings].
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// Settings are read from this TOML file.
    #[arg(long, value_name = "FILE", env = "MADANG_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TokenAction {
    Create,
}

#[derive(Debug, Args)]
pub struct PrintConfig {
    /// As the page docs/config.md.
    #[arg(long)]
    pub markdown: bool,
}

fn parse_attribute(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| format!("{text:?} is no attribute; write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write 90s, 30m, 6h or 7d");
    let (number, unit) =
        text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit_s).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
