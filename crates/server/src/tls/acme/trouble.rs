//! Why there is no certificate, what to do about it, and when to ask again.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use instant_acme::{Error, OrderStatus, Problem};

use super::client::ClientError;
use crate::config::AcmeChallenge;
use crate::tls::{IdentityError, TlsError};

const URN: &str = "urn:ietf:params:acme:error:";
const MINUTE: Duration = Duration::from_secs(60);
/// Let's Encrypt lets a name fail five times an hour.
const PAUSE_MIN: Duration = MINUTE.saturating_mul(5);
const PAUSE_MAX: Duration = MINUTE.saturating_mul(360);
/// When nobody judged anything: the line is broken, or the authority has trouble of its own.
const OUTAGE_PAUSE_MIN: Duration = MINUTE.saturating_mul(1);
const OUTAGE_PAUSE_MAX: Duration = MINUTE.saturating_mul(60);
/// Limits are counted by the hour at least.
const LIMITED_PAUSE_MIN: Duration = MINUTE.saturating_mul(70);

#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The authority says no.
    #[error("{}", said(.0))]
    Refused(Problem),
    #[error("{0}")]
    Unreachable(ClientError),
    #[error("{0}")]
    Protocol(Error),
    #[error("the order is {0:?}, and nobody says why")]
    Order(OrderStatus),
    #[error("the authority does not offer {}", .0.name())]
    NotOffered(AcmeChallenge),
    #[error("tls.acme.eab_hmac_key is no base64url")]
    ExternalAccount,
    #[error("cannot write {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error("what came is no certificate: {0}")]
    Identity(IdentityError),
    #[error("{0}")]
    Tls(TlsError),
    #[error("the new certificate is past its time already")]
    Clock,
    #[error("it takes too long")]
    Slow,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        if let Error::Api(problem) = error {
            return Self::Refused(problem);
        }
        let Error::Other(other) = error else {
            return Self::Protocol(error);
        };
        match other.downcast::<ClientError>() {
            Ok(error) => Self::Unreachable(*error),
            Err(other) => Self::Protocol(Error::Other(other)),
        }
    }
}

impl From<rcgen::Error> for Trouble {
    fn from(error: rcgen::Error) -> Self {
        Self::Tls(error.into())
    }
}

impl Trouble {
    /// The kind of a refusal, without what is the same for all (RFC 8555 §6.7).
    pub(super) fn kind(&self) -> &str {
        let Self::Refused(problem) = self else {
            return "";
        };
        let kind = problem.r#type.as_deref().unwrap_or_default();
        kind.strip_prefix(URN).unwrap_or(kind)
    }

    /// Is it about where the name leads to?
    pub(super) fn is_about_the_way(&self) -> bool {
        [
            "dns",
            "connection",
            "unauthorized",
            "incorrectResponse",
            "tls",
        ]
        .contains(&self.kind())
    }

    /// A way that does not lead here gives place to the other one.
    pub(super) fn instead_of(&self, challenge: AcmeChallenge) -> AcmeChallenge {
        let is_no_way = self.is_about_the_way() || matches!(self, Self::NotOffered(_));
        match (is_no_way, challenge) {
            (true, AcmeChallenge::Http01) => AcmeChallenge::TlsAlpn01,
            (true, AcmeChallenge::TlsAlpn01) => AcmeChallenge::Http01,
            (false, same) => same,
        }
    }

    pub(super) fn remedy(&self, domain: &str, challenge: AcmeChallenge) -> String {
        let port = challenge.port();
        match self.kind() {
            "dns" => format!("give {domain} an A or AAAA record with the public address of this machine"),
            "connection" => format!(
                "{domain} must lead to this machine, and port {port}/tcp must be reachable from the internet: look at DNS, the firewall and the router"
            ),
            "unauthorized" | "incorrectResponse" | "tls" => format!(
                "somebody else answers at port {port} of {domain}: look at DNS, IPv6 (AAAA) too, and at proxies before this machine"
            ),
            "rateLimited" => "wait, and do not restart; to try things out, set tls.acme.directory to the authority's staging address".to_owned(),
            "caa" => format!("the CAA record of {domain} forbids this authority: add it there, or name another one in tls.acme.directory"),
            "rejectedIdentifier" => format!("this authority gives nobody a certificate for {domain}: the domain must be a public name of yours"),
            "externalAccountRequired" => "set tls.acme.eab_key_id and tls.acme.eab_hmac_key, as the authority gave them to you".to_owned(),
            "invalidContact" | "unsupportedContact" => "set tls.acme.email to an address that exists".to_owned(),
            _ => self.remedy_by_cause().to_owned(),
        }
    }

    fn remedy_by_cause(&self) -> &'static str {
        match self {
            Self::Unreachable(ClientError::Connect { .. } | ClientError::Slow) => {
                "let this machine reach the authority at port 443, and look up names"
            }
            Self::Write { .. } => "set tls.cache to a folder that this user may write to",
            Self::Clock => "set the clock of this machine",
            Self::NotOffered(_) => "leave tls.acme.challenge out",
            Self::ExternalAccount => "write it as the authority gave it to you",
            Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Protocol(_)
            | Self::Order(_)
            | Self::Identity(_)
            | Self::Tls(_)
            | Self::Slow => "none but to wait, if the message names none",
        }
    }

    /// How long to wait before it is tried again, after so many failures in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let is_outage = match self {
            Self::Unreachable(_) | Self::Slow => true,
            Self::Refused(_) => matches!(self.kind(), "serverInternal" | "badNonce"),
            Self::Protocol(_)
            | Self::Order(_)
            | Self::NotOffered(_)
            | Self::ExternalAccount
            | Self::Write { .. }
            | Self::Identity(_)
            | Self::Tls(_)
            | Self::Clock => false,
        };
        let (least, most) = match (is_outage, self.kind()) {
            (true, _) => (OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX),
            (false, "rateLimited") => (LIMITED_PAUSE_MIN, PAUSE_MAX),
            (false, _) => (PAUSE_MIN, PAUSE_MAX),
        };
        let doublings = failures.saturating_sub(1).min(16);
        least.saturating_mul(1 << doublings).min(most)
    }
}

impl AcmeChallenge {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    /// Where the authority asks.
    fn port(self) -> u16 {
        match self {
            Self::Http01 => 80,
            Self::TlsAlpn01 => 443,
        }
    }
}

fn said(problem: &Problem) -> String {
    let mut text = String::from("the authority refuses");
    for part in [&problem.detail, &problem.r#type].into_iter().flatten() {
        text.push_str(": ");
        text.push_str(part.strip_prefix(URN).unwrap_or(part));
    }
    for part in &problem.subproblems {
        text.push_str("; ");
        text.push_str(&part.to_string());
    }
    text
}

#[cfg(test)]
mod tests;
