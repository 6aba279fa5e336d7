use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use madang_sfu::Slot;
use madang_sfu::api::{Event, LeaveReason, PeerId, Request, RoomId, ShardId};

use super::testing::stun_request;
use super::{
    EVENTS_PENDING_MAX, Media, MediaConfig, MediaError, PathCounters, REQUESTS_PENDING_MAX,
};
use crate::config::TurnUdp;
use crate::stun::{self, Transaction};

const SETTLE_MAX: Duration = Duration::from_secs(10);

fn config(shards: u8) -> MediaConfig {
    MediaConfig {
        udp_port: 0,
        bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        shards,
        ..MediaConfig::default()
    }
}

async fn start(shards: u8) -> Media {
    Media::start(config(shards))
        .await
        .expect("a free port on loopback")
}

/// Asks until the sum over all shards is right: datagrams take their time through the kernel.
async fn settle(
    media: &Media,
    what: impl Fn(&PathCounters) -> u64,
    expected: u64,
) -> Vec<PathCounters> {
    let start = Instant::now();
    loop {
        let all: Vec<PathCounters> = media
            .counters()
            .await
            .into_iter()
            .map(|(_, _, path)| path)
            .collect();
        let sum: u64 = all.iter().map(&what).sum();
        if sum == expected {
            return all;
        }
        assert!(
            start.elapsed() < SETTLE_MAX,
            "{sum}, not {expected}: {all:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn settle_load(media: &Media, peers: u64) {
    let start = Instant::now();
    while media.load().iter().map(|load| load.peers).sum::<u64>() != peers {
        assert!(start.elapsed() < SETTLE_MAX, "{:?}", media.load());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_port_is_free_after_stop() {
    for shards in [1, 2, 4] {
        let media = start(shards).await;
        let port = media.local_port();
        assert_eq!(
            media.candidates(),
            [SocketAddr::from(([127, 0, 0, 1], port))]
        );
        assert_eq!(media.shards(), shards);
        media.stop().await;
        UdpSocket::bind(("127.0.0.1", port)).expect("free again");
        media.stop().await;
    }
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do_also_when_shards_share_it() {
    for shards in [1, 2] {
        let media = start(shards).await;
        let taken = MediaConfig {
            udp_port: media.local_port(),
            ..config(2)
        };
        let error = Media::start(taken).await.expect_err("taken");
        assert!(matches!(error, MediaError::PortInUse { .. }));
        let text = error.to_string();
        assert!(
            text.contains(&media.local_port().to_string()) && text.contains("--udp-port"),
            "{text}"
        );
        media.stop().await;
    }
}

fn beside(relay_udp: TurnUdp, shards: u8) -> MediaConfig {
    MediaConfig {
        relay_udp,
        ..config(shards)
    }
}

#[tokio::test]
async fn stun_and_turn_answer_at_a_port_of_their_own_and_hear_nothing_else_there() {
    for shards in [1, 4] {
        let media = Media::start(beside(TurnUdp::At(0), shards))
            .await
            .expect("free ports");
        let port = media.relay_port().expect("its own");
        assert_ne!(port, media.local_port());
        let client = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        client.set_read_timeout(Some(SETTLE_MAX)).expect("set");
        let own = client.local_addr().expect("bound");
        let mut answer = [0; 100];
        for at in [port, media.local_port()] {
            let transaction = Transaction::random().expect("random");
            let request = stun::request(transaction);
            client.send_to(&request, ("127.0.0.1", at)).expect("sent");
            let (bytes, from) = client.recv_from(&mut answer).expect("an answer");
            assert_eq!(from.port(), at, "from where it was asked");
            assert_eq!(stun::mapped(&answer[..bytes], transaction), Some(own));
        }
        // A check of a connection is for the media port, and no core sees it here.
        let check = stun_request(ShardId(0), Slot(1));
        client.send_to(&check, ("127.0.0.1", port)).expect("sent");
        client
            .send_to(&[0x80; 40], ("127.0.0.1", port))
            .expect("sent");
        settle(&media, |path| path.received, 4).await;
        let counters = media.counters().await;
        assert!(
            counters
                .iter()
                .all(|(_, core, _)| *core == Default::default())
        );
        media.stop().await;
        UdpSocket::bind(("127.0.0.1", port)).expect("free again");
    }
}

#[tokio::test]
async fn the_usual_port_is_done_without_and_one_that_was_asked_for_is_not() {
    // Not for us alone: nobody else takes it between.
    let other = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let taken = other.local_addr().expect("bound").port();
    for shards in [1, 2] {
        let refused = Media::start(beside(TurnUdp::At(taken), shards)).await;
        let text = refused.expect_err("taken").to_string();
        for part in ["turn.udp_port", &taken.to_string(), "ss -ulpn", "off"] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let first = Media::start(beside(TurnUdp::IfFree, shards))
            .await
            .expect("with it or without");
        let second = Media::start(beside(TurnUdp::IfFree, shards))
            .await
            .expect("without");
        let both = [first.relay_port(), second.relay_port()];
        assert!(both.contains(&None), "never both: {both:?}");
        first.stop().await;
        second.stop().await;
    }
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let foreign = MediaConfig {
        bind: vec!["192.0.2.1".parse().expect("an address")],
        ..config(1)
    };
    assert!(matches!(
        Media::start(foreign).await,
        Err(MediaError::NotOurs { .. })
    ));
    assert!(matches!(
        Media::start(config(0)).await,
        Err(MediaError::Shards(0))
    ));
    assert!(matches!(
        Media::start(config(65)).await,
        Err(MediaError::Shards(65))
    ));
}

#[tokio::test]
async fn both_families_by_default() {
    let media = Media::start(MediaConfig {
        bind: Vec::new(),
        ..config(2)
    })
    .await
    .expect("a free port");
    let candidates = media.candidates();
    assert!(
        candidates
            .iter()
            .any(|candidate| candidate.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST))
    );
    assert!(
        candidates
            .iter()
            .all(|candidate| candidate.port() == media.local_port())
    );
    let families =
        [true, false].map(|v4| candidates.iter().any(|candidate| candidate.is_ipv4() == v4));
    for candidate in candidates {
        let sender = UdpSocket::bind((if candidate.is_ipv4() { "0.0.0.0" } else { "::" }, 0))
            .expect("a socket");
        sender.send_to(b"\x80", candidate).expect("sent");
    }
    let sent = u64::try_from(candidates.len()).expect("few");
    settle(&media, |path| path.dropped_route, sent).await;
    assert!(families[0]);
    media.stop().await;
}

#[tokio::test]
async fn a_datagram_at_the_wrong_shard_reaches_the_owner() {
    const SENDERS: u64 = 64;
    let media = start(2).await;
    let target = media.candidates()[0];
    let owner = ShardId(1);
    for _ in 0..SENDERS {
        // The system chooses the shard by the pair of addresses.
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        sender
            .send_to(&stun_request(owner, Slot(3)), target)
            .expect("sent");
    }
    let paths = settle(&media, |path| path.received, SENDERS).await;
    let wrong = paths[0].received;
    if super::udp::is_port_shared() {
        assert!(
            wrong > 0 && wrong < SENDERS,
            "both sockets got some: {wrong}"
        );
    }
    let paths = settle(&media, |path| path.taken_over, wrong).await;
    assert_eq!((paths[0].handed_over, paths[1].taken_over), (wrong, wrong));
    let all = media.counters().await;
    let refused: Vec<u64> = all
        .iter()
        .map(|(_, core, _)| core.datagrams_refused)
        .collect();
    assert_eq!(
        refused,
        [0, SENDERS],
        "the owner's core has seen all of them, and knows no such connection"
    );
    media.stop().await;
}

#[tokio::test]
async fn strangers_are_counted_and_nothing_is_kept_of_them() {
    const EACH: u64 = 20;
    let media = start(2).await;
    let target = media.candidates()[0];
    for _ in 0..EACH {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for bytes in [
            &[0x80_u8, 96][..],
            &[22, 254, 253],
            &[64, 0],
            &[200],
            &[1, 1, 0, 0],
        ] {
            sender.send_to(bytes, target).expect("sent");
        }
    }
    let paths = settle(&media, |path| path.received, 5 * EACH).await;
    let sum = |what: fn(&PathCounters) -> u64| paths.iter().map(what).sum::<u64>();
    assert_eq!(sum(|path| path.dropped_route), 2 * EACH);
    let relays = media.relay_counters().await;
    let malformed = relays.iter().map(|(_, relay)| relay.dropped_malformed);
    assert_eq!(malformed.sum::<u64>(), EACH);
    assert_eq!(sum(|path| path.dropped_kind), EACH);
    assert_eq!(sum(|path| path.dropped_stun), EACH);
    assert_eq!(sum(|path| path.routes_now), 0);
    assert_eq!(sum(|path| path.sent), 0);
    media.stop().await;
}

#[tokio::test]
async fn stop_ends_every_stay_and_what_comes_after_is_refused() {
    let media = start(2).await;
    let mut ports = Vec::new();
    for (shard, peer) in [(0, 1), (1, 2), (9, 3)] {
        ports.push(media.attach(ShardId(shard), PeerId(peer)));
    }
    media.stop().await;
    ports.push(media.attach(ShardId(0), PeerId(4)));
    for mut port in ports {
        let event = tokio::time::timeout(SETTLE_MAX, port.events.recv())
            .await
            .expect("at once");
        assert!(
            matches!(
                event,
                Some(Event::Closed {
                    reason: LeaveReason::Shutdown
                })
            ),
            "{event:?}"
        );
        assert!(port.events.recv().await.is_none());
        assert!(port.requests.send(Request::Resync).is_err());
    }
    assert!(media.room(ShardId(0), RoomId(1)).await.is_none());
    assert!(media.counters().await.is_empty());
}

#[tokio::test]
async fn dropping_a_port_lets_its_peer_go() {
    let media = start(1).await;
    let port = media.attach(ShardId(0), PeerId(1));
    let leaving = media.attach(ShardId(0), PeerId(2));
    leaving.requests.send(Request::Leave).expect("attached");
    settle_load(&media, 2).await;
    drop((port, leaving));
    settle_load(&media, 0).await;
    settle(&media, |path| path.peers_abandoned, 1).await;
    media.stop().await;
}

#[tokio::test(flavor = "current_thread")]
async fn who_asks_more_than_can_be_handled_is_let_go() {
    let (commands, held) = tokio::sync::mpsc::unbounded_channel();
    let port = super::port::attach(&commands, PeerId(1));
    for _ in 0..REQUESTS_PENDING_MAX {
        port.requests.send(Request::Resync).expect("still counted");
    }
    assert!(port.requests.send(Request::Resync).is_err());
    assert!(port.requests.send(Request::Resync).is_err());
    let expected = usize::try_from(REQUESTS_PENDING_MAX).expect("small") + 2;
    assert_eq!(
        held.len(),
        expected,
        "the attachment, the requests, and one word of the flood"
    );
}

#[tokio::test]
async fn who_does_not_read_is_let_go_as_too_slow() {
    let (commands, mut held) = tokio::sync::mpsc::unbounded_channel();
    let mut port = super::port::attach(&commands, PeerId(1));
    let Some(super::port::Command::Attach { queue, .. }) = held.recv().await else {
        panic!("attached first");
    };
    for _ in 0..EVENTS_PENDING_MAX {
        assert_eq!(
            queue.push(Event::Speakers(Vec::new())),
            super::port::Pushed::More
        );
    }
    assert_eq!(
        queue.push(Event::Speakers(Vec::new())),
        super::port::Pushed::Full
    );
    queue.end(LeaveReason::TooSlow);
    drop(queue);
    let mut read = 0;
    let last = loop {
        match port.events.recv().await {
            Some(Event::Closed { reason }) => break reason,
            Some(_) => read += 1,
            None => panic!("it must be told why"),
        }
    };
    assert_eq!((read, last), (EVENTS_PENDING_MAX, LeaveReason::TooSlow));
    assert!(port.requests.send(Request::Resync).is_err());
}

#[tokio::test]
async fn a_shard_with_nothing_to_do_sleeps() {
    let media = start(2).await;
    let before = settle(&media, |path| path.received, 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = settle(&media, |path| path.received, 0).await;
    for (before, after) in before.iter().zip(&after) {
        // One for our question, one in which the sockets had nothing any more.
        assert!(after.ticks - before.ticks <= 2, "{before:?} {after:?}");
    }
    media.stop().await;
}

#[test]
#[ignore = "ends the process: run by the next test, in a process of its own"]
fn planted_panic() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let media = start(1).await;
        media.0.shards[0]
            .commands
            .send(super::port::Command::Panic)
            .expect("it runs");
        tokio::time::sleep(SETTLE_MAX).await;
    });
}

#[test]
fn a_media_thread_that_panics_ends_the_process() {
    let own = std::env::current_exe().expect("this program");
    let run = std::process::Command::new(own)
        .args([
            "--exact",
            "media::tests::planted_panic",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .expect("it starts");
    assert_eq!(run.status.code(), Some(super::MEDIA_PANIC_EXIT_CODE));
    assert!(
        String::from_utf8_lossy(&run.stderr).contains("planted"),
        "the panic itself is to be read"
    );
}

#[tokio::test]
async fn strangers_learn_by_which_address_they_are_seen() {
    for shards in [1, 4] {
        let media = start(shards).await;
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        stranger.set_read_timeout(Some(SETTLE_MAX)).expect("set");
        let transaction = Transaction::random().expect("the system has randomness");
        let request = stun::request(transaction);
        stranger
            .send_to(&request, media.candidates()[0])
            .expect("sent");
        let mut answer = [0; 100];
        let (bytes, from) = stranger.recv_from(&mut answer).expect("answered");
        assert_eq!(from, media.candidates()[0]);
        let seen = stun::mapped(&answer[..bytes], transaction);
        assert_eq!(seen, stranger.local_addr().ok());
        let relays = media.relay_counters().await;
        let bindings: Vec<u64> = relays.iter().map(|(_, relay)| relay.bindings).collect();
        assert_eq!(bindings.iter().sum::<u64>(), 1);
    }
}

#[tokio::test]
async fn the_public_address_is_asked_of_the_stun_server_alone() {
    let (server, silent) = (
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
    );
    let at = |socket: &UdpSocket| socket.local_addr().expect("bound").to_string();
    let lying = std::thread::spawn({
        let server = server.try_clone().expect("a socket");
        move || {
            let mut request = [0; 100];
            let (bytes, asker) = server.recv_from(&mut request).expect("asked");
            let public = SocketAddr::from(([203, 0, 113, 9], asker.port()));
            let answer = stun::answer(&request[..bytes], public).expect("a plain request");
            server.send_to(&answer, asker).expect("sent");
            asker.port()
        }
    });
    let asking = |stun_server| MediaConfig {
        stun_server: Some(stun_server),
        ..config(4)
    };
    let media = Media::start(asking(at(&server)))
        .await
        .expect("a free port");
    assert_eq!(
        lying.join().expect("no panic"),
        media.local_port(),
        "of the media port"
    );
    let told: Vec<IpAddr> = media.candidates().iter().map(SocketAddr::ip).collect();
    let expected = ["203.0.113.9", "127.0.0.1"].map(|ip| ip.parse::<IpAddr>().expect("an address"));
    assert_eq!(told, expected);
    // Whoever does not answer delays the start, and that is all.
    let media = Media::start(asking(at(&silent)))
        .await
        .expect("a free port");
    assert!(media.found().is_empty());
    // What is announced needs no question.
    let announced = MediaConfig {
        announce: expected[..1].to_vec(),
        ..asking(at(&silent))
    };
    let mut request = [0; 100];
    while silent.recv_from(&mut request).is_ok() {
        silent
            .set_read_timeout(Some(Duration::from_millis(1)))
            .expect("set");
    }
    Media::start(announced).await.expect("a free port");
    assert!(silent.recv_from(&mut request).is_err(), "nobody was asked");
}
