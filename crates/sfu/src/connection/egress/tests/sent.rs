use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::sent::{Form, REPAIR_AGE_MAX_MS, Record, Sent, Used};
use crate::connection::{Source, Vp8Rewrite};
use crate::testing::Rng;

const PLAIN: Form<'_> = Form {
    vp8: None,
    descriptor: None,
    empty: false,
};
const RING_MAX: u64 = 2_048;

fn sent(seq: u64, at_ms: u32) -> Sent {
    let source = Source {
        encoding: 2,
        seq: (seq & 0xffff_ffff) as u32 ^ 0x5555,
    };
    Sent::new(seq, 90, true, 96, source, &PLAIN, at_ms)
}

fn record(seqs: impl IntoIterator<Item = u64>, at_ms: u32) -> Record {
    let mut record = Record::default();
    for seq in seqs {
        record.note(sent(seq, at_ms), None);
    }
    record
}

fn number(seq: u64) -> u16 {
    (seq & 0xffff) as u16
}

#[test]
fn what_was_sent_is_remembered_as_it_was() {
    let all = Vp8Rewrite {
        picture_id: 0x7fff,
        tl0_pic_idx: 255,
        key_idx: Some(31),
    };
    let no_key = Vp8Rewrite {
        key_idx: None,
        ..all
    };
    let source = Source {
        encoding: 7,
        seq: u32::MAX,
    };
    for (vp8, marker, empty) in [
        (None, true, false),
        (Some(all), false, true),
        (Some(no_key), true, true),
    ] {
        let form = Form {
            vp8,
            descriptor: None,
            empty,
        };
        let sent = Sent::new(0x1_0002_0003, 5, marker, 127, source, &form, 9);
        assert_eq!((sent.vp8(), sent.marker()), (vp8, marker));
        assert_eq!((sent.is_empty(), sent.source()), (empty, source));
        assert_eq!((sent.number(), sent.time, sent.payload_type), (3, 5, 127));
    }
}

#[test]
fn what_is_not_known_cannot_be_asked_for() {
    let mut record = Record::default();
    assert!(record.ask(0, 0, 10).is_none(), "nothing was sent");
    record.note(sent(1_000, 0), None);
    assert!(record.ask(1_000, 0, 10).is_some());
    // In the same place of the ring, and the empty ones.
    for other in [1_000 + 128, 1_000 - 128, 1_000 + 32_768, 999, 1_001, 0] {
        assert!(record.ask(other, 0, 10).is_none(), "{other}");
    }
}

#[test]
fn what_is_too_old_is_not_sent_again() {
    for start in [0, 1, u32::MAX - 300, u32::MAX] {
        let mut record = record([5], start);
        let last = start.wrapping_add(REPAIR_AGE_MAX_MS);
        assert!(record.ask(5, last, 10).is_some(), "{start}");
        assert!(record.ask(5, last.wrapping_add(1), 0).is_none(), "{start}");
    }
}

#[test]
fn what_is_asked_for_again_too_soon_is_sent_once() {
    for start in [0, 77, u32::MAX] {
        for wait in [0, 1, 40] {
            let mut record = record([5], start);
            let first = start.wrapping_add(wait);
            assert!(record.ask(5, first, 20).is_some(), "{start} {wait}");
            for later in [0, 1, 19] {
                let again = record.ask(5, first.wrapping_add(later), 20);
                assert!(again.is_none(), "{start} {wait} {later}");
            }
            assert!(record.ask(5, first.wrapping_add(20), 20).is_some());
            assert!(record.ask(5, first.wrapping_add(39), 20).is_none());
        }
    }
}

#[test]
fn it_grows_with_what_may_be_asked_for_and_no_further() {
    let mut few = record(0..1_000, 0);
    assert!((0..1_000).all(|seq| few.ask(number(seq), 500, 10).is_some()));
    let mut many = record(0..RING_MAX + 10, 0);
    let known = (0..RING_MAX + 10).filter(|seq| many.ask(number(*seq), 500, 10).is_some());
    assert_eq!(known.collect::<Vec<_>>(), Vec::from_iter(10..RING_MAX + 10));
    // One in ten milliseconds: 60 are young at a time.
    let mut slow = Record::default();
    for seq in 0..1_000_u32 {
        slow.note(sent(u64::from(seq), 10 * seq), None);
        assert!(slow.places() <= 128, "{seq}");
    }
    assert!(slow.ask(999 - 60, 9_990, 10).is_some());
    assert!(slow.ask(999 - 61, 9_990, 10).is_none());
}

#[test]
fn numbers_wrap_with_16_and_with_32_bits() {
    for turn in [1_u64 << 16, 1 << 32, (1 << 32) + (1 << 16)] {
        let seqs = turn - 300..turn + 300;
        let mut record = record(seqs.clone(), 0);
        for seq in seqs {
            let found = record.ask(number(seq), 100, 10).expect("young");
            assert_eq!(found.source(), sent(seq, 0).source(), "{seq}");
        }
    }
}

#[test]
fn changed_descriptors_are_kept_with_their_packets() {
    let mut record = Record::default();
    for seq in 0..300_u64 {
        let changed = seq % 3 == 0;
        let descriptor: Arc<[u8]> = Arc::from(seq.to_be_bytes());
        let form = Form {
            descriptor: changed.then_some(&descriptor),
            ..PLAIN
        };
        let source = Source {
            encoding: 0,
            seq: 1,
        };
        let sent = Sent::new(seq, 0, false, 96, source, &form, 0);
        record.note(sent, form.descriptor);
    }
    for seq in 0..300_u64 {
        let sent = record.ask(number(seq), 0, 10).expect("young");
        let found = record.descriptor(&sent).map(|bytes| bytes.to_vec());
        let expected = (seq % 3 == 0).then(|| seq.to_be_bytes().to_vec());
        assert_eq!(found, expected, "{seq}");
    }
}

#[test]
fn descriptors_are_no_more_than_packets() {
    let mut record = Record::default();
    let descriptor: Arc<[u8]> = Arc::from([1, 2, 3]);
    for seq in 0..10_000 {
        record.note(sent(seq, u32::MAX), Some(&descriptor));
    }
    // This one and the record's.
    let kept = u64::try_from(Arc::strong_count(&descriptor) - 1).expect("few");
    assert_eq!(kept, RING_MAX);
}

/// What is certain: no number twice. What is wanted: each of the last 1,024 once, in any order.
#[test]
fn no_number_is_used_twice() {
    for seed in 0..40 {
        let mut dice = Rng::new(seed);
        let mut used = Used::default();
        let mut model = BTreeSet::new();
        let mut highest: Option<u64> = None;
        let mut at = dice.below(1 << 40);
        for _ in 0..20_000 {
            at = match dice.below(100) {
                0..50 => at + 1,
                50..60 => at,
                60..80 => at.saturating_sub(dice.below(40)),
                80..90 => at.saturating_sub(dice.below(3_000)),
                90..98 => at + dice.below(1_500),
                98 => at + 1_023 + dice.below(3),
                _ => at + dice.below(1 << 30),
            };
            let in_reach = highest.is_none_or(|highest| at + 1_024 > highest);
            let expected = in_reach && !model.contains(&at);
            assert_eq!(used.take(at), expected, "{at}, highest {highest:?}");
            if expected {
                model.insert(at);
            }
            highest = highest.max(expected.then_some(at));
        }
    }
}

#[test]
fn each_number_of_the_window_can_be_used_late_and_once() {
    let mut used = Used::default();
    assert!(used.take(5_000));
    for number in (5_000 - 1_023..5_000).rev() {
        assert!(used.take(number), "{number}");
        assert!(!used.take(number), "{number}");
    }
    assert!(!used.take(5_000 - 1_024), "too long ago to tell");
    assert!(!used.take(0) && !used.take(5_000));
    assert!(used.take(5_000 + 1_024), "all are forgotten at once");
    assert!(used.take(5_001) && !used.take(5_000));
}
