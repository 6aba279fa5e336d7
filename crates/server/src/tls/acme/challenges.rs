//! What a certificate authority is shown, so that it believes that the name is ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::tls::{TlsError, provider};

/// The protocol by which it asks for such a certificate (RFC 8737 §6.2).
pub(crate) const ALPN: &[u8] = b"acme-tls/1";

/// Those that it may ask for now.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    /// What is answered over HTTP, by token.
    texts: BTreeMap<String, String>,
    /// What is spoken over TLS, by name.
    configs: BTreeMap<String, Arc<ServerConfig>>,
}

/// Shown until it is dropped.
pub(super) struct Held<'a> {
    challenges: &'a Challenges,
    key: String,
}

impl std::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Challenges").finish_non_exhaustive()
    }
}

impl Challenges {
    /// For `GET /.well-known/acme-challenge/<token>` (RFC 8555 §8.3).
    pub(crate) fn text(&self, token: &str) -> Option<String> {
        self.shown().texts.get(token).cloned()
    }

    /// For a handshake that asks for [`ALPN`] and this name.
    pub(crate) fn config(&self, name: &str) -> Option<Arc<ServerConfig>> {
        self.shown().configs.get(name).cloned()
    }

    pub(super) fn show_text(&self, token: &str, text: &str) -> Held<'_> {
        self.shown().texts.insert(token.to_owned(), text.to_owned());
        self.held(token)
    }

    /// `digest`: the SHA-256 of what is to be proved.
    pub(super) fn show_certificate(&self, name: &str, digest: &[u8]) -> Result<Held<'_>, TlsError> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = provider();
        let key = provider.key_provider.load_private_key(der);
        let key = key.map_err(TlsError::Use)?;
        // Not compared with the certificate: the comparison knows no extension of ACME, and that one is critical.
        let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Use)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![ALPN.to_vec()];
        self.shown()
            .configs
            .insert(name.to_owned(), Arc::new(config));
        Ok(self.held(name))
    }

    fn held(&self, key: &str) -> Held<'_> {
        Held {
            challenges: self,
            key: key.to_owned(),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut shown = self.challenges.shown();
        shown.texts.remove(&self.key);
        shown.configs.remove(&self.key);
    }
}
