//! Random publishers, networks and wishes: what receivers get is always in order. A failing seed is printed.

use super::model::{MS_PER_FRAME, Network, Publisher, Receiver};
use super::*;
use crate::testing::Rng;

const ENCODINGS: u8 = 3;
const FRAMES: u64 = 600;

#[derive(Debug, Default)]
struct Outcome {
    receiver: Receiver,
    network: Network,
    /// Arrived when their run was over or their place was taken.
    dropped: u64,
    unwanted: u64,
    runs: u64,
}

/// A stream of 20 s whose subscriber changes its mind every now and then.
fn run(rng: &mut Rng, network: Network) -> Outcome {
    let begin = epoch();
    let start = Start {
        seq: rng.next() as u16,
        time: u32::MAX - rng.below(2_000_000) as u32,
        picture_id: 0x7fff - rng.below(300) as u16,
        tl0_pic_idx: rng.next() as u8,
    };
    let mut forwarder = Forwarder::new(MediaKind::Video, start);
    let mut publishers: Vec<_> = (0..ENCODINGS)
        .map(|encoding| Publisher::new(encoding, rng))
        .collect();
    let mut outcome = Outcome {
        network,
        ..Outcome::default()
    };
    let mut current = None;
    for number in 0..FRAMES {
        let at = begin + ms(number * MS_PER_FRAME);
        if number == 0 || rng.percent(4) {
            forwarder.set_target(wish(rng));
        }
        if let Some(encoding) = forwarder.keyframe_wanted()
            && rng.percent(20)
        {
            publishers[usize::from(encoding.0)].want_key();
        }
        for publisher in &mut publishers {
            for (packet, truth) in publisher.frame(rng, at) {
                for (packet, truth) in outcome.network.pass(rng, &packet, truth) {
                    match forwarder.forward(&packet) {
                        Verdict::Send(rewrite) => outcome.receiver.take(&packet, truth, rewrite),
                        Verdict::Unwanted => outcome.unwanted += 1,
                        Verdict::Dropped => outcome.dropped += 1,
                    }
                    if forwarder.current() != current {
                        current = forwarder.current();
                        outcome.runs += 1;
                    }
                }
            }
        }
    }
    outcome
}

fn wish(rng: &mut Rng) -> Option<Target> {
    (!rng.percent(10)).then(|| Target {
        encoding: LayerIndex(rng.below(u64::from(ENCODINGS)) as u8),
        spatial: 7,
        temporal: [0, 1, 7][rng.below(3) as usize],
    })
}

#[test]
fn without_loss_every_frame_is_whole_and_can_be_decoded() {
    let mut runs = 0;
    for seed in 1..=50 {
        let outcome = run(&mut Rng::new(seed), Network::default());
        outcome.receiver.check();
        outcome.receiver.check_whole();
        assert_eq!(outcome.dropped, 0);
        assert!(outcome.unwanted > 0);
        runs += outcome.runs;
    }
    assert!(runs > 400, "switched {runs} times");
}

#[test]
fn doubled_packets_are_sent_once() {
    for seed in 200..=220 {
        let network = Network {
            double_percent: 10,
            ..Network::default()
        };
        let outcome = run(&mut Rng::new(seed), network);
        outcome.receiver.check();
        outcome.receiver.check_whole();
        assert!(outcome.dropped > 0);
    }
}

#[test]
fn loss_is_the_only_cause_of_gaps() {
    for seed in 300..=340 {
        let network = Network {
            loss_percent: 3,
            ..Network::default()
        };
        let outcome = run(&mut Rng::new(seed), network);
        outcome.receiver.check();
        let (gaps, lost) = (outcome.receiver.gaps(), outcome.network.lost);
        assert!(gaps <= lost, "{gaps} gaps of {lost} lost packets");
    }
}

#[test]
fn late_packets_fill_their_gaps() {
    for seed in 500..=540 {
        let network = Network {
            late_percent: 5,
            late_packets: 30,
            double_percent: 2,
            ..Network::default()
        };
        let outcome = run(&mut Rng::new(seed), network);
        outcome.receiver.check();
        // Only those that came when their run was over already.
        let gaps = outcome.receiver.gaps();
        assert!(
            gaps <= outcome.runs * 3,
            "{gaps} gaps in {} runs",
            outcome.runs
        );
    }
}

#[test]
fn everything_at_once() {
    for seed in 700..=740 {
        let network = Network {
            loss_percent: 5,
            late_percent: 10,
            late_packets: 60,
            double_percent: 5,
            ..Network::default()
        };
        let outcome = run(&mut Rng::new(seed), network);
        outcome.receiver.check();
        assert!(outcome.receiver.packets.len() > 100);
    }
}

/// Whatever a publisher sends: nothing panics, and no number is used twice.
#[test]
fn hostile_packets() {
    let begin = epoch();
    let mut rng = Rng::new(900);
    for _ in 0..40 {
        let mut forwarder = forwarder(0);
        let mut numbers = std::collections::BTreeSet::new();
        let mut seq = rng.below(1 << 17);
        for number in 0..2_500 {
            seq = match rng.below(50) {
                // We extend them ourselves, so they cannot come near the end.
                0 => rng.next() >> 8,
                1 => rng.below(1 << 33),
                2 => rng.below(5),
                3..10 => seq.saturating_sub(rng.below(2_000)),
                _ => seq.saturating_add(rng.below(3)),
            };
            let packet = hostile_packet(&mut rng, begin + ms(number), seq);
            if rng.percent(3) {
                forwarder.set_target((!rng.percent(20)).then(|| Target {
                    encoding: LayerIndex(rng.below(3) as u8),
                    spatial: rng.next() as u8,
                    temporal: rng.next() as u8,
                }));
            }
            if let Verdict::Send(rewrite) = forwarder.forward(&packet) {
                assert!(numbers.insert(rewrite.seq), "{} twice", rewrite.seq);
            }
            forwarder.keyframe_wanted();
        }
    }
}

fn hostile_packet(rng: &mut Rng, at: Instant, seq: u64) -> TrackPacket {
    let mut packet = packet(rng.below(3) as u8, seq, 0, at);
    packet.codec = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1][(rng.below(40) / 13) as usize];
    packet.time = if rng.percent(10) {
        rng.next()
    } else {
        seq.saturating_mul(3_000)
    };
    packet.captured = at + ms(rng.below(100_000));
    packet.payload = rng.bytes(3).into();
    if rng.percent(50) {
        let mut descriptor = rng.bytes(8);
        if rng.percent(50)
            && let Some(flags) = descriptor.get_mut(3)
        {
            *flags |= 0x80;
        }
        packet.extensions = Extensions::default().with_descriptor(descriptor.into());
    }
    packet.frame = FrameInfo {
        keyframe: rng.percent(30),
        start: rng.percent(60),
        spatial: rng.next() as u8,
        temporal: rng.next() as u8 & 7,
        spatial_count: rng.next() as u8,
        switch_up: rng.percent(50),
        discardable: false,
        vp8: rng.percent(70).then(|| Vp8Ids {
            picture_id: rng.percent(80).then(|| rng.next() as u16),
            picture_id_is_15_bit: rng.percent(50),
            tl0_pic_idx: rng.percent(80).then(|| rng.next() as u8),
            key_idx: rng.percent(80).then(|| rng.next() as u8),
        }),
        end: rng.percent(50),
    };
    packet
}
