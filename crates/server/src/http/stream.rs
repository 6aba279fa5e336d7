//! A client over TCP or TLS, of the relay (RFC 8656 §3.1) or without one (RFC 6544): what it says goes on in whole frames, what is
//! for it is written as much at a time as there is.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};

use super::Shared;
use crate::media::{Framing, Next, StreamInput, StreamOutput, StreamPort};
use crate::stats::Stats;

/// Whoever has had nothing allocated for so long, at most twice, holds a connection for nothing.
const IDLE_INTERVAL: Duration = Duration::from_secs(30);
/// Requests of strangers are shorter: what they send bit by bit must cost little.
const FRAME_BYTES_MAX_OF_STRANGERS: usize = 2_048;
const READ_BYTES: usize = 16 * 1024;
/// In the system, not sent yet: what is late is to be dropped before it is there.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 64 * 1024;
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What was read of a stream to learn what it is.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) framing: Framing,
    pub(super) read: BytesMut,
}

impl Opened {
    /// Where there is nothing else, nothing need be read.
    pub(super) fn relay() -> Self {
        Self {
            framing: Framing::Turn,
            read: BytesMut::new(),
        }
    }

    /// Of a stream that begins with STUN, after its framing or not. None: it does neither, or ends.
    pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Self> {
        let mut read = BytesMut::new();
        let framing = loop {
            if let Some(told) = Framing::of(&read) {
                break told.ok()?;
            }
            more(stream, &mut read).await?;
        };
        Some(Self { framing, read })
    }

    /// The first message. None: it is too long, or never comes to its end.
    pub(super) async fn first<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Option<Bytes> {
        loop {
            match self.framing.next(&self.read) {
                Next::Whole(_, content) => {
                    let first = self.read.get(content)?;
                    return Some(Bytes::copy_from_slice(first));
                }
                Next::Partial if self.read.len() <= FRAME_BYTES_MAX_OF_STRANGERS => {
                    more(stream, &mut self.read).await?;
                }
                Next::Partial | Next::Broken => return None,
            }
        }
    }
}

async fn more<S: AsyncRead + Unpin>(stream: &mut S, read: &mut BytesMut) -> Option<()> {
    read.reserve(FRAME_BYTES_MAX_OF_STRANGERS);
    let bytes = stream.read_buf(read).await.ok()?;
    (bytes > 0).then_some(())
}

/// Why it is over.
enum Ended {
    /// The other side closed, or is not there any more; or we stop.
    Gone,
    /// We hung up: nothing is relayed for it.
    Idle,
    /// What it says is no frame, or too long a one.
    Broken,
}

/// Until either side has enough.
pub(super) async fn carry<S>(stream: S, opened: Opened, port: StreamPort, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let framing = opened.framing;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let ended = tokio::select! {
        () = shared.tasks.stopping.cancelled() => Ended::Gone,
        ended = listen(&mut reader, opened, &port.input) => ended,
        ended = speak(&mut writer, &port.output) => ended,
    };
    match ended {
        Ended::Gone => {}
        Ended::Idle => match framing {
            Framing::Turn => Stats::count(&shared.stats.relay_streams_idle),
            Framing::Ice => Stats::count(&shared.stats.ice_streams_idle),
        },
        Ended::Broken => match framing {
            Framing::Turn => Stats::count(&shared.stats.relay_streams_broken),
            Framing::Ice => Stats::count(&shared.stats.ice_streams_broken),
        },
    }
    drop(port);
    let mut stream = reader.unsplit(writer);
    // It may have gone before.
    timeout(GOODBYE_TIMEOUT, stream.shutdown()).await.ok();
}

/// Packets in time matter more than all of them.
pub(super) fn tune(socket: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::debug!(%error, "more of what is late will be sent");
    }
}

async fn listen<S: AsyncRead>(
    reader: &mut ReadHalf<S>,
    opened: Opened,
    input: &StreamInput,
) -> Ended {
    let Opened { framing, mut read } = opened;
    let mut looks = interval_at(Instant::now() + IDLE_INTERVAL, IDLE_INTERVAL);
    loop {
        let frame_bytes_max = if input.is_known() {
            usize::MAX
        } else {
            FRAME_BYTES_MAX_OF_STRANGERS
        };
        let Some(whole) = whole_frames(framing, &read, frame_bytes_max) else {
            return Ended::Broken;
        };
        if whole > 0 && input.send(read.split_to(whole).freeze()).await.is_err() {
            return Ended::Gone;
        }
        read.reserve(READ_BYTES);
        let came = loop {
            tokio::select! {
                came = reader.read_buf(&mut read) => break came,
                _ = looks.tick() => if input.idle().is_err() {
                    return Ended::Idle;
                },
            }
        };
        if !came.is_ok_and(|bytes| bytes > 0) {
            return Ended::Gone;
        }
    }
}

/// How long those are that are there to their end. None: what comes after them cannot be read.
fn whole_frames(framing: Framing, bytes: &[u8], frame_bytes_max: usize) -> Option<usize> {
    let mut rest = bytes;
    loop {
        match framing.next(rest) {
            Next::Whole(whole, _) if whole <= frame_bytes_max => rest = rest.get(whole..)?,
            Next::Partial if rest.len() <= frame_bytes_max => {
                return Some(bytes.len() - rest.len());
            }
            Next::Whole(..) | Next::Partial | Next::Broken => return None,
        }
    }
}

async fn speak<S: AsyncWrite>(writer: &mut WriteHalf<S>, output: &StreamOutput) -> Ended {
    let mut blocks = Vec::new();
    loop {
        if output.take(&mut blocks).await.is_err() {
            return Ended::Idle;
        }
        if write(writer, &blocks).await.is_err() {
            return Ended::Gone;
        }
    }
}

async fn write<S: AsyncWrite>(writer: &mut WriteHalf<S>, blocks: &[Vec<u8>]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = blocks.iter().map(|block| IoSlice::new(block)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let bytes = writer.write_vectored(rest).await?;
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut rest, bytes);
    }
    writer.flush().await
}

#[cfg(test)]
mod tests;
