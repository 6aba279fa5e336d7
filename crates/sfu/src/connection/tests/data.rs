use std::sync::Arc;

use bytes::Bytes;

use super::pair::{Adds, Pair, options};
use crate::api::{ChannelSpec, Offerer, Refusal};
use crate::connection::Output;

/// As aiortc up to 1.9 writes it: the old form of the section, candidates, several fingerprints.
fn legacy(offer: &str) -> String {
    let mut text = String::new();
    for line in offer.lines() {
        if line.starts_with("m=application") {
            text.push_str("m=application 50505 DTLS/SCTP 5000\r\n");
        } else if line.starts_with("a=sctp-port") {
            text.push_str("a=sctpmap:5000 webrtc-datachannel 65535\r\n");
        } else if line.starts_with("a=fingerprint:") {
            let sha512: Vec<&str> = std::iter::repeat_n("AB", 64).collect();
            text.push_str(line);
            text.push_str("\r\na=fingerprint:sha-512 ");
            text.push_str(&sha512.join(":"));
            text.push_str(
                "\r\na=candidate:abc 1 udp 2130706431 some-name.local 50505 typ host\r\n",
            );
            text.push_str(
                "a=candidate:abc 1 tcp 2130706431 192.0.2.1 9 typ host tcptype active\r\n",
            );
        } else {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    text
}

fn channels(labels: &[&'static str]) -> Adds {
    Adds {
        channels: labels.to_vec(),
        ..Adds::default()
    }
}

#[test]
fn data_goes_both_ways_by_label() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let round = pair.negotiate(&channels(&["stream", "metric"]));
    assert!(round.sections.is_empty());
    pair.run_ms(1_000);
    assert_eq!(
        pair.count(|output| matches!(output, Output::ChannelOpen { .. })),
        2
    );
    let (id, _) = pair.client.channels[0].clone();
    let mut channel = pair.client.rtc.channel(id).expect("open");
    assert!(channel.write(false, "앞으로".as_bytes()).expect("written"));
    assert!(channel.write(true, &[0, 255]).expect("written"));
    pair.run_ms(100);
    let label = pair.client.channels[0].1.clone();
    assert_eq!(
        pair.data(),
        [
            (label.clone(), false, Bytes::from("앞으로")),
            (label.clone(), true, Bytes::from_static(&[0, 255]))
        ]
    );
    assert!(pair.server.data_writable(&label));
    assert!(
        pair.server
            .send_data(&label, true, &Bytes::from_static(b"back"))
    );
    assert!(
        !pair
            .server
            .send_data("unknown", true, &Bytes::from_static(b"lost"))
    );
    assert!(!pair.server.data_writable("unknown"));
    assert!(pair.server.send_data(&label, true, &Bytes::new()));
    assert_eq!(pair.server.take_data_dropped(), 1, "an empty one");
    pair.run_ms(100);
    assert_eq!(pair.client.data, [(id, true, b"back".to_vec())]);
}

#[test]
fn a_channel_that_the_client_closes_is_told() {
    let mut pair = Pair::new(&options(Offerer::Client));
    pair.negotiate(&channels(&["stream", "metric"]));
    pair.run_ms(1_000);
    let (id, label) = pair.client.channels[0].clone();
    pair.client.rtc.direct_api().close_data_channel(id);
    pair.run_ms(200);
    let closed = |output: &Output| matches!(output, Output::ChannelClosed { label: closed } if **closed == *label);
    assert_eq!(pair.count(closed), 1);
    assert_eq!(
        pair.count(|output| matches!(output, Output::ChannelClosed { .. })),
        1
    );
    let late = Bytes::from_static(b"late");
    assert!(!pair.server.send_data(&label, true, &late));
    let other = pair.client.channels[1].1.clone();
    assert!(pair.server.send_data(&other, true, &late));
}

#[test]
fn a_full_channel_takes_no_more_until_it_has_room() {
    let mut subscriber = options(Offerer::Server);
    let spec = |label: &str, retransmits_max: Option<u16>| ChannelSpec {
        label: Arc::from(label),
        ordered: retransmits_max.is_none(),
        retransmits_max,
    };
    subscriber.channels = vec![spec("reliable", None), spec("lossy", Some(0))];
    let mut pair = Pair::new(&subscriber);
    pair.exchange();
    pair.answer_offer();
    pair.run_ms(1_000);
    let message = Bytes::from(vec![7; 16_000]);
    let mut sent = 0;
    while pair.server.send_data("reliable", true, &message) {
        sent += 1;
        assert!(sent < 100);
    }
    assert!((5..=12).contains(&sent), "{sent}");
    assert!(!pair.server.data_writable("reliable"));
    assert!(
        pair.server.send_data("lossy", true, &message),
        "it has its own part"
    );
    pair.server.handle_timeout(pair.now);
    pair.run_ms(5_000);
    assert!(pair.server.data_writable("reliable"));
    assert_eq!(pair.client.data.len(), sent + 1);
    let large = Bytes::from(vec![7; 200_000]);
    assert!(pair.server.send_data("reliable", true, &large));
    let too_large = Bytes::from(vec![7; 300_000]);
    pair.run_ms(5_000);
    assert_eq!(pair.server.take_data_dropped(), 0);
    assert!(pair.server.send_data("reliable", true, &too_large));
    assert_eq!(pair.server.take_data_dropped(), 1);
}

#[test]
fn the_old_form_of_a_data_section_is_answered() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let (offer, pending, _) = pair.client.offer(&channels(&["default"]));
    let legacy = legacy(&offer);
    assert_ne!(offer, legacy);
    pair.try_offer(&legacy).expect("a good offer");
    let (answer, map) = pair.server.answer(pair.now).expect("an answer");
    assert!(map.is_empty());
    assert!(answer.contains("UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert!(answer.contains("a=sctp-port:5000"));
    assert!(answer.contains("a=candidate:"));
    assert!(answer.contains("a=end-of-candidates"));
    pair.client.take_answer(pending, &answer);
    pair.run_ms(1_000);
    assert_eq!(
        pair.count(
            |output| matches!(output, Output::ChannelOpen { label } if &**label == "default")
        ),
        1
    );
}

#[test]
fn an_offer_without_a_bundle_group_is_taken_as_one() {
    let mut pair = Pair::new(&options(Offerer::Client));
    let (offer, pending, _) = pair.client.offer(&channels(&["default"]));
    let without: String = offer
        .lines()
        .filter(|line| !line.starts_with("a=group"))
        .map(|line| format!("{line}\n"))
        .collect();
    pair.try_offer(&without).expect("a good offer");
    let (answer, _) = pair.server.answer(pair.now).expect("an answer");
    pair.client.take_answer(pending, &answer);
    pair.run_ms(1_000);
    assert_eq!(
        pair.count(|output| matches!(output, Output::ChannelOpen { .. })),
        1
    );
}

#[test]
fn the_wrong_side_does_not_offer() {
    let mut pair = Pair::new(&options(Offerer::Server));
    let (offer, _, _) = pair.client.offer(&channels(&["default"]));
    assert!(matches!(pair.try_offer(&offer), Err(Refusal::State(_))));
    let mut pair = Pair::new(&options(Offerer::Client));
    assert!(matches!(
        pair.server.handle_answer(pair.now, &offer, 1),
        Err(Refusal::State(_))
    ));
}
