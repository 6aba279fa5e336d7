//! The WebSocket to a server, plain or over TLS.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::spider::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A description is a few kilobytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Of what a server says besides a status.
const SENTENCE_CHARS_MAX: usize = 200;

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{host} cannot be reached: {error}")]
    Unreachable { host: String, error: io::Error },
    #[error("{0} does not answer")]
    Timeout(String),
    /// What is wrong with the certificate.
    #[error(
        "the certificate of {host} is not trusted: {error}. If it is meant to be self-signed, --insecure accepts it"
    )]
    Certificate { host: String, error: rustls::Error },
    #[error("{host} speaks no TLS that we understand: {error}")]
    Tls { host: String, error: io::Error },
    /// The server is there, and this is not what it has at this address.
    #[error("{url} refuses: {status}{said}")]
    Refused {
        url: String,
        status: u16,
        said: String,
    },
    #[error("{url} is no WebSocket: {error}")]
    WebSocket { url: String, error: Box<WsError> },
}

impl ConnectError {
    /// Trying again later does not help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Certificate { .. } => true,
            Self::Refused { status, .. } => (400..500).contains(status),
            Self::Unreachable { .. }
            | Self::Timeout(_)
            | Self::Tls { .. }
            | Self::WebSocket { .. } => false,
        }
    }
}

/// Bytes, plain or over TLS.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(crate) type Socket = WebSocketStream<Wire>;

/// The socket, and the address of this machine that the server is reached from: media goes out there too.
pub(crate) async fn connect(url: &Url, accept_any: bool) -> Result<(Socket, IpAddr), ConnectError> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, connect_now(url, accept_any));
    let timeout = |_| ConnectError::Timeout(url.authority());
    connecting.await.map_err(timeout)?
}

async fn connect_now(url: &Url, accept_any: bool) -> Result<(Socket, IpAddr), ConnectError> {
    let unreachable = |error| ConnectError::Unreachable {
        host: url.authority(),
        error,
    };
    let stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let local = stream.local_addr().map_err(unreachable)?.ip();
    let wire = if url.is_secure {
        Wire::Tls(Box::new(secured(url, stream, accept_any).await?))
    } else {
        Wire::Plain(stream)
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let no_socket = |error| refusal(url, error);
    let request = url.to_string().into_client_request().map_err(no_socket)?;
    let (socket, _) = client_async_with_config(request, wire, Some(config))
        .await
        .map_err(no_socket)?;
    Ok((socket, local))
}

async fn secured(
    url: &Url,
    stream: TcpStream,
    accept_any: bool,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let failed = |error: io::Error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(error @ rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate {
                host: url.authority(),
                error: error.clone(),
            },
            Some(_) | None => ConnectError::Tls {
                host: url.authority(),
                error,
            },
        }
    };
    let name = ServerName::try_from(url.host.clone())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let config = tls_config(accept_any).map_err(|error| failed(io::Error::other(error)))?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(failed)
}

fn tls_config(accept_any: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    if accept_any {
        let verifier = Arc::new(AnyCertificate(provider));
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        return Ok(builder.with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    // A machine may have none, or some that cannot be read: then no certificate is trusted, and the error says so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn refusal(url: &Url, error: WsError) -> ConnectError {
    // Never with the query: it may hold a token.
    let path = url.path.split('?').next().unwrap_or_default();
    let scheme = if url.is_secure { "wss" } else { "ws" };
    let url = format!("{scheme}://{}{path}", url.authority());
    let WsError::Http(response) = error else {
        let error = Box::new(error);
        return ConnectError::WebSocket { url, error };
    };
    let body = response.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    let said = body.lines().next().unwrap_or_default().trim();
    let said = said.chars().take(SENTENCE_CHARS_MAX).collect::<String>();
    ConnectError::Refused {
        url,
        status: response.status().as_u16(),
        said: if said.is_empty() {
            said
        } else {
            format!(" ({said})")
        },
    }
}

/// For servers with a certificate of their own making. The signature is checked all the same, so that the connection is whole;
/// whose it is, nobody knows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
