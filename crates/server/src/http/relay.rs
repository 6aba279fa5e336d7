//! A client of the relay over TCP or TLS (RFC 8656 §3.1): what it says goes on in whole frames, what is for it is written as much
//! at a time as there is.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::BytesMut;
use madang_turn::{Frame, frame};
use socket2::SockRef;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};

use super::Shared;
use crate::media::{StreamInput, StreamOutput, StreamPort};
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
pub(super) async fn relay<S>(stream: S, port: StreamPort, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let ended = tokio::select! {
        () = shared.tasks.stopping.cancelled() => Ended::Gone,
        ended = listen(&mut reader, &port.input) => ended,
        ended = speak(&mut writer, &port.output) => ended,
    };
    match ended {
        Ended::Gone => {}
        Ended::Idle => Stats::count(&shared.stats.relay_streams_idle),
        Ended::Broken => Stats::count(&shared.stats.relay_streams_broken),
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

async fn listen<S: AsyncRead>(reader: &mut ReadHalf<S>, input: &StreamInput) -> Ended {
    let mut buffer = BytesMut::new();
    let mut looks = interval_at(Instant::now() + IDLE_INTERVAL, IDLE_INTERVAL);
    loop {
        buffer.reserve(READ_BYTES);
        let read = tokio::select! {
            read = reader.read_buf(&mut buffer) => read,
            _ = looks.tick() => match input.idle() {
                Ok(()) => continue,
                Err(_) => return Ended::Idle,
            },
        };
        if !read.is_ok_and(|bytes| bytes > 0) {
            return Ended::Gone;
        }
        let frame_bytes_max = if input.is_known() {
            usize::MAX
        } else {
            FRAME_BYTES_MAX_OF_STRANGERS
        };
        let Some(whole) = whole_frames(&buffer, frame_bytes_max) else {
            return Ended::Broken;
        };
        if whole > 0 && input.send(buffer.split_to(whole).freeze()).await.is_err() {
            return Ended::Gone;
        }
    }
}

/// How long those are that are there to their end. None: what comes after them cannot be read.
fn whole_frames(bytes: &[u8], frame_bytes_max: usize) -> Option<usize> {
    let mut rest = bytes;
    loop {
        match frame(rest) {
            Frame::Complete { whole, .. } if whole <= frame_bytes_max => {
                rest = rest.get(whole..)?
            }
            Frame::Partial if rest.len() <= frame_bytes_max => {
                return Some(bytes.len() - rest.len());
            }
            Frame::Complete { .. } | Frame::Partial | Frame::Broken => return None,
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
