//! A certificate with its key: read, looked at, kept.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode as _;

/// What is shown to clients.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    pub(crate) valid_from: SystemTime,
    pub(crate) valid_until: SystemTime,
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read {path}: {error}")]
    Read {
        path: PathBuf,
        error: rustls::pki_types::pem::Error,
    },
    #[error("{path} holds no certificate; it should begin with -----BEGIN CERTIFICATE-----")]
    Empty { path: PathBuf },
    #[error("it is no PEM: {0}")]
    Pem(rustls::pki_types::pem::Error),
    #[error("the certificate and the private key do not belong together")]
    Pair,
    #[error("the certificate or its key is no good: {0}")]
    Rustls(rustls::Error),
    #[error("the certificate cannot be read: {0}")]
    Certificate(x509_cert::der::Error),
}

impl Identity {
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, IdentityError> {
        let certified = CertifiedKey::from_der(chain, key, &super::provider());
        let certified = certified.map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                IdentityError::Pair
            } else {
                IdentityError::Rustls(error)
            }
        })?;
        let leaf = certified.end_entity_cert().map_err(IdentityError::Rustls)?;
        let parsed = x509_cert::Certificate::from_der(leaf).map_err(IdentityError::Certificate)?;
        let validity = parsed.tbs_certificate().validity();
        Ok(Self {
            valid_from: validity.not_before.to_system_time(),
            valid_until: validity.not_after.to_system_time(),
            certified: Arc::new(certified),
        })
    }

    /// A chain and a key in one text.
    pub(super) fn from_pem(text: &str) -> Result<Self, IdentityError> {
        let chain = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(IdentityError::Pem)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(IdentityError::Pem)?;
        Self::new(chain, key)
    }

    /// Both may be one file.
    pub(crate) fn read(certificate: &Path, private_key: &Path) -> Result<Self, IdentityError> {
        let wrong = |path: &Path| {
            let path = path.to_owned();
            |error| IdentityError::Read { path, error }
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(wrong(certificate))?;
        if chain.is_empty() {
            let path = certificate.to_owned();
            return Err(IdentityError::Empty { path });
        }
        let key = PrivateKeyDer::from_pem_file(private_key).map_err(wrong(private_key))?;
        Self::new(chain, key)
    }

    /// A name or an address.
    pub(crate) fn covers(&self, name: &str) -> bool {
        let leaf = self.certified.end_entity_cert().ok();
        let leaf = leaf.and_then(|leaf| webpki::EndEntityCert::try_from(leaf).ok());
        leaf.zip(ServerName::try_from(name).ok())
            .is_some_and(|(leaf, name)| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// The SHA-256 of the certificate, as browsers show it.
    pub(crate) fn fingerprint(&self) -> String {
        let leaf = self.certified.end_entity_cert();
        let bytes = leaf.map_or(&[][..], |leaf| leaf.as_ref());
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let mut text = String::new();
        for (index, byte) in hash.as_ref().iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(text, "{colon}{byte:02X}").expect("writing to a string");
        }
        text
    }
}

/// Replaces the file in one step. Only its owner may read it.
pub(super) fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let draft = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // One that was left behind may be anybody's to read.
    if let Err(error) = std::fs::remove_file(&draft)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = options.write(true).create_new(true).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
