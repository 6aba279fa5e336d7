//! Server-sent events for viewers: what the session has to say, and how many watch.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use madang_signalling::resource::{Ask, Notice, Reply};
use madang_signalling::whip::viewer_count;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::resources::{Resource, Resources};

/// So that nobody on the way takes the line for dead.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Between two counts: each who comes would else be told to all of many.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

struct Listener {
    resource: Resource,
    /// None: all.
    wanted: Option<Vec<String>>,
    waiting: VecDeque<Notice>,
    notices: broadcast::Receiver<Notice>,
    audience: watch::Receiver<usize>,
    counted: Option<Instant>,
    stopping: CancellationToken,
}

/// None: the session is over.
pub(super) async fn listen(
    resources: &Resources,
    resource: Resource,
    wanted: Option<Vec<String>>,
    stopping: CancellationToken,
) -> Option<Response> {
    let mut audience = resources.audience(resource.room());
    audience.mark_changed();
    let mut listener = Listener {
        notices: resource.notices(),
        resource,
        wanted,
        waiting: VecDeque::new(),
        audience,
        counted: None,
        stopping,
    };
    listener.catch_up().await?;
    let events = stream::unfold(listener, async |mut listener| {
        let notice = listener.next().await?;
        let event = Event::default().event(notice.event).data(notice.data);
        Some((Ok::<_, Infallible>(event), listener))
    });
    let alive = KeepAlive::new().interval(ALIVE_INTERVAL);
    Some(Sse::new(events).keep_alive(alive).into_response())
}

impl Listener {
    /// How things are now.
    async fn catch_up(&mut self) -> Option<()> {
        let Reply { body, .. } = self.resource.ask(Ask::Notices).await?;
        self.waiting = serde_json::from_str(&body).unwrap_or_default();
        Some(())
    }

    /// None: nothing follows.
    async fn next(&mut self) -> Option<Notice> {
        loop {
            let notice = match self.waiting.pop_front() {
                Some(notice) => notice,
                None => self.heard().await?,
            };
            let wanted = self.wanted.as_ref();
            if wanted.is_none_or(|wanted| wanted.contains(&notice.event)) {
                return Some(notice);
            }
        }
    }

    async fn heard(&mut self) -> Option<Notice> {
        loop {
            let pause = self.counted.map(|at| at + COUNT_PAUSE);
            let counted = async {
                if let Some(end) = pause {
                    tokio::time::sleep_until(end).await;
                }
                self.audience.changed().await
            };
            tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = self.resource.over() => return None,
                heard = self.notices.recv() => match heard {
                    Ok(notice) => return Some(notice),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                changed = counted => {
                    changed.ok()?;
                    self.counted = Some(Instant::now());
                    let count = *self.audience.borrow_and_update();
                    return Some(viewer_count(count));
                }
            }
            self.catch_up().await?;
            if let Some(notice) = self.waiting.pop_front() {
                return Some(notice);
            }
        }
    }
}
