//! What one receive call brings.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use quinn_udp::RecvMeta;

/// Buffers of one receive call. With GRO each may hold many datagrams.
const RECEIVE_BUFFERS: usize = 16;
/// The largest run of datagrams that GRO gives.
const RECEIVE_BUFFER_BYTES: usize = 65_535;

/// Where one receive call puts its datagrams.
pub(super) struct Inbox {
    bytes: Vec<u8>,
    metas: [RecvMeta; RECEIVE_BUFFERS],
    filled: usize,
    fallback_destination: IpAddr,
    port: u16,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'a> {
    pub(super) remote: SocketAddr,
    pub(super) destination: IpAddr,
    /// Of ours that it came to.
    pub(super) port: u16,
    pub(super) bytes: &'a [u8],
}

/// Datagrams of one size (the last may be shorter) from one remote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merged<'a> {
    pub(super) remote: SocketAddr,
    pub(super) contents: &'a [u8],
    pub(super) segment: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE_BUFFERS * RECEIVE_BUFFER_BYTES],
            metas: [RecvMeta::default(); RECEIVE_BUFFERS],
            filled: 0,
            fallback_destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// One receive call of a socket at that address. How many buffers it filled.
    pub(super) fn fill(
        &mut self,
        (destination, port): (IpAddr, u16),
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.filled = 0;
        self.fallback_destination = destination;
        self.port = port;
        let mut slices = self.bytes.chunks_mut(RECEIVE_BUFFER_BYTES);
        let mut buffers: [IoSliceMut<'_>; RECEIVE_BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(slices.next().unwrap_or_default()));
        self.filled = receive(&mut buffers, &mut self.metas)?;
        Ok(self.filled)
    }

    /// As GRO gave them.
    pub(super) fn runs(&self) -> impl Iterator<Item = Merged<'_>> {
        let buffers = self.bytes.chunks(RECEIVE_BUFFER_BYTES);
        let filled = buffers.zip(&self.metas).take(self.filled);
        filled.map(|(buffer, meta)| Merged {
            remote: meta.addr,
            contents: buffer.get(..meta.len).unwrap_or_default(),
            segment: meta.stride.max(1),
        })
    }

    pub(super) fn datagrams(&self) -> impl Iterator<Item = Arrived<'_>> {
        let buffers = self.bytes.chunks(RECEIVE_BUFFER_BYTES);
        let filled = buffers.zip(&self.metas).take(self.filled);
        filled.flat_map(|(buffer, meta)| {
            let run = buffer.get(..meta.len).unwrap_or_default();
            run.chunks(meta.stride.max(1)).map(|bytes| Arrived {
                remote: meta.addr,
                destination: meta.dst_ip.unwrap_or(self.fallback_destination),
                port: self.port,
                bytes,
            })
        })
    }
}
