//! What is said of TLS, and what holds.

use std::path::PathBuf;

use axum::http::Uri;
use clap::ValueEnum;
use rustls::pki_types::DnsName;
use serde::Deserialize;

use super::{ConfigError, Secret, positive, raw};

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Where browsers look of themselves.
const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// Where HTTPS is spoken, and whose certificate is shown.
#[derive(Debug, Clone)]
pub struct Tls {
    pub source: CertificateSource,
    /// A port for HTTPS besides the main one. 0: any free one.
    pub https_port: Option<u16>,
    /// A port where plain HTTP is sent on to HTTPS. 0: any free one.
    pub http_port: Option<u16>,
    /// Where certificates are kept that we got or made. None: the usual place.
    pub cache: Option<PathBuf>,
    pub handshakes_max: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// Plain HTTP. Ports of older programs that need TLS show a certificate made at the start.
    None,
    SelfSigned,
    /// Read again when they change.
    Files {
        certificate: PathBuf,
        private_key: PathBuf,
    },
    /// Got from a certificate authority, and renewed.
    Acme(Acme),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    pub domain: String,
    /// The address of the authority's directory (RFC 8555 §7.1.1).
    pub directory: String,
    pub email: Option<String>,
    /// None: one after the other.
    pub challenge: Option<AcmeChallenge>,
    /// Certificates that the directory may show besides those that the system trusts.
    pub ca: Option<PathBuf>,
    /// An account that the authority knows otherwise (RFC 8555 §7.3.4): its id, and its key.
    pub external_account: Option<(String, Secret)>,
}

/// How the authority learns that the name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcmeChallenge {
    /// It asks port 80 (RFC 8555 §8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// It asks port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// As it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Plain HTTP: on this machine only, or behind a proxy that speaks TLS
    Off,
    /// A certificate that is made here: browsers warn, and then give camera and microphone
    SelfSigned,
    /// tls.certificate and tls.private_key
    Files,
    /// A certificate for the domain from a certificate authority, Let's Encrypt unless told otherwise
    Acme,
}

impl Tls {
    pub(super) fn resolve(domain: Option<&str>, raw: raw::Tls) -> Result<Self, ConfigError> {
        let files = match (raw.certificate, raw.private_key) {
            (Some(certificate), Some(private_key)) => Some(CertificateSource::Files {
                certificate,
                private_key,
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return refused("tls", "set both certificate and private_key, or neither");
            }
        };
        let source = match (raw.mode, files, domain) {
            (None | Some(TlsMode::Files), Some(files), _) => files,
            (None | Some(TlsMode::Acme), None, Some(domain)) => {
                CertificateSource::Acme(Acme::resolve(domain, raw.acme)?)
            }
            (None, None, None) | (Some(TlsMode::Off), _, _) => CertificateSource::None,
            (Some(TlsMode::SelfSigned), None, _) => CertificateSource::SelfSigned,
            (Some(TlsMode::Files), None, _) => {
                return refused("tls.mode", "files: set tls.certificate and tls.private_key");
            }
            (Some(TlsMode::Acme), None, None) => {
                return refused("tls.mode", "acme: set the domain");
            }
            (Some(TlsMode::SelfSigned | TlsMode::Acme), Some(_), _) => {
                return refused("tls.mode", "not files, and tls.certificate is set");
            }
        };
        let is_off = source == CertificateSource::None;
        if is_off && raw.https_port.is_some() {
            return refused("tls.https_port", "there is no TLS; set tls.mode");
        }
        if is_off && raw.http_port.is_some() {
            return refused("tls.http_port", "there is no TLS; set tls.mode");
        }
        let usual = |port: u16| (domain.is_some() && !is_off).then_some(port);
        Ok(Self {
            source,
            https_port: raw.https_port.or(usual(HTTPS_PORT)),
            http_port: raw.http_port.or(usual(HTTP_PORT)),
            cache: raw.cache,
            handshakes_max: positive("tls.handshakes_max", raw.handshakes_max.unwrap_or(500))?,
        })
    }
}

impl Acme {
    fn resolve(domain: &str, raw: raw::Acme) -> Result<Self, ConfigError> {
        let directory = raw.directory.unwrap_or_else(|| LETS_ENCRYPT.to_owned());
        let uri: Option<Uri> = directory.parse().ok();
        let is_fine = |uri: &Uri| uri.scheme_str() == Some("https") && uri.host().is_some();
        if !uri.is_some_and(|uri| is_fine(&uri)) {
            return refused("tls.acme.directory", "must be an address with https://");
        }
        let external_account = match (raw.eab_key_id, raw.eab_hmac_key) {
            (Some(id), Some(key)) => Some((id, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return refused(
                    "tls.acme",
                    "set both eab_key_id and eab_hmac_key, or neither",
                );
            }
        };
        Ok(Self {
            domain: domain.to_owned(),
            directory,
            email: raw.email,
            challenge: raw.challenge,
            ca: raw.ca,
            external_account,
        })
    }
}

/// As others write it: in lower case, without a dot at its end.
pub(super) fn domain(written: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(written) = written else {
        return Ok(None);
    };
    let name = written.trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    if is_address || !name.contains('.') || DnsName::try_from(name.as_str()).is_err() {
        return refused(
            "domain",
            "must be a name such as meet.example.org, without https:// and port; other letters as xn--…",
        );
    }
    Ok(Some(name))
}

fn refused<T>(key: &'static str, message: &str) -> Result<T, ConfigError> {
    let message = message.to_owned();
    Err(ConfigError::Value { key, message })
}
