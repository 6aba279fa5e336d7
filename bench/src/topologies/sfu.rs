//! Everybody has a connection up to our server and one down from it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use madang_client::{Happening, Kind, Peer, Section};
use madang_server::media::{FarEnd, Media, MediaConfig, PathCounters, PeerPort, PeerRequests};
use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, DataForm, Event, Grant, Identity, Join, MsidStyle, Offerer,
    PeerId, PeerKind, Request, RoomId, RoomInfo, RoomName, ShardId, ShardSet,
};

use super::{Figures, PATIENCE, Reading, Stage, Watching};
use crate::cpu;
use crate::turn::{Account, Tunnel, relay_config};
use crate::video::Video;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MEDIA_THREAD: &str = "media-0";
const UP: ConnectionKey = ConnectionKey(0);
const DOWN: ConnectionKey = ConnectionKey(1);
/// Of IPv4 and UDP, before each datagram.
const HEADER_BYTES: u64 = 28;

/// How the participants reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Straight,
    /// By a tunnel that relays nothing.
    Tunnel,
    /// By a tunnel that has everything relayed by the server itself.
    Relay,
}

pub(crate) fn measure(participants: u32, time: Duration, way: Way) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut config = MediaConfig {
        udp_port: 0,
        bind: vec![LOOPBACK],
        shards: 1,
        relay: (way == Way::Relay).then(relay_config),
        ..MediaConfig::default()
    };
    config.core.connect_timeout = PATIENCE;
    config.core.reconnect_timeout = PATIENCE;
    let media = runtime.block_on(Media::start(config))?;
    let stage = Arc::new(Stage::default());
    let mut threads = Vec::new();
    for number in 0..participants {
        let life = live(number, media.clone(), Arc::clone(&stage), way);
        threads.push(super::participant(number, &stage, life)?);
    }
    let figures = super::everybody_watches(&stage, participants).and_then(|()| {
        let before = Reading::take(&stage, participants)?;
        let server_before = runtime.block_on(server(&media))?;
        std::thread::sleep(time);
        let after = Reading::take(&stage, participants)?;
        let server_after = runtime.block_on(server(&media))?;
        let span = super::between(&before, &after, participants)?;
        figures(&server_before, &server_after, &span, participants)
    });
    stage.over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().ok().context("a participant panicked")?;
    }
    runtime.block_on(media.stop());
    figures
}

struct Server {
    cpu: Duration,
    path: PathCounters,
}

async fn server(media: &Media) -> anyhow::Result<Server> {
    let all = media.counters().await;
    let (_, _, path) = all.first().context("the media thread is gone")?;
    Ok(Server {
        cpu: cpu::of_thread(MEDIA_THREAD)?,
        path: *path,
    })
}

fn figures(
    before: &Server,
    after: &Server,
    span: &super::Span,
    participants: u32,
) -> anyhow::Result<Figures> {
    let (old, new) = (&before.path, &after.path);
    if new.dropped_send_queue + new.send_failed > 0 {
        bail!("the server could not send: {new:?}");
    }
    let bytes_in =
        new.received_bytes - old.received_bytes + (new.received - old.received) * HEADER_BYTES;
    let bytes_out = new.sent_bytes - old.sent_bytes + (new.sent - old.sent) * HEADER_BYTES;
    let in_bps = super::rate_bps(bytes_in, span.seconds)?;
    let out_bps = super::rate_bps(bytes_out, span.seconds)?;
    Ok(Figures {
        up_bps: in_bps / f64::from(participants),
        down_bps: out_bps / f64::from(participants),
        server_in_bps: in_bps,
        server_out_bps: out_bps,
        participant_cpu: span.participant_cpu,
        server_cpu: after.cpu.saturating_sub(before.cpu).as_secs_f64() / span.seconds,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a benchmark of the packet path, not a dialect"
)]
async fn live(number: u32, media: Media, stage: Arc<Stage>, way: Way) -> anyhow::Result<()> {
    let id = PeerId(u64::from(number) + 1);
    let PeerPort {
        requests,
        mut events,
    } = media.attach(ShardId(0), id);
    enter(&requests, id)?;
    let (mut up, mut down) = (Peer::bind(LOOPBACK).await?, Peer::bind(LOOPBACK).await?);
    let (sdp, sections) = up.offer(&[(Kind::Video, "camera")])?;
    let own = *sections.first().context("one section")?;
    requests.send(Request::Offer {
        connection: UP,
        sdp,
        number: 1,
    })?;
    let mut video: Option<Video> = None;
    let mut watching: BTreeMap<Section, Watching> = BTreeMap::new();
    // The one up and the one down.
    let mut tunnels = Vec::new();
    loop {
        let next = video.as_ref().map(Video::next);
        tokio::select! {
            event = events.recv() => match event.context("the server is gone")? {
                Event::Answer { sdp, .. } => {
                    let tunnel = tunnel(&media, id, way)?;
                    up.take_answer(&by(tunnel.as_ref(), &media, &sdp))?;
                    tunnels.extend(tunnel);
                }
                Event::Offer { sdp, number, .. } => {
                    if tunnels.len() < 2 {
                        tunnels.extend(tunnel(&media, id, way)?);
                    }
                    let sdp = down.answer(&by(tunnels.last(), &media, &sdp))?;
                    requests.send(Request::Answer { connection: DOWN, sdp, number })?;
                }
                Event::Refused { request, refusal } => bail!("{request:?}: {refusal}"),
                Event::Closed { reason } => bail!("closed: {reason:?}"),
                _ => {}
            },
            () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now).into()), if next.is_some() => {
                if let Some(video) = &mut video {
                    video.send(&mut up, own)?;
                }
            }
            happening = up.next() => match happening? {
                Happening::Connected => video = Some(super::video()),
                Happening::KeyframeWanted(_) => {
                    if let Some(video) = &mut video {
                        video.want_keyframe();
                    }
                }
                Happening::Packet(_) => {}
                Happening::Closed => bail!("the connection up closed"),
            },
            happening = down.next() => match happening? {
                Happening::Packet(packet) => {
                    let watching = watching.entry(packet.section);
                    watching.or_insert_with(|| Watching::new(&stage)).packet();
                }
                Happening::Connected | Happening::KeyframeWanted(_) => {}
                Happening::Closed => bail!("the connection down closed"),
            },
        }
    }
}

/// None: they go straight.
fn tunnel(media: &Media, id: PeerId, way: Way) -> anyhow::Result<Option<Tunnel>> {
    let server = SocketAddr::new(LOOPBACK, media.local_port());
    Ok(match way {
        Way::Straight => None,
        Way::Tunnel => Some(Tunnel::direct(server)?),
        Way::Relay => {
            let access = media.relay_access(id, None, FarEnd::Server);
            let access = access.context("nothing is relayed")?;
            let account = Account {
                username: access.username,
                password: access.password,
            };
            Some(Tunnel::relayed(server, &account)?)
        }
    })
}

/// The server as it is reached by that tunnel.
fn by(tunnel: Option<&Tunnel>, media: &Media, sdp: &str) -> String {
    let Some(tunnel) = tunnel else {
        return sdp.to_owned();
    };
    let place = |address: SocketAddr| format!(" {} {} ", address.ip(), address.port());
    let server = SocketAddr::new(LOOPBACK, media.local_port());
    sdp.replace(&place(server), &place(tunnel.entrance))
}

fn enter(requests: &PeerRequests, id: PeerId) -> anyhow::Result<()> {
    requests.send(Request::Join(Box::new(Join {
        room: room(),
        shards: ShardSet::default(),
        identity: Identity::new(&id.to_string()),
        name: String::new(),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        kind: PeerKind(0),
        grant: Grant::everything(),
        auto_subscribe: true,
        form: DataForm(1),
        msid: MsidStyle::PeerAndTrack,
        annotation: Bytes::new(),
    })))?;
    for (connection, offerer) in [(UP, Offerer::Client), (DOWN, Offerer::Server)] {
        requests.send(Request::Open {
            connection,
            options: ConnectionOptions {
                offerer,
                publish: connection == UP,
                subscribe: connection == DOWN,
                primary: connection == DOWN,
                publish_unannounced: true,
                answers_ahead: false,
                bitrate_max_bps: None,
                channels: Vec::new(),
            },
        })?;
    }
    Ok(())
}

fn room() -> Arc<RoomInfo> {
    Arc::new(RoomInfo {
        id: RoomId(1),
        name: RoomName::new("hall"),
        metadata: String::new(),
        created_wall_ms: 0,
        peers_max: None,
        empty_timeout_s: 60,
        departure_timeout_s: 60,
    })
}
