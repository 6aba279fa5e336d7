//! HTTPS requests to a certificate authority: a dozen every two months, each over a connection of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONNECTION, HOST};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Request, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls::provider;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A chain of certificates has some KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Trusts what the system trusts, and what the settings name.
#[derive(Clone)]
pub(super) struct Client(TlsConnector);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(
        "this system trusts nobody: no root certificates were found. Remedy: install ca-certificates"
    )]
    NoRoots,
    #[error("tls.acme.ca: cannot read {path}: {error}")]
    Ca {
        path: PathBuf,
        error: rustls::pki_types::pem::Error,
    },
    #[error("{0} is no address with https://")]
    Address(Uri),
    #[error("cannot reach {host}: {error}")]
    Connect { host: String, error: io::Error },
    #[error(
        "{host}: {error}. Remedy: where it is an authority of your own, name its certificate in tls.acme.ca"
    )]
    Tls { host: String, error: io::Error },
    #[error("{host} breaks off: {error}")]
    Http { host: String, error: hyper::Error },
    #[error("{host} answers with too much, or breaks off")]
    Answer { host: String },
    #[error("no answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Slow,
    #[error("TLS cannot be used: {0}")]
    Use(rustls::Error),
}

impl Client {
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            let own = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| ClientError::Ca {
                    path: path.to_owned(),
                    error,
                })?;
            roots.add_parsable_certificates(own);
        }
        if roots.is_empty() {
            return Err(ClientError::NoRoots);
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(ClientError::Use)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    async fn ask(
        self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, ClientError> {
        let uri = request.uri().clone();
        let wrong = || ClientError::Address(uri.clone());
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong());
        }
        let name = authority.host().trim_matches(['[', ']']).to_owned();
        let server = ServerName::try_from(name.clone()).map_err(|_| wrong())?;
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        let host = || name.clone();
        let tcp = TcpStream::connect((name.as_str(), authority.port_u16().unwrap_or(443))).await;
        let tcp = tcp.map_err(|error| ClientError::Connect {
            host: host(),
            error,
        })?;
        let stream = self.0.connect(server, tcp).await;
        let stream = stream.map_err(|error| ClientError::Tls {
            host: host(),
            error,
        })?;

        let path = uri.path_and_query().cloned();
        *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        request.headers_mut().insert(HOST, value);
        request
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        let broken = |error| ClientError::Http {
            host: host(),
            error,
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let exchange = async {
            let (parts, body) = sender
                .send_request(request)
                .await
                .map_err(broken)?
                .into_parts();
            let bytes = to_bytes(Body::new(body), ANSWER_BYTES_MAX).await;
            let bytes = bytes.map_err(|_| ClientError::Answer { host: host() })?;
            Ok(BytesResponse {
                parts,
                body: Box::new(bytes),
            })
        };
        let mut exchange = pin!(exchange);
        tokio::select! {
            biased;
            done = &mut exchange => done,
            // What was read before the end is still to be had.
            _ = connection => exchange.await,
        }
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let asked = self.clone().ask(request);
        Box::pin(async move {
            let answer = timeout(REQUEST_TIMEOUT, asked).await;
            let answer = answer.unwrap_or(Err(ClientError::Slow));
            answer.map_err(|error| Error::Other(Box::new(error)))
        })
    }
}
