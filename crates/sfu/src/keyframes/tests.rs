use super::*;
use crate::testing::epoch;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Asked at these milliseconds, looking every 100.
fn asked(throttle: &mut Throttle, from: Instant, until_ms: u64) -> Vec<u64> {
    (0..until_ms)
        .step_by(100)
        .filter(|at_ms| {
            let at = from + ms(*at_ms);
            let due = throttle.is_due(at);
            if due {
                throttle.asked(at);
            }
            due
        })
        .collect()
}

#[test]
fn without_a_wish_nothing_is_asked() {
    let mut throttle = Throttle::default();
    assert!(asked(&mut throttle, epoch(), 5_000).is_empty());
}

#[test]
fn the_first_wish_is_asked_at_once_and_again_until_a_key_frame_comes() {
    let mut throttle = Throttle::default();
    let at = epoch();
    throttle.wish();
    assert_eq!(asked(&mut throttle, at, 1_100), [0, 500, 1_000]);
    throttle.satisfied();
    assert!(asked(&mut throttle, at + ms(1_100), 5_000).is_empty());
}

#[test]
fn a_wish_that_comes_too_soon_is_asked_later() {
    let mut throttle = Throttle::default();
    let at = epoch();
    throttle.wish();
    assert_eq!(asked(&mut throttle, at, 100), [0]);
    throttle.satisfied();
    throttle.wish();
    let next = asked(&mut throttle, at + ms(100), 700);
    assert_eq!(next, [400]);
}

#[test]
fn who_sends_no_key_frame_is_not_asked_for_ever() {
    let mut throttle = Throttle::default();
    let at = epoch();
    throttle.wish();
    assert_eq!(
        asked(&mut throttle, at, 60_000).len(),
        usize::from(TRIES_MAX)
    );
    throttle.wish();
    assert_eq!(asked(&mut throttle, at + ms(60_000), 100), [0]);
}

#[test]
fn while_there_is_nobody_to_ask_no_try_is_lost() {
    let mut throttle = Throttle::default();
    let at = epoch();
    throttle.wish();
    for second in 0..20 {
        let at = at + ms(1_000 * second);
        assert!(throttle.is_due(at));
        throttle.not_asked(at);
        assert!(
            !throttle.is_due(at + ms(499)),
            "not looked for all the time"
        );
    }
    let at = at + ms(19_010);
    assert!(!throttle.is_due(at));
    throttle.can_ask();
    assert!(throttle.is_due(at));
}
