//! Sessions as resources of HTTP: each has one task between the requests that name it and its dialect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use madang_signalling::Frame;
use madang_signalling::resource::{Ask, Notice, Reply, Told};
use madang_signalling::whip::Role;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::carrier::{self, Wire};

/// Requests to one session that wait for their turn.
const ASKS_MAX: usize = 8;
/// Notices that a slow listener may be behind; then he is told how things are now.
const NOTICES_MAX: usize = 16;

/// All sessions of this door.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    open: Mutex<BTreeMap<String, Resource>>,
    /// How many watch each room.
    audiences: Mutex<BTreeMap<String, watch::Sender<usize>>>,
}

/// A way to a session.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    role: Role,
    room: Arc<str>,
    asks: mpsc::Sender<Asked>,
    notices: broadcast::Sender<Notice>,
    over: CancellationToken,
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    ask: Ask,
    reply: oneshot::Sender<Reply>,
}

/// A viewer is counted as long as this lives.
#[derive(Debug)]
struct Watching {
    resources: Arc<Resources>,
    room: Arc<str>,
}

/// The task's side of one session.
pub(super) struct Carrying {
    pub(super) resources: Arc<Resources>,
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) room: Arc<str>,
    pub(super) wire: Wire,
}

impl Resources {
    pub(super) fn find(&self, id: &str, role: Role) -> Option<Resource> {
        let open = self.lock();
        open.get(id).filter(|of| of.role == role).cloned()
    }

    /// How many watch that room, and when that changes.
    pub(super) fn audience(&self, room: &str) -> watch::Receiver<usize> {
        let mut audiences = self.audiences();
        // Rooms that nobody watches or asks for are forgotten.
        audiences.retain(|_, count| count.receiver_count() > 0 || *count.borrow() > 0);
        let count = audiences.entry(room.to_owned());
        count.or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Resource>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn audiences(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<usize>>> {
        self.audiences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, room: &Arc<str>) -> Watching {
        let mut audiences = self.audiences();
        let count = audiences.entry(room.to_string());
        let count = count.or_insert_with(|| watch::Sender::new(0));
        count.send_modify(|count| *count += 1);
        Watching {
            resources: Arc::clone(self),
            room: Arc::clone(room),
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut audiences = self.resources.audiences();
        let Some(count) = audiences.get(&*self.room) else {
            return;
        };
        count.send_modify(|count| *count = count.saturating_sub(1));
        if *count.borrow() == 0 && count.receiver_count() == 0 {
            audiences.remove(&*self.room);
        }
    }
}

impl Resource {
    pub(super) fn room(&self) -> &str {
        &self.room
    }

    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// None: the session is over.
    pub(super) async fn ask(&self, ask: Ask) -> Option<Reply> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Asked { ask, reply }).await.ok()?;
        answer.await.ok()
    }
}

impl Carrying {
    /// To the end of the session. It is found by others from its first answer on, if that is 201; else it is over.
    pub(super) async fn run(mut self, first: Ask, answer: oneshot::Sender<Reply>) {
        let (asks, mut inbox) = mpsc::channel(ASKS_MAX);
        let (notices, _) = broadcast::channel(NOTICES_MAX);
        let resource = Resource {
            role: self.role,
            room: Arc::clone(&self.room),
            asks,
            notices,
            over: CancellationToken::new(),
        };
        let _over = resource.over.clone().drop_guard();
        let mut watching = None;
        let mut waiting = Some(answer);
        if !self.say(&first).await {
            return;
        }
        loop {
            let told = tokio::select! {
                told = next(&mut self.wire) => match told {
                    Some(told) => told,
                    None => break,
                },
                asked = inbox.recv(), if waiting.is_none() => {
                    let Some(Asked { ask, reply }) = asked else { break };
                    waiting = Some(reply);
                    if !self.say(&ask).await {
                        break;
                    }
                    continue;
                }
            };
            match told {
                // Nobody need listen.
                Told::Notice(notice) => drop(resource.notices.send(notice)),
                Told::Reply(reply) => {
                    let is_opened = reply.status == 201;
                    if is_opened {
                        let mut open = self.resources.lock();
                        open.insert(self.id.clone(), resource.clone());
                    }
                    if is_opened && self.role == Role::Viewer {
                        watching = Some(self.resources.enter(&self.room));
                    }
                    let is_heard = waiting.take().is_some_and(|to| to.send(reply).is_ok());
                    // Who went before the answer came cannot know where the session is.
                    if is_opened && !is_heard {
                        break;
                    }
                }
            }
        }
        self.resources.lock().remove(&self.id);
        drop(watching);
    }

    async fn say(&self, ask: &Ask) -> bool {
        let text = serde_json::to_string(ask).expect("plain data");
        self.wire.inbox.send(Frame::Text(text)).await.is_ok()
    }
}

/// None: the session is over. Cancel safe.
async fn next(wire: &mut Wire) -> Option<Told> {
    loop {
        let frame = wire.next().await?;
        wire.written(carrier::len(&frame));
        if let Frame::Text(text) = frame
            && let Ok(told) = serde_json::from_str(&text)
        {
            return Some(told);
        }
    }
}
