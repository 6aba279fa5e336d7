use std::sync::Arc;

use super::pair::{Pair, credentials, down, options, section, ssrcs};
use crate::api::{ChannelSpec, Codec, MediaKind, Offerer, Refusal, TrackId};
use crate::connection::Output;

fn channel(label: &str) -> ChannelSpec {
    ChannelSpec {
        label: Arc::from(label),
        ordered: true,
        retransmits_max: None,
    }
}

fn attach(pair: &mut Pair, track: u64) -> crate::connection::DownKey {
    pair.server
        .attach(pair.now, down(track, MediaKind::Video, Some(Codec::Vp8)))
}

#[test]
fn channels_are_offered_at_once_with_the_tracks_that_are_there() {
    let mut subscriber = options(Offerer::Server);
    subscriber.channels = vec![channel("_reliable"), channel("_lossy")];
    let mut pair = Pair::new(&subscriber);
    let key = attach(&mut pair, 1);
    pair.exchange();
    let (sdp, number, map) = pair.take_offer().expect("at once");
    assert_eq!(number, 1);
    assert!(sdp.contains("m=application"));
    assert_eq!(map.len(), 1);
    assert_eq!(map[0].1, TrackId(1));
    let lines = section(&sdp, &map[0].0);
    assert!(lines.contains(&"a=sendonly"));
    assert!(lines.contains(&"a=msid:PA_1|TR_1 TR_1"));
    assert!(lines.iter().any(|line| line.ends_with("VP8/90000")));
    assert!(
        !lines.iter().any(|line| line.contains("H264")),
        "only what is needed"
    );
    assert!(sdp.contains("a=end-of-candidates"));
    assert_eq!(sdp.matches("a=candidate:").count(), 2, "over UDP and TCP");

    let answer = pair.client.answer(&sdp);
    let stale = pair.server.handle_answer(pair.now, &answer, 7);
    assert_eq!(stale, Ok(Vec::new()));
    let sections = pair
        .server
        .handle_answer(pair.now, &answer, 1)
        .expect("a good answer");
    assert!(sections.iter().all(|section| !section.sending));
    pair.run_ms(500);
    assert_eq!(pair.ready(), [key]);
    assert!(pair.write(key, Codec::Vp8, 1, b"picture"));
    pair.run_ms(50);
    assert_eq!(*pair.client.packets[0].header.ssrc, ssrcs(&lines).0);
    let open = pair.count(|output| matches!(output, Output::ChannelOpen { .. }));
    assert_eq!(open, 2);
    assert_eq!(
        pair.server.handle_answer(pair.now, &answer, 1),
        Ok(Vec::new())
    );
    assert!(pair.take_offer().is_none(), "nothing more to say");
}

#[test]
fn nothing_is_offered_before_there_is_something() {
    let mut pair = Pair::new(&options(Offerer::Server));
    pair.run_ms(1000);
    assert!(pair.take_offer().is_none());
    attach(&mut pair, 1);
    pair.run_ms(5);
    assert!(pair.take_offer().is_none(), "gathered for a moment");
    attach(&mut pair, 2);
    pair.run_ms(10);
    let (_, map) = pair.answer_offer();
    assert_eq!(map.len(), 2);
}

#[test]
fn one_offer_at_a_time_and_wishes_are_remembered() {
    let mut pair = Pair::new(&options(Offerer::Server));
    attach(&mut pair, 1);
    pair.run_ms(20);
    let (sdp, number, _) = pair.take_offer().expect("the first");
    let second = attach(&mut pair, 2);
    pair.run_ms(1000);
    assert!(pair.take_offer().is_none(), "the first is unanswered");
    assert!(matches!(
        pair.server.handle_answer(pair.now, "rubbish", 1),
        Err(Refusal::Sdp(_))
    ));
    let answer = pair.client.answer(&sdp);
    pair.server
        .handle_answer(pair.now, &answer, number)
        .expect("a good answer");
    pair.run_ms(200);
    let (sdp, number, map) = pair.take_offer().expect("the second");
    assert_eq!((number, map.len()), (2, 2));
    let answer = pair.client.answer(&sdp);
    pair.server
        .handle_answer(pair.now, &answer, 0)
        .expect("unnumbered");
    pair.run_ms(500);
    assert!(pair.ready().contains(&second));
}

#[test]
fn sections_are_recycled_but_never_for_the_same_stream() {
    let mut pair = Pair::new(&options(Offerer::Server));
    let one = attach(&mut pair, 1);
    pair.run_ms(20);
    let (sdp, map) = pair.answer_offer();
    let first_mid = map[0].0.clone();
    let before = ssrcs(&section(&sdp, &first_mid));
    pair.run_ms(500);
    pair.server.detach(pair.now, one);
    pair.run_ms(200);
    let (sdp, map) = pair.answer_offer();
    assert!(map.is_empty());
    assert!(section(&sdp, &first_mid).contains(&"a=inactive"));

    let again = attach(&mut pair, 1);
    pair.run_ms(200);
    let (sdp, map) = pair.answer_offer();
    assert_ne!(map[0].0, first_mid, "the pair of mid and stream was used");
    assert_eq!(sdp.matches("m=video").count(), 2);

    let two = attach(&mut pair, 2);
    pair.run_ms(200);
    let (sdp, map) = pair.answer_offer();
    assert_eq!(sdp.matches("m=video").count(), 2, "no new section");
    assert!(map.contains(&(first_mid.clone(), TrackId(2))));
    let lines = section(&sdp, &first_mid);
    assert!(lines.contains(&"a=sendonly"));
    assert!(lines.contains(&"a=msid:PA_2|TR_2 TR_2"));
    let after = ssrcs(&lines);
    assert!(before.0 != after.0 && before.1 != after.1);
    pair.run_ms(500);
    assert_eq!(pair.ready(), [one, again, two]);
    for (key, text) in [(again, b"one"), (two, b"two")] {
        assert!(pair.write(key, Codec::Vp8, 70_000, text));
    }
    pair.run_ms(50);
    assert_eq!(
        pair.client.packets.len(),
        2,
        "{:?} {after:?} {map:?} {first_mid}",
        pair.client.packets
    );
    assert!(
        pair.client
            .packets
            .iter()
            .any(|packet| *packet.header.ssrc == after.0 && &*packet.payload == b"two")
    );
}

#[test]
fn a_track_that_left_while_it_was_offered_leaves_no_trace() {
    let mut pair = Pair::new(&options(Offerer::Server));
    let one = attach(&mut pair, 1);
    pair.run_ms(20);
    let (sdp, number, map) = pair.take_offer().expect("an offer");
    pair.server.detach(pair.now, one);
    let answer = pair.client.answer(&sdp);
    pair.server
        .handle_answer(pair.now, &answer, number)
        .expect("a good answer");
    pair.run_ms(500);
    assert!(pair.ready().is_empty());
    let (sdp, after) = pair.answer_offer();
    assert!(after.is_empty());
    assert!(section(&sdp, &map[0].0).contains(&"a=inactive"));
    attach(&mut pair, 2);
    pair.run_ms(200);
    let (_, after) = pair.answer_offer();
    assert_eq!(after, [(map[0].0.clone(), TrackId(2))]);
}

#[test]
fn who_does_not_answer_is_not_there() {
    let mut pair = Pair::new(&options(Offerer::Server));
    attach(&mut pair, 1);
    pair.run_ms(14_000);
    let gone = |output: &Output| matches!(output, Output::Disconnected);
    assert_eq!(pair.count(gone), 0);
    pair.run_ms(2_000);
    assert_eq!(pair.count(gone), 1);
    pair.run_ms(30_000);
    assert_eq!(pair.count(gone), 1);
}

#[test]
fn a_late_answer_is_better_than_none() {
    let mut pair = Pair::new(&options(Offerer::Server));
    attach(&mut pair, 1);
    pair.run_ms(20);
    pair.answer_offer();
    pair.run_ms(500);
    let two = attach(&mut pair, 2);
    pair.run_ms(17_000);
    let up = |output: &Output| matches!(output, Output::Connected);
    let gone = |output: &Output| matches!(output, Output::Disconnected);
    assert_eq!((pair.count(up), pair.count(gone)), (1, 1));
    pair.answer_offer();
    pair.run_ms(500);
    assert_eq!((pair.count(up), pair.count(gone)), (2, 1));
    assert!(pair.ready().contains(&two));
}

#[test]
fn a_codec_that_the_client_lacks_is_known_after_the_answer() {
    let mut pair = Pair::new(&options(Offerer::Server));
    assert!(pair.server.can_send(Codec::Av1));
    pair.server
        .attach(pair.now, down(1, MediaKind::Video, None));
    pair.run_ms(20);
    let (sdp, number, _) = pair.take_offer().expect("an offer");
    assert!(
        sdp.contains("AV1") && sdp.contains("H264"),
        "all, for it is not known which"
    );
    let answer = pair.client.answer(&sdp);
    let without: String = answer
        .lines()
        .filter(|line| !line.contains("AV1"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let without = without.replace(" 45 46", "");
    pair.server
        .handle_answer(pair.now, &without, number)
        .expect("a good answer");
    assert!(!pair.server.can_send(Codec::Av1));
    assert!(pair.server.can_send(Codec::H264));
}

#[test]
fn our_restart_has_the_credentials_given() {
    let mut pair = Pair::new(&options(Offerer::Server));
    let key = attach(&mut pair, 1);
    pair.run_ms(20);
    pair.answer_offer();
    pair.run_ms(500);
    let fresh = credentials(99);
    pair.server.restart(pair.now, fresh.clone());
    pair.run_ms(1);
    let (sdp, _) = pair.answer_offer();
    assert!(sdp.contains(&format!("a=ice-ufrag:{}\r\n", fresh.ufrag)));
    assert!(sdp.contains(&format!("a=ice-pwd:{}\r\n", fresh.password)));
    let written = pair.client.packets.len();
    pair.run_ms(30_000);
    assert!(pair.write(key, Codec::Vp8, 1, b"after"));
    pair.run_ms(50);
    assert_eq!(pair.client.packets.len(), written + 1);
    assert_eq!(
        pair.count(|output| matches!(output, Output::Disconnected)),
        0
    );
}

#[test]
fn a_restart_while_an_offer_is_out_says_it_again() {
    let mut pair = Pair::new(&options(Offerer::Server));
    attach(&mut pair, 1);
    pair.run_ms(20);
    let (first, number, _) = pair.take_offer().expect("an offer");
    pair.server.restart(pair.now, credentials(99));
    pair.exchange();
    let (again, same, _) = pair.take_offer().expect("once more");
    assert_eq!((first, number), (again.clone(), same));
    let answer = pair.client.answer(&again);
    pair.server
        .handle_answer(pair.now, &answer, number)
        .expect("a good answer");
    pair.run_ms(500);
    let (sdp, _) = pair.answer_offer();
    assert!(sdp.contains(&format!("a=ice-ufrag:{}", credentials(99).ufrag)));
    pair.run_ms(20_000);
    assert_eq!(
        pair.count(|output| matches!(output, Output::Disconnected)),
        0
    );
}
