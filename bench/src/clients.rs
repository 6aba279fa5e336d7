//! The process of the clients: one that publishes video, and many that watch.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use madang_client::{Happening, Kind, Peer};
use tokio::sync::mpsc;

use crate::video::Video;
use crate::words::{Number, Order, PUBLISHER, Word};

enum Told {
    Answer(String),
    Offer {
        sdp: String,
        offer: u32,
    },
    Send {
        frame_interval: Duration,
        packets: u32,
        payload_bytes: usize,
    },
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(obey())
}

/// Until the other process closes our input.
async fn obey() -> anyhow::Result<()> {
    let mut orders = read_orders();
    let mut peers: BTreeMap<Number, (mpsc::UnboundedSender<Told>, tokio::task::JoinHandle<()>)> =
        BTreeMap::new();
    while let Some(order) = orders.recv().await {
        let (number, told) = match order {
            Order::Publish { ip } => {
                let (tell, told) = mpsc::unbounded_channel();
                let task = tokio::spawn(live(publish(ip, told)));
                peers.insert(PUBLISHER, (tell, task));
                continue;
            }
            Order::Watch { number, ip } => {
                let (tell, told) = mpsc::unbounded_channel();
                let task = tokio::spawn(live(watch(number, ip, told)));
                peers.insert(number, (tell, task));
                continue;
            }
            Order::Freeze => {
                for (_, (_, task)) in peers.split_off(&(PUBLISHER + 1)) {
                    task.abort();
                    // Aborted, as asked.
                    task.await.ok();
                }
                say(&Word::Frozen)?;
                continue;
            }
            Order::Answer { sdp } => (PUBLISHER, Told::Answer(sdp)),
            Order::Offer { number, sdp, offer } => (number, Told::Offer { sdp, offer }),
            Order::Send {
                frames_per_second,
                packets,
                payload_bytes,
            } => {
                let frame_interval = Duration::from_secs(1) / frames_per_second.max(1);
                (
                    PUBLISHER,
                    Told::Send {
                        frame_interval,
                        packets,
                        payload_bytes,
                    },
                )
            }
        };
        let (tell, _) = peers.get(&number).context("an order for nobody")?;
        tell.send(told).ok().context("a client ended")?;
    }
    Ok(())
}

async fn live(life: impl Future<Output = anyhow::Result<()>>) {
    if let Err(error) = life.await {
        eprintln!("a client failed: {error:#}");
        std::process::exit(1);
    }
}

async fn watch(
    number: Number,
    ip: IpAddr,
    mut told: mpsc::UnboundedReceiver<Told>,
) -> anyhow::Result<()> {
    let mut peer = Peer::bind(ip).await?;
    let mut received = false;
    loop {
        tokio::select! {
            order = told.recv() => match order {
                Some(Told::Offer { sdp, offer }) => {
                    let sdp = peer.answer(&sdp)?;
                    say(&Word::Answer { number, sdp, offer })?;
                }
                Some(Told::Answer(_) | Told::Send { .. }) => anyhow::bail!("not for subscribers"),
                None => return Ok(()),
            },
            happening = peer.next() => match happening? {
                Happening::Connected => say(&Word::Connected { number })?,
                Happening::Packet(_) => {
                    if !std::mem::replace(&mut received, true) {
                        say(&Word::Received { number })?;
                    }
                }
                Happening::KeyframeWanted(_) => {}
                Happening::Closed => return Ok(()),
            },
        }
    }
}

async fn publish(ip: IpAddr, mut told: mpsc::UnboundedReceiver<Told>) -> anyhow::Result<()> {
    let mut peer = Peer::bind(ip).await?;
    let (sdp, sections) = peer.offer(&[(Kind::Video, "camera")])?;
    let section = *sections.first().context("one section")?;
    say(&Word::Offer { sdp })?;
    let mut video: Option<Video> = None;
    loop {
        let next = video.as_ref().map(Video::next);
        tokio::select! {
            order = told.recv() => match order {
                Some(Told::Answer(sdp)) => peer.take_answer(&sdp)?,
                Some(Told::Send { frame_interval, packets, payload_bytes }) => {
                    video = Some(Video::new(frame_interval, packets, payload_bytes));
                }
                Some(Told::Offer { .. }) => anyhow::bail!("not for the publisher"),
                None => return Ok(()),
            },
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                if let Some(video) = &mut video {
                    video.send(&mut peer, section)?;
                }
            }
            happening = peer.next() => match happening? {
                Happening::Connected => say(&Word::Connected { number: PUBLISHER })?,
                Happening::KeyframeWanted(_) => {
                    if let Some(video) = &mut video {
                        video.want_keyframe();
                    }
                }
                Happening::Packet(_) => {}
                Happening::Closed => return Ok(()),
            },
        }
    }
}

fn read_orders() -> mpsc::UnboundedReceiver<Order> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let order = line
                .context("no input")
                .and_then(|line| Ok(serde_json::from_str(&line)?));
            match order {
                Ok(order) => {
                    if send.send(order).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    eprintln!("an order that cannot be read: {error:#}");
                    return;
                }
            }
        }
    });
    receive
}

fn say(word: &Word) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    output.write_all(&line)?;
    Ok(output.flush()?)
}
