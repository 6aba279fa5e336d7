//! TLS for the ports that older programs reach by `wss`. They verify no certificate, so one made at the start is as good
//! for them as any.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("compat.tls: cannot read {path}: {error}")]
    File {
        path: PathBuf,
        error: rustls::pki_types::pem::Error,
    },
    #[error("compat.tls: {path} holds no certificate")]
    Empty { path: PathBuf },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("compat.tls: the certificate or its key is no good: {0}")]
    Use(#[from] rustls::Error),
}

/// HTTP/1.1 only: WebSockets are spoken here.
pub(super) fn acceptor(files: &config::CompatTls) -> Result<TlsAcceptor, TlsError> {
    let (chain, key) = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => read(cert, key)?,
        (None, _) | (_, None) => made()?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(cert: &PathBuf, key: &PathBuf) -> Result<Identity, TlsError> {
    let wrong = |path: &PathBuf| {
        let path = path.clone();
        |error| TlsError::File { path, error }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(cert))?;
    if chain.is_empty() {
        let path = cert.clone();
        return Err(TlsError::Empty { path });
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(wrong(key))?;
    Ok((chain, key))
}

fn made() -> Result<Identity, TlsError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}
