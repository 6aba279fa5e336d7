//! Everybody has a connection with everybody else.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use madang_client::{Happening, Kind, Peer, Section};
use tokio::sync::mpsc;

use super::{Figures, Reading, Stage, Watching};
use crate::video::Video;

/// Between the two ends of a connection.
enum Word {
    Offer(String),
    Answer(String),
}

/// One end of the connection of two participants.
struct End {
    begins: bool,
    tell: mpsc::UnboundedSender<Word>,
    told: mpsc::UnboundedReceiver<Word>,
}

pub(super) fn measure(participants: u32, time: Duration) -> anyhow::Result<Figures> {
    let stage = Arc::new(Stage::default());
    let mut threads = Vec::new();
    for (number, ends) in (0..).zip(ends(participants)) {
        let life = live(ends, Arc::clone(&stage));
        threads.push(super::participant(number, &stage, life)?);
    }
    let span = super::everybody_watches(&stage, participants).and_then(|()| {
        let before = Reading::take(&stage, participants)?;
        std::thread::sleep(time);
        let after = Reading::take(&stage, participants)?;
        super::between(&before, &after, participants)
    });
    stage.over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().ok().context("a participant panicked")?;
    }
    let span = span?;
    // Nobody else sends in this namespace, and all do the same.
    let each_bps = super::rate_bps(span.ip_bytes, span.seconds)? / f64::from(participants);
    Ok(Figures {
        up_bps: each_bps,
        down_bps: each_bps,
        participant_cpu: span.participant_cpu,
        ..Figures::default()
    })
}

/// Of each participant, the ends that are his.
fn ends(participants: u32) -> Vec<Vec<End>> {
    let mut all: Vec<Vec<End>> = (0..participants).map(|_| Vec::new()).collect();
    let mut rest = all.as_mut_slice();
    while let Some((first, others)) = rest.split_first_mut() {
        for other in &mut *others {
            let (to_other, from_first) = mpsc::unbounded_channel();
            let (to_first, from_other) = mpsc::unbounded_channel();
            first.push(End {
                begins: true,
                tell: to_other,
                told: from_other,
            });
            other.push(End {
                begins: false,
                tell: to_first,
                told: from_first,
            });
        }
        rest = others;
    }
    all
}

async fn live(ends: Vec<End>, stage: Arc<Stage>) -> anyhow::Result<()> {
    let mut lives = tokio::task::JoinSet::new();
    for end in ends {
        lives.spawn(connect(end, Watching::new(&stage)));
    }
    while let Some(lived) = lives.join_next().await {
        lived??;
    }
    Ok(())
}

/// Each side offers its own picture, one after the other, on one connection.
async fn connect(mut end: End, mut watching: Watching) -> anyhow::Result<()> {
    let mut peer = Peer::bind(IpAddr::V4(Ipv4Addr::LOCALHOST)).await?;
    let mut own: Option<Section> = None;
    let mut video: Option<Video> = None;
    if end.begins {
        own = Some(offer(&mut peer, &end)?);
    }
    loop {
        let next = video.as_ref().map(Video::next);
        tokio::select! {
            word = end.told.recv() => match word.context("the other end is gone")? {
                Word::Offer(sdp) => {
                    end.tell.send(Word::Answer(peer.answer(&sdp)?))?;
                    if own.is_none() {
                        own = Some(offer(&mut peer, &end)?);
                    }
                }
                Word::Answer(sdp) => {
                    peer.take_answer(&sdp)?;
                    video = Some(super::video());
                }
            },
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                if let (Some(video), Some(section)) = (&mut video, own) {
                    video.send(&mut peer, section)?;
                }
            }
            happening = peer.next() => match happening? {
                Happening::Packet(_) => watching.packet(),
                Happening::KeyframeWanted(_) => {
                    if let Some(video) = &mut video {
                        video.want_keyframe();
                    }
                }
                Happening::Connected => {}
                Happening::Closed => anyhow::bail!("a connection closed"),
            },
        }
    }
}

fn offer(peer: &mut Peer, end: &End) -> anyhow::Result<Section> {
    let (sdp, sections) = peer.offer(&[(Kind::Video, "camera")])?;
    end.tell.send(Word::Offer(sdp))?;
    sections.first().copied().context("one section")
}
