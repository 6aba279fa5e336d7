//! What a connection speaks, by its first byte: a port may carry several protocols, and not all who come say by ALPN
//! which one they mean.

use std::io;

use tokio::io::AsyncBufReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A protocol that begins like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A record with a handshake in it (RFC 8446 §5.1).
    Tls,
    /// Text: a method, or an empty line before it (RFC 9112 §2.2).
    Http,
    /// A STUN message (RFC 7983). Channels come after it.
    Stun,
    Unknown,
}

impl Opening {
    fn of(byte: u8) -> Self {
        match byte {
            0x00..=0x03 => Self::Stun,
            0x16 => Self::Tls,
            b'\r' | b'\n' | b' '..=b'~' => Self::Http,
            _ => Self::Unknown,
        }
    }

    /// Reads nothing: the byte is still there. None: the other side closed.
    pub(crate) async fn of_tcp(stream: &TcpStream) -> io::Result<Option<Self>> {
        let mut first = [0];
        let count = stream.peek(&mut first).await?;
        Ok((count > 0).then(|| Self::of(first[0])))
    }

    /// Reads nothing: the byte is still there. None: the other side closed.
    pub(crate) async fn of_tls(stream: &mut TlsStream<TcpStream>) -> io::Result<Option<Self>> {
        let bytes = stream.fill_buf().await?;
        Ok(bytes.first().copied().map(Self::of))
    }
}

#[cfg(test)]
mod tests;
