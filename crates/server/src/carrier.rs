//! What carries a session's frames: here the session's end, and the limits. The socket's end is in `http::socket`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use madang_signalling::Frame;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Waiting to be written to a client. Beyond it the client does not read: its carrier is dropped.
pub(crate) const OUTBOX_BYTES_MAX: usize = 1024 * 1024;
/// A client that takes nothing for so long does not read.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Frames read from the socket that the session has not come to; then the socket is not read further.
const INBOX_FRAMES_MAX: usize = 64;

/// The session's end.
#[derive(Debug)]
pub(crate) struct Carrier {
    inbox: mpsc::Receiver<Frame>,
    outbox: mpsc::UnboundedSender<Frame>,
    waiting_bytes: Arc<AtomicUsize>,
    cut: CancellationToken,
}

/// The socket's end.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) inbox: mpsc::Sender<Frame>,
    outbox: mpsc::UnboundedReceiver<Frame>,
    waiting_bytes: Arc<AtomicUsize>,
    /// The session wants it gone without further words.
    pub(crate) cut: CancellationToken,
}

/// The client does not read what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSlow;

pub(crate) fn pair() -> (Carrier, Wire) {
    let (inbox_sender, inbox) = mpsc::channel(INBOX_FRAMES_MAX);
    let (outbox, outbox_receiver) = mpsc::unbounded_channel();
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let cut = CancellationToken::new();
    let carrier = Carrier {
        inbox,
        outbox,
        waiting_bytes: Arc::clone(&waiting_bytes),
        cut: cut.clone(),
    };
    let wire = Wire {
        inbox: inbox_sender,
        outbox: outbox_receiver,
        waiting_bytes,
        cut,
    };
    (carrier, wire)
}

impl Carrier {
    /// None: the carrier is lost. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<Frame> {
        self.inbox.recv().await
    }

    /// Never waits. A carrier that is just lost says so by `recv`.
    pub(crate) fn send(&self, frame: Frame) -> Result<(), TooSlow> {
        let bytes = len(&frame);
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // A single large message is not the client's fault.
        if waiting > 0 && waiting.saturating_add(bytes) > OUTBOX_BYTES_MAX {
            self.cut.cancel();
            return Err(TooSlow);
        }
        // Its reader is gone only when the carrier is lost.
        self.outbox.send(frame).ok();
        Ok(())
    }

    /// What was sent is written, then the socket is closed.
    pub(crate) fn close(self) {
        drop(self.outbox);
    }
}

impl Wire {
    /// None: close now.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        self.outbox.recv().await
    }

    pub(crate) fn written(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

pub(crate) fn len(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(bytes) => bytes.len(),
    }
}
