//! The packet path with real clients over real sockets: several shards, one port.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use madang_client::{Codec, Happening, Incoming, Kind, Outgoing, Peer, Section};
use madang_server::media::{Media, MediaConfig, PeerPort};
use madang_sfu::api::{
    ConnectionKey, ConnectionOptions, DataForm, Event, Grant, Identity, Join, LeaveReason,
    MsidStyle, Offerer, PeerId, PeerKind, Request, RoomId, RoomInfo, RoomName, ShardId, ShardSet,
};

const IPV4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const IPV6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const MAIN: ConnectionKey = ConnectionKey(0);
const PATIENCE: Duration = Duration::from_secs(30);
const FRAMES: u32 = 120;
const PACKETS_PER_FRAME: u32 = 3;
const FRAME_INTERVAL: Duration = Duration::from_millis(10);

/// One member: its session with the core, and its connection.
struct Member {
    port: PeerPort,
    peer: Peer,
    connected: bool,
    closed: Option<LeaveReason>,
    /// The association was ended by the server.
    dismissed: bool,
    subscribed: usize,
    keyframe_wanted: bool,
    received: BTreeMap<Section, Vec<Incoming>>,
}

impl Member {
    async fn join(media: &Media, number: u8, shard: ShardId, offerer: Offerer) -> Self {
        let id = PeerId(u64::from(number) + 1);
        let port = media.attach(shard, id);
        let member = Self {
            port,
            peer: Peer::bind(media.candidates()[0].ip())
                .await
                .expect("a socket"),
            connected: false,
            closed: None,
            dismissed: false,
            subscribed: 0,
            keyframe_wanted: true,
            received: BTreeMap::new(),
        };
        member.request(Request::Join(Box::new(Join {
            room: room(),
            shards: (0..media.shards())
                .map(ShardId)
                .filter(|other| *other != shard)
                .collect::<ShardSet>(),
            identity: Identity::new(&id.to_string()),
            name: String::new(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
            kind: PeerKind(0),
            grant: Grant::everything(),
            auto_subscribe: offerer == Offerer::Server,
            form: DataForm(1),
            msid: MsidStyle::PeerAndTrack,
            annotation: Bytes::new(),
        })));
        member.request(Request::Open {
            connection: MAIN,
            options: ConnectionOptions {
                offerer,
                publish: offerer == Offerer::Client,
                subscribe: offerer == Offerer::Server,
                primary: true,
                publish_unannounced: true,
                answers_ahead: false,
                bitrate_max_bps: None,
                channels: Vec::new(),
            },
        });
        member
    }

    fn request(&self, request: Request) {
        self.port.requests.send(request).expect("the stay goes on");
    }

    /// Lives until `until`.
    async fn live(&mut self, until: Instant) {
        let pause = tokio::time::sleep_until(until.into());
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return,
                Some(event) = self.port.events.recv() => self.hear(event),
                happening = self.peer.next() => match happening.expect("a sound connection") {
                    Happening::Connected => self.connected = true,
                    Happening::Packet(packet) => {
                        self.received.entry(packet.section).or_default().push(packet);
                    }
                    Happening::KeyframeWanted(_) => self.keyframe_wanted = true,
                    Happening::Closed => {
                        self.dismissed = true;
                        return;
                    }
                },
            }
        }
    }

    /// Lives until `done`, or patience ends.
    async fn live_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < PATIENCE, "never came: {what}");
            self.live(Instant::now() + Duration::from_millis(5)).await;
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a test of the packet path, not of the session API"
    )]
    fn hear(&mut self, event: Event) {
        match event {
            Event::Offer { sdp, number, .. } => {
                let sdp = self
                    .peer
                    .answer(&sdp)
                    .expect("an offer that can be answered");
                self.request(Request::Answer {
                    connection: MAIN,
                    sdp,
                    number,
                });
            }
            Event::Answer { sdp, .. } => self.peer.take_answer(&sdp).expect("a fitting answer"),
            Event::Subscribed { .. } => self.subscribed += 1,
            Event::Refused { request, refusal } => panic!("{request:?}: {refusal}"),
            Event::Closed { reason } => self.closed = Some(reason),
            _ => {}
        }
    }
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

/// Opus: the number of the packet, as it is.
fn audio(number: u32) -> Arc<[u8]> {
    number.to_be_bytes().into_iter().cycle().take(80).collect()
}

/// VP8 (RFC 7741 §4.2): descriptor with a long picture id, the payload header of a key frame or another, the number.
fn video(frame: u32, packet: u32, keyframe: bool) -> Arc<[u8]> {
    let first = packet == 0;
    let picture_id = u16::try_from(frame & 0x7fff).expect("15 bits");
    let mut bytes = vec![0x80 | (u8::from(first) << 4), 0x80];
    bytes.extend((0x8000 | picture_id).to_be_bytes());
    bytes.push(u8::from(!keyframe));
    bytes.extend([0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
    bytes.extend((frame * PACKETS_PER_FRAME + packet).to_be_bytes());
    bytes.resize(1_100, 0);
    bytes.into()
}

fn audio_number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().expect("four bytes"))
}

fn video_number(payload: &[u8]) -> u32 {
    // The descriptor keeps its width.
    u32::from_be_bytes(payload[14..18].try_into().expect("four bytes"))
}

async fn publish(member: &mut Member, sections: &[Section]) {
    let (voice, camera) = (sections[0], sections[1]);
    let start = Instant::now();
    for frame in 0..FRAMES {
        let at = start + FRAME_INTERVAL * frame;
        member.live(at).await;
        let packet = Outgoing {
            seq: 65_500 + u64::from(frame),
            time: frame * 480,
            marker: false,
            payload: audio(frame),
        };
        member
            .peer
            .write(voice, Codec::Opus, packet)
            .expect("negotiated");
        let keyframe = std::mem::take(&mut member.keyframe_wanted);
        for packet in 0..PACKETS_PER_FRAME {
            let outgoing = Outgoing {
                seq: 65_400 + u64::from(frame * PACKETS_PER_FRAME + packet),
                time: frame * 900,
                marker: packet + 1 == PACKETS_PER_FRAME,
                payload: video(frame, packet, keyframe),
            };
            member
                .peer
                .write(camera, Codec::Vp8, outgoing)
                .expect("negotiated");
        }
    }
    member
        .live(Instant::now() + Duration::from_millis(200))
        .await;
}

/// What a subscriber has of one track: its numbers without a gap up to the last.
fn check_stream(packets: &[Incoming], number: fn(&[u8]) -> u32, last: u32) -> usize {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq + 1, "a gap in the numbering");
        assert_eq!(
            number(&pair[1].payload),
            number(&pair[0].payload) + 1,
            "a packet is missing or twice there"
        );
    }
    let newest = packets.last().expect("packets came");
    assert_eq!(number(&newest.payload), last);
    packets.len()
}

async fn check_forwarding(shards: u8, ip: IpAddr) {
    let config = MediaConfig {
        udp_port: 0,
        bind: vec![ip],
        shards,
        ..MediaConfig::default()
    };
    let media = Media::start(config).await.expect("a free port");
    let mut publisher = Member::join(&media, 0, ShardId(0), Offerer::Client).await;
    let (sdp, sections) = publisher
        .peer
        .offer(&[(Kind::Audio, "voice"), (Kind::Video, "camera")])
        .expect("an offer");
    publisher.request(Request::Offer {
        connection: MAIN,
        sdp,
        number: 1,
    });
    publisher
        .live_until("the publisher's connection", |member| member.connected)
        .await;
    let watchers = subscribe_all(&media).await;
    let watching: Vec<_> = watchers
        .into_iter()
        .map(|member| tokio::spawn(watch(member)))
        .collect();
    publish(&mut publisher, &sections).await;
    let mut received = 0;
    // They stay until everything is counted: what a client sent just before it left is refused, as it should be.
    let mut staying = Vec::new();
    for watcher in watching {
        let (count, member) = watcher.await.expect("a subscriber");
        received += count;
        staying.push(member);
    }
    // All were subscribed before the first packet.
    let sent =
        usize::from(2 * shards) * usize::try_from(FRAMES * (1 + PACKETS_PER_FRAME)).expect("few");
    assert!(received > sent / 2, "{received} of {sent}");
    check_counters(&media, received).await;
    drop(staying);
    media.stop().await;
    publisher
        .live_until("the end", |member| member.closed.is_some())
        .await;
    assert_eq!(publisher.closed, Some(LeaveReason::Shutdown));
}

/// Two on each shard: a packet that crossed for each of them would be counted twice.
async fn subscribe_all(media: &Media) -> Vec<Member> {
    let mut joining = Vec::new();
    for number in 0..2 * media.shards() {
        let media = media.clone();
        joining.push(tokio::spawn(async move {
            let shard = ShardId(number % media.shards());
            let mut member = Member::join(&media, number + 1, shard, Offerer::Server).await;
            let both = |member: &Member| member.connected && member.subscribed == 2;
            member.live_until("both tracks", both).await;
            member
        }));
    }
    let mut members = Vec::new();
    for member in joining {
        members.push(member.await.expect("a subscriber"));
    }
    members
}

/// Until the last packets; gives how many came.
async fn watch(mut member: Member) -> (usize, Member) {
    let complete = |member: &Member| {
        let newest = |number: fn(&[u8]) -> u32, wanted: u32| {
            let mut streams = member.received.values();
            streams.any(|packets| {
                packets
                    .last()
                    .is_some_and(|packet| number(&packet.payload) == wanted)
            })
        };
        newest(audio_number, FRAMES - 1) && newest(video_number, FRAMES * PACKETS_PER_FRAME - 1)
    };
    member.live_until("the last packets", complete).await;
    assert_eq!(member.received.len(), 2, "audio and video");
    let mut received = 0;
    for packets in member.received.values() {
        let is_audio = packets
            .first()
            .is_some_and(|packet| packet.payload.len() == 80);
        received += if is_audio {
            check_stream(packets, audio_number, FRAMES - 1)
        } else {
            check_stream(packets, video_number, FRAMES * PACKETS_PER_FRAME - 1)
        };
    }
    (received, member)
}

async fn check_counters(media: &Media, received: usize) {
    let all = media.counters().await;
    let published = all[0].1.rtp_in;
    assert_eq!(published, u64::from(FRAMES * (1 + PACKETS_PER_FRAME)));
    for (shard, core, path) in &all {
        assert_eq!(
            (
                path.dropped_ring,
                path.dropped_link_packets,
                path.dropped_send_queue
            ),
            (0, 0, 0)
        );
        // Its address is known wherever a client's first datagram after STUN may arrive.
        assert_eq!(path.dropped_route, 0);
        if *shard == ShardId(0) {
            let others = u64::try_from(all.len()).expect("few") - 1;
            assert!(
                core.link_packets_out <= published * others,
                "a packet crossed twice"
            );
            assert_eq!(
                core.link_packets_out,
                all[1..]
                    .iter()
                    .map(|(_, core, _)| core.link_packets_in)
                    .sum::<u64>()
            );
        } else {
            assert!(
                core.link_packets_in <= published,
                "a packet crossed twice to {shard:?}"
            );
            assert!(
                core.link_packets_in > published / 2,
                "too few crossed to {shard:?}"
            );
        }
    }
    if all.len() == 4 {
        // Nine clients, each at its own shard's socket by a chance of one in four.
        let handed_over: u64 = all.iter().map(|(_, _, path)| path.handed_over).sum();
        assert!(handed_over > 0, "no datagram took the way over a ring");
    }
    let forwarded: u64 = all.iter().map(|(_, core, _)| core.rtp_out).sum();
    assert!(forwarded >= u64::try_from(received).expect("few"));
}

#[tokio::test]
async fn one_shard_forwards_without_gaps() {
    check_forwarding(1, IPV4).await;
}

#[tokio::test]
async fn two_shards_forward_without_gaps() {
    check_forwarding(2, IPV4).await;
}

#[tokio::test]
async fn four_shards_forward_without_gaps() {
    check_forwarding(4, IPV4).await;
}

#[tokio::test]
async fn shards_forward_over_ipv6_where_there_is_any() {
    if UdpSocket::bind((IPV6, 0)).is_ok() {
        check_forwarding(2, IPV6).await;
    }
}
