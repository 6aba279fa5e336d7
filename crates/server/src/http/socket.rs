//! A WebSocket as a carrier: the socket's end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use madang_signalling::Frame;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::bucket::{Bucket, Rate};
use crate::carrier::{WRITE_TIMEOUT, Wire, len};
use crate::stats::Stats;

/// One frame, and one message of several.
pub(crate) const MESSAGE_BYTES_MAX: usize = madang_signalling::livekit::MESSAGE_BYTES_MAX;
/// Of the library's own buffer. Each frame is flushed, so it holds one at a time; our own limit is the carrier's.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 16 * 1024 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Not even an answer to our pings.
const SILENCE_MAX: Duration = Duration::from_secs(35);
/// After our goodbye, for the client's.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a client may say: messages, and each 4 KiB of one besides. Beyond it we read no faster than this.
pub(crate) const TALK: Rate = Rate {
    at_once: 4_000.0,
    per_second: 400.0,
};
pub(crate) const TALK_BYTES: usize = 4_096;

/// Until either end closes, or the client does not read.
pub(crate) async fn carry(mut socket: WebSocket, mut wire: Wire, stats: Arc<Stats>) {
    let _live = stats.carrier();
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut heard = Instant::now();
    let cut = wire.cut.clone();
    let mut talk = Bucket::full(heard.into_std(), TALK);
    let mut pause: Option<Instant> = None;
    loop {
        tokio::select! {
            () = cut.cancelled() => return,
            () = sleep_until(pause.unwrap_or(heard)), if pause.is_some() => pause = None,
            message = socket.recv(), if pause.is_none() => {
                heard = Instant::now();
                let frame = match message {
                    Some(Ok(Message::Binary(bytes))) => Frame::Binary(bytes.into()),
                    Some(Ok(Message::Text(text))) => Frame::Text(text.to_string()),
                    // Pings are answered by the library.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Err(error)) => return broken(socket, &error, &stats).await,
                };
                Stats::count(&stats.frames_in);
                let blocks = u32::try_from(len(&frame) / TALK_BYTES).unwrap_or(u32::MAX);
                if let Some(wait) = talk.charge(heard.into_std(), TALK, 1.0 + f64::from(blocks)) {
                    Stats::count(&stats.carriers_paused);
                    pause = Some(heard + wait);
                }
                tokio::select! {
                    () = cut.cancelled() => return,
                    // A session that is over does not read; its goodbye is next.
                    sent = wire.inbox.send(frame) => sent.ok(),
                };
            }
            frame = wire.next() => {
                let Some(frame) = frame else {
                    return say_goodbye(socket, close_code::NORMAL, "").await;
                };
                let bytes = len(&frame);
                if !send(&mut socket, frame, &stats).await {
                    return;
                }
                wire.written(bytes);
            }
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    Stats::count(&stats.carriers_silent);
                    return;
                }
                let ping = socket.send(Message::Ping(Vec::new().into()));
                if !matches!(timeout(WRITE_TIMEOUT, ping).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

/// False: it is lost.
async fn send(socket: &mut WebSocket, frame: Frame, stats: &Stats) -> bool {
    let message = match frame {
        Frame::Binary(bytes) => Message::Binary(bytes.into()),
        Frame::Text(text) => Message::Text(text.into()),
    };
    match timeout(WRITE_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => {
            Stats::count(&stats.frames_out);
            true
        }
        Ok(Err(_)) => false,
        Err(_) => {
            Stats::count(&stats.carriers_too_slow);
            false
        }
    }
}

/// Frames too large and frames that are none. The session hears that its carrier is lost.
async fn broken(socket: WebSocket, error: &axum::Error, stats: &Stats) {
    let text = error.to_string();
    let is_too_large = text.contains("too long") || text.contains("too big");
    if is_too_large {
        Stats::count(&stats.frames_too_large);
        say_goodbye(socket, close_code::SIZE, "message too large").await;
    }
}

/// The close handshake (RFC 6455 §7.1.2): what the client sent meanwhile is read and dropped, so that its system does not
/// answer ours with a reset that takes the last frames along.
async fn say_goodbye(mut socket: WebSocket, code: u16, reason: &'static str) {
    let close = Message::Close(Some(CloseFrame {
        code,
        reason: reason.into(),
    }));
    let goodbye = async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    timeout(CLOSE_TIMEOUT, goodbye).await.ok();
}
