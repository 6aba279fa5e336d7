//! A certificate that is made here: for the machines of a house, whose people know whom they trust.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::TlsError;
use super::identity::{self, Identity};
use crate::config::Config;

const DAY: Duration = Duration::from_secs(86_400);
/// Apple's systems take no longer ones.
const VALID_FOR: Duration = DAY.saturating_mul(825);
/// For clocks that are behind.
const BACKDATED: Duration = DAY;
/// One that ends so soon is made anew.
const LEFT_MIN: Duration = DAY.saturating_mul(30);
const FILE: &str = "self-signed.pem";

/// The one that was made at an earlier start, so that its fingerprint stays; or a new one.
pub(super) fn kept(folder: &Path, names: &[String]) -> Result<Identity, TlsError> {
    let path = folder.join(FILE);
    let is_fit = |identity: &Identity| {
        names.iter().all(|name| identity.covers(name))
            && identity.valid_until > SystemTime::now() + LEFT_MIN
    };
    if let Ok(identity) = Identity::read(&path, &path)
        && is_fit(&identity)
    {
        return Ok(identity);
    }
    let (identity, pem) = make(names)?;
    if let Err(error) = identity::keep(&path, &pem) {
        tracing::warn!(
            path = %path.display(), %error,
            "cannot keep the certificate that was made: it will be another one after a restart. Remedy: set tls.cache"
        );
    }
    Ok(identity)
}

/// One that lasts until the server stops.
pub(super) fn passing(names: &[String]) -> Result<Identity, TlsError> {
    make(names).map(|(identity, _)| identity)
}

/// With its PEM, the key included.
fn make(names: &[String]) -> Result<(Identity, String), TlsError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "madang");
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now - BACKDATED + VALID_FOR).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let identity = Identity::new(vec![certificate.der().clone()], der)
        .map_err(|error| TlsError::Own { error })?;
    Ok((identity, pem))
}

/// What this machine is called by, and its addresses.
pub(super) fn names(config: &Config) -> Vec<String> {
    let mut ips = BTreeSet::from([
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    ]);
    ips.extend(&config.announce);
    ips.extend(
        config
            .bind
            .addresses
            .iter()
            .filter(|ip| !ip.is_unspecified()),
    );
    if config.bind.addresses.iter().any(IpAddr::is_unspecified) {
        ips.extend(lan_addresses());
    }
    let ips = ips.iter().map(ToString::to_string);
    let named = config.domain.iter().cloned();
    std::iter::once("localhost".to_owned())
        .chain(named)
        .chain(ips)
        .collect()
}

/// Of the interfaces that are up. Link-local ones cannot be typed into a browser.
pub(crate) fn lan_addresses() -> impl Iterator<Item = IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces
        .into_iter()
        .filter(if_addrs::Interface::is_oper_up)
        .map(|interface| interface.ip())
        .filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_loopback(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_loopback(),
        })
}
