//! Where settings come from: the file, the environment, the command line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::raw::{self, Key, Kind, Raw};
use super::{Config, ConfigError, Secret, TlsMode};

/// Read by others: not settings of the server.
const FOREIGN_VARIABLES: [&str; 10] = [
    "MADANG_URL",
    "MADANG_BIN",
    "MADANG_API_KEY",
    "MADANG_API_SECRET",
    "MADANG_HEALTH_PATH",
    "MADANG_E2E_LOG",
    "MADANG_CONFIG",
    // The flag of the command line.
    "MADANG_COMPAT",
    // Flags of the verbs that are clients.
    "MADANG_SPIDER",
    "MADANG_TOKEN",
];

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub port: Option<u16>,
    pub udp_port: Option<u16>,
    pub shards: Option<u8>,
    pub bind: Option<Vec<IpAddr>>,
    pub domain: Option<String>,
    pub announce: Option<Vec<IpAddr>>,
    pub stun_server: Option<String>,
    pub dev: Option<bool>,
    pub log_level: Option<String>,
    pub web_dir: Option<PathBuf>,
    pub compat: Option<bool>,
    pub tls: Option<TlsMode>,
}

/// Reads everything there is. `variables` are those of the environment.
pub fn load(
    file: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
    flags: Flags,
) -> Result<Config, ConfigError> {
    let from_file = file.map_or_else(|| Ok(Raw::default()), read)?;
    let raw = from_flags(flags)
        .over(from_variables(variables)?)
        .over(from_file);
    Config::resolve(raw)
}

fn read(path: &Path) -> Result<Raw, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
        path: path.to_owned(),
        error,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Toml {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

fn from_flags(flags: Flags) -> Raw {
    Raw {
        port: flags.port,
        udp_port: flags.udp_port,
        shards: flags.shards,
        bind: flags.bind,
        domain: flags.domain,
        announce: flags.announce,
        stun_server: flags.stun_server,
        dev: flags.dev,
        log: raw::Log {
            level: flags.log_level,
            format: None,
        },
        web: raw::Web { dir: flags.web_dir },
        tls: raw::Tls {
            mode: flags.tls,
            ..raw::Tls::default()
        },
        compat: raw::Compat {
            open: flags.compat,
            ..raw::Compat::default()
        },
        ..Raw::default()
    }
}

fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Result<Raw, ConfigError> {
    let known: BTreeMap<String, &Key> = raw::keys().map(|key| (key.variable(), key)).collect();
    let mut raw = Raw::default();
    let ours = variables.filter(|(name, value)| {
        name.starts_with("MADANG_")
            && !FOREIGN_VARIABLES.contains(&name.as_str())
            && !value.is_empty()
    });
    for (name, value) in ours {
        let parsed = match known.get(&name) {
            Some(key) => parse(key, &value),
            None => Err("there is no such setting; `madang config` lists them all".to_owned()),
        };
        let one = parsed.map_err(|message| ConfigError::Variable { name, message })?;
        raw = one.over(raw);
    }
    Ok(raw)
}

/// Goes the same way as a file, so that a variable means exactly what its key means.
fn parse(key: &Key, value: &str) -> Result<Raw, String> {
    let mut text = String::new();
    if !key.section.is_empty() {
        writeln!(text, "[{}]", key.section).expect("writing to a string");
    }
    let value = match key.kind {
        Kind::Plain => value.trim().to_owned(),
        Kind::NumberOrWord if value.trim().parse::<u64>().is_ok() => value.trim().to_owned(),
        Kind::Text | Kind::NumberOrWord => quoted(value.trim()),
        Kind::Pairs => {
            let pairs = pairs(value)?;
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value.reveal())));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Kind::List => {
            let items: Vec<String> = value.split(',').map(|item| quoted(item.trim())).collect();
            format!("[{}]", items.join(", "))
        }
    };
    writeln!(text, "{} = {value}", key.name).expect("writing to a string");
    toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned())
}

/// `name: secret, name: secret`; line ends part them too, as in a YAML map.
fn pairs(text: &str) -> Result<BTreeMap<String, Secret>, String> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            // What is wrong is not repeated: it may be a secret.
            let (name, secret) = pair
                .split_once(':')
                .ok_or("write `name: secret, name: secret`")?;
            Ok((name.trim().to_owned(), Secret::new(secret.trim())))
        })
        .collect()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
