//! A client that comes by TCP or TLS: what it says goes to the shard that it is at, and what is for it waits in a
//! bounded queue until its connection takes it. The shard never waits for either.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use madang_turn::Flow;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::counters::PathCounters;
use super::ice::IceLine;
use super::port::{Command, Gone};
use super::ring::count;

/// What waits for one client. Beyond it the oldest is dropped: it is late already.
pub(crate) const QUEUE_BYTES_MAX: usize = 256 * 1024;
/// What is dropped at a time, and goes into one record of TLS (RFC 8446 §5.1).
const BLOCK_BYTES: usize = 16 * 1024;
/// Of these, what its connection holds while it writes.
const BLOCKS_AT_ONCE: usize = 4;
/// What one client has said and its shard has not come to; its connection is not read meanwhile.
const PIECES_PENDING_MAX: usize = 2;

/// The connection's ends.
#[derive(Debug)]
pub(crate) struct StreamPort {
    pub(crate) input: StreamInput,
    pub(crate) output: StreamOutput,
}

/// What the client says. Dropped: the stream is closed, and with it what was relayed.
#[derive(Debug)]
pub(crate) struct StreamInput {
    line: LineId,
    outbox: Arc<Outbox>,
    commands: mpsc::UnboundedSender<Command>,
    places: Arc<Semaphore>,
}

/// What is for the client.
#[derive(Debug)]
pub(crate) struct StreamOutput(Arc<Outbox>);

/// Which stream, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LineId {
    Relay(Flow),
    Ice(IceLine),
}

/// What reaches a shard of a stream, in order.
#[derive(Debug)]
pub(crate) enum Said {
    Opened(Arc<Outbox>),
    /// Whole frames.
    Frames {
        frames: Bytes,
        place: OwnedSemaphorePermit,
    },
    /// Close it, unless something is relayed for it.
    Idle,
    Closed(Arc<Outbox>),
}

impl StreamPort {
    pub(super) fn open(commands: &mpsc::UnboundedSender<Command>, line: LineId) -> Self {
        let outbox = Arc::new(Outbox::default());
        let input = StreamInput {
            line,
            outbox: Arc::clone(&outbox),
            commands: commands.clone(),
            places: Arc::new(Semaphore::new(PIECES_PENDING_MAX)),
        };
        if input.say(Said::Opened(Arc::clone(&outbox))).is_err() {
            outbox.close();
        }
        Self {
            input,
            output: StreamOutput(outbox),
        }
    }
}

impl StreamInput {
    /// Whole frames. Waits while the shard has not come to those before.
    pub(crate) async fn send(&self, frames: Bytes) -> Result<(), Gone> {
        let places = Arc::clone(&self.places);
        let place = places.acquire_owned().await.map_err(|_| Gone)?;
        self.say(Said::Frames { frames, place })
    }

    /// Something is relayed for the client, or was.
    pub(crate) fn is_known(&self) -> bool {
        self.outbox.is_known.load(Ordering::Acquire)
    }

    /// Err: it is closed. Else it will be unless something is relayed for it.
    pub(crate) fn idle(&self) -> Result<(), Gone> {
        if self.outbox.lock().is_closed {
            return Err(Gone);
        }
        self.say(Said::Idle)
    }

    fn say(&self, said: Said) -> Result<(), Gone> {
        let command = Command::Stream {
            line: self.line,
            said,
        };
        self.commands.send(command).map_err(|_| Gone)
    }
}

impl Drop for StreamInput {
    fn drop(&mut self) {
        // A shard that is gone relays nothing.
        self.say(Said::Closed(Arc::clone(&self.outbox))).ok();
    }
}

impl StreamOutput {
    /// Takes what waits, and gives back the memory of what was written. Cancel safe. Err: nothing more comes.
    pub(crate) async fn take(&self, blocks: &mut Vec<Vec<u8>>) -> Result<(), Gone> {
        loop {
            let is_closed = self.0.take(blocks);
            if !blocks.is_empty() {
                return Ok(());
            }
            if is_closed {
                return Err(Gone);
            }
            self.0.ready.notified().await;
        }
    }
}

/// Between a shard, which never waits, and one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    ready: Notify,
    is_known: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    blocks: VecDeque<Block>,
    bytes: usize,
    /// Kept to save allocations.
    spare: Vec<Vec<u8>>,
    is_told: bool,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    datagrams: u64,
}

/// What became of datagrams for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pushed {
    /// These, or older ones.
    dropped: u64,
    /// The connection has not been told of any since it looked last.
    is_news: bool,
}

impl Outbox {
    fn push(&self, contents: &[u8], datagrams: u64) -> Pushed {
        let mut waiting = self.lock();
        let mut dropped = 0;
        if waiting.is_closed {
            dropped = datagrams;
            return Pushed {
                dropped,
                is_news: false,
            };
        }
        while waiting.bytes + contents.len() > QUEUE_BYTES_MAX
            && let Some(oldest) = waiting.blocks.pop_front()
        {
            waiting.bytes -= oldest.bytes.len();
            dropped += oldest.datagrams;
            waiting.keep(oldest.bytes);
        }
        waiting.append(contents, datagrams);
        Pushed {
            dropped,
            is_news: !std::mem::replace(&mut waiting.is_told, true),
        }
    }

    /// True: it is closed.
    fn take(&self, blocks: &mut Vec<Vec<u8>>) -> bool {
        let mut waiting = self.lock();
        for written in blocks.drain(..) {
            waiting.keep(written);
        }
        while blocks.len() < BLOCKS_AT_ONCE
            && let Some(block) = waiting.blocks.pop_front()
        {
            waiting.bytes -= block.bytes.len();
            blocks.push(block.bytes);
        }
        waiting.is_told = !waiting.blocks.is_empty();
        waiting.is_closed
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.ready.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn append(&mut self, contents: &[u8], datagrams: u64) {
        self.bytes += contents.len();
        match self.blocks.back_mut() {
            Some(last) if last.bytes.len() + contents.len() <= BLOCK_BYTES => {
                last.bytes.extend_from_slice(contents);
                last.datagrams += datagrams;
            }
            Some(_) | None => {
                let mut bytes = self.spare.pop().unwrap_or_default();
                bytes.extend_from_slice(contents);
                self.blocks.push_back(Block { bytes, datagrams });
            }
        }
    }

    fn keep(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < BLOCKS_AT_ONCE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// All streams of one kind of one shard.
#[derive(Debug)]
pub(super) struct Streams<K> {
    open: HashMap<K, Line>,
    /// Whose connections are told at the end of the tick.
    news: Vec<Arc<Outbox>>,
}

/// Closed when dropped.
#[derive(Debug)]
struct Line(Arc<Outbox>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<K> Default for Streams<K> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            news: Vec::new(),
        }
    }
}

impl<K: Eq + Hash> Streams<K> {
    pub(super) fn open(&mut self, flow: K, outbox: Arc<Outbox>) {
        self.open.insert(flow, Line(outbox));
    }

    /// True: it was this one, and not a later one from the same address.
    pub(super) fn close(&mut self, flow: &K, outbox: &Arc<Outbox>) -> bool {
        let is_this = self
            .open
            .get(flow)
            .is_some_and(|line| Arc::ptr_eq(&line.0, outbox));
        if is_this {
            self.open.remove(flow);
        }
        is_this
    }

    pub(super) fn hang_up(&mut self, flow: &K) {
        self.open.remove(flow);
    }

    pub(super) fn has(&self, flow: &K) -> bool {
        self.open.contains_key(flow)
    }

    pub(super) fn know(&self, flow: &K) {
        if let Some(line) = self.open.get(flow) {
            line.0.is_known.store(true, Ordering::Release);
        }
    }

    pub(super) fn is_known(&self, flow: &K) -> bool {
        let line = self.open.get(flow);
        line.is_some_and(|line| line.0.is_known.load(Ordering::Acquire))
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whole frames, of so many datagrams.
    pub(super) fn send(
        &mut self,
        flow: &K,
        contents: &[u8],
        datagrams: usize,
        counters: &mut PathCounters,
    ) {
        let Some(Line(outbox)) = self.open.get(flow) else {
            counters.dropped_stream_queue += count(datagrams);
            return;
        };
        let pushed = outbox.push(contents, count(datagrams));
        counters.stream_sent += count(datagrams);
        counters.stream_sent_bytes += count(contents.len());
        counters.dropped_stream_queue += pushed.dropped;
        if pushed.is_news {
            self.news.push(Arc::clone(outbox));
        }
    }

    /// Once a tick: their connections write what it gave.
    pub(super) fn tell(&mut self) {
        for outbox in self.news.drain(..) {
            outbox.ready.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
