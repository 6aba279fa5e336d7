use str0m::media::{Direction, MediaKind as RtcKind};

use super::pair::{Adds, Pair, SHARD, SLOT, credentials, down, options};
use crate::Local;
use crate::api::{Codec, MediaKind, Offerer};
use crate::connection::Output;
use crate::ufrag::owner_of_ufrag;

fn receiver() -> Adds {
    Adds {
        media: vec![(RtcKind::Video, Direction::RecvOnly)],
        ..Adds::default()
    }
}

fn ufrag(sdp: &str) -> String {
    let mut found = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=ice-ufrag:"));
    let first = found.next().expect("a fragment").to_owned();
    assert!(found.all(|other| other == first));
    first
}

#[test]
fn after_a_restart_by_the_client_the_fragment_still_names_its_owner() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    let round = pair.negotiate(&receiver());
    let mut seen = vec![ufrag(&round.answer)];
    assert_eq!(seen[0], credentials(1).ufrag);
    pair.run_ms(500);
    for seq in 1..=3 {
        let round = pair.negotiate(&Adds {
            restart: true,
            ..Adds::default()
        });
        let fragment = ufrag(&round.answer);
        assert_eq!(owner_of_ufrag(fragment.as_bytes()), Some((SHARD, SLOT)));
        assert!(!seen.contains(&fragment), "new ones (RFC 8839 §4.4.3.1.1)");
        assert!(!round.answer.contains(" ufrag "));
        seen.push(fragment);
        pair.run_ms(30_000);
        assert!(pair.write(key, Codec::Vp8, seq, b"picture"));
        pair.run_ms(50);
    }
    assert_eq!(pair.client.packets.len(), 3);
    assert_eq!(
        pair.count(|output| matches!(output, Output::Disconnected)),
        0
    );
}

#[test]
fn a_restart_moves_the_client_to_another_address() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&receiver());
    pair.run_ms(500);
    pair.client.address = "10.0.0.9:6000".parse().expect("an address");
    pair.negotiate(&Adds {
        restart: true,
        ..Adds::default()
    });
    pair.run_ms(2_000);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.run_ms(50);
    assert_eq!(pair.client.packets.len(), 1);
    assert_eq!(pair.count(|output| matches!(output, Output::Route(_))), 2);
}

#[test]
fn a_broken_path_is_told_and_so_is_its_return() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&receiver());
    pair.run_ms(500);
    pair.cut = true;
    pair.run_ms(30_000);
    let gone = |output: &Output| matches!(output, Output::Disconnected);
    assert_eq!(pair.count(gone), 1);
    assert!(pair.server.is_alive());
    pair.cut = false;
    pair.negotiate(&Adds {
        restart: true,
        ..Adds::default()
    });
    pair.run_ms(2_000);
    assert_eq!(pair.count(|output| matches!(output, Output::Connected)), 2);
    assert_eq!(pair.count(gone), 1);
    assert_eq!(pair.ready(), [key], "once per binding");
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.run_ms(50);
    assert_eq!(pair.client.packets.len(), 1);
}

#[test]
fn strangers_are_refused() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&receiver());
    pair.run_ms(500);
    let local: std::net::SocketAddr = "10.0.0.1:7000".parse().expect("an address");
    let stranger = "10.6.6.6:1".parse().expect("an address");
    let before = pair.said.len();
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([0; 12]);
    for datagram in [
        &stun[..],
        &[],
        &[0],
        &[1; 30],
        &[255; 40],
        &[22; 3],
        &[128; 12],
    ] {
        pair.server
            .handle_packet(pair.now, stranger, local, datagram);
        pair.server
            .handle_packet(pair.now, pair.client.address, local, datagram);
    }
    assert!(!pair.server.handle_packet(pair.now, stranger, local, &stun));
    assert!(!pair.server.handle_packet(pair.now, stranger, local, &[]));
    pair.run_ms(5_000);
    assert!(pair.server.is_alive());
    assert!(!pair.said[before..].iter().any(|output| matches!(
        output,
        Output::Route(_) | Output::Closed | Output::Disconnected
    )));
}

#[test]
fn closing_says_goodbye() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&receiver());
    pair.run_ms(500);
    pair.server.close(pair.now);
    pair.exchange();
    assert_eq!(pair.count(|output| matches!(output, Output::Closed)), 1);
    assert!(!pair.server.is_alive());
    assert_eq!(pair.server.deadline(), None);
    pair.run_ms(2_000);
    assert!(!pair.client.rtc.is_alive(), "it was told");
    assert_eq!(pair.count(|output| matches!(output, Output::Closed)), 1);
}

#[test]
fn a_goodbye_of_the_client_ends_it() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&receiver());
    pair.run_ms(500);
    pair.client.rtc.close().expect("the client works");
    pair.run_ms(1_000);
    assert_eq!(pair.count(|output| matches!(output, Output::Closed)), 1);
    assert!(!pair.server.is_alive());
}

#[test]
fn a_connection_that_never_was_can_be_closed() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.server.close(pair.now);
    pair.exchange();
    assert_eq!(pair.count(|output| matches!(output, Output::Closed)), 1);
    assert!(!pair.server.is_alive());
}

#[test]
fn reports_come_while_media_flows() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&receiver());
    pair.run_ms(500);
    pair.lose_every = Some(4);
    pair.unrepaired = true;
    for seq in 1..=500 {
        pair.write(key, Codec::Vp8, seq, b"picture");
        pair.run_ms(20);
    }
    let reports = pair.reports();
    assert!((4..=6).contains(&reports.len()), "{}", reports.len());
    let sent: u64 = reports.iter().map(|report| report.down_packets).sum();
    assert!(sent > 300, "{sent}");
    let last = reports.last().expect("reports");
    // Which datagrams are lost depends on what goes between the packets: single reports differ.
    let worst = reports
        .iter()
        .map(|report| report.down_loss)
        .fold(0.0, f32::max);
    assert!(worst > 0.1 && worst < 0.5, "{reports:?}");
    assert_eq!((last.up_packets, last.up_loss), (0, 0.0));
    assert!(last.rtt.is_some());
}

#[test]
fn a_stream_is_one_s_that_proved_it_and_what_is_for_him_goes_there() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&receiver());
    let ours: std::net::SocketAddr = "10.0.0.1:7000".parse().expect("an address");
    let checks = pair.client.unsent();
    let is_stun = |bytes: &[u8]| bytes.first().is_some_and(|first| *first < 2);
    let (from, _, check) = checks
        .iter()
        .find(|(_, _, bytes)| is_stun(bytes))
        .expect("it checks");
    let hello = [22; 60];
    let tcp = Local::Tcp(ours);
    let heard = |pair: &mut Pair, local: Local, bytes: &[u8]| {
        pair.server.handle_packet(pair.now, *from, local, bytes)
    };
    assert!(!heard(&mut pair, tcp, &hello), "before anything was proved");
    let mut broken = check.clone();
    // The end of its integrity: a fingerprint of eight bytes is after it.
    let end = broken.len() - 9;
    broken[end] ^= 1;
    heard(&mut pair, tcp, &broken);
    assert!(!heard(&mut pair, tcp, &hello), "with a wrong check");
    assert!(heard(&mut pair, tcp, check));
    let mut out = crate::Transmits::default();
    let mut streams = Vec::new();
    while let Some(output) = pair.server.poll(pair.now, &mut out) {
        assert!(!matches!(output, Output::Route(_)), "not over UDP");
        if let Output::Stream { local, remote } = output {
            streams.push((local, remote));
        }
    }
    assert_eq!(streams, [(ours, *from)]);
    let answer = out.all().first().expect("an answer");
    assert_eq!((answer.local, answer.remote), (tcp, *from));
    assert!(heard(&mut pair, tcp, &hello), "now it may");
}

#[test]
fn tcp_is_told_passive_and_after_udp() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let answer = pair.negotiate(&receiver()).answer;
    let of = |over: &str| {
        let lines = answer.lines();
        let mut lines = lines.filter(|line| line.starts_with("a=candidate:"));
        let line = lines.find(|line| line.contains(over)).expect("told");
        let priority = line
            .split(' ')
            .nth(3)
            .and_then(|word| word.parse::<u32>().ok());
        (line, priority.expect("a number"))
    };
    let (udp, tcp) = (of(" udp "), of(" tcp "));
    assert!(udp.1 > tcp.1, "{udp:?} {tcp:?}");
    assert!(tcp.0.ends_with("typ host tcptype passive"), "{tcp:?}");
}
