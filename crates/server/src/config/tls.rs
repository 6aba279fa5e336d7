//! What is said of TLS, and what holds.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;

use super::{ConfigError, positive, raw};

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
}

impl Tls {
    pub(super) fn resolve(raw: raw::Tls) -> Result<Self, ConfigError> {
        let refused = |key, message: &str| {
            let message = message.to_owned();
            Err(ConfigError::Value { key, message })
        };
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
        let source = match (raw.mode, files) {
            (None, files) => files.unwrap_or(CertificateSource::None),
            (Some(TlsMode::Files), Some(files)) => files,
            (Some(TlsMode::Files), None) => {
                return refused("tls.mode", "files: set tls.certificate and tls.private_key");
            }
            (Some(TlsMode::Off), _) => CertificateSource::None,
            (Some(TlsMode::SelfSigned), None) => CertificateSource::SelfSigned,
            (Some(TlsMode::SelfSigned), Some(_)) => {
                return refused("tls.mode", "self-signed, and tls.certificate is set");
            }
        };
        if source == CertificateSource::None {
            if raw.https_port.is_some() {
                return refused("tls.https_port", "there is no TLS; set tls.mode");
            }
            if raw.http_port.is_some() {
                return refused("tls.http_port", "there is no TLS; set tls.mode");
            }
        }
        Ok(Self {
            source,
            https_port: raw.https_port,
            http_port: raw.http_port,
            cache: raw.cache,
            handshakes_max: positive("tls.handshakes_max", raw.handshakes_max.unwrap_or(500))?,
        })
    }
}
