use super::*;
use crate::testing::epoch;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn the_first_wish_is_asked_at_once() {
    let mut throttle = Throttle::default();
    let at = epoch();
    assert!(throttle.ask(at));
    assert!(!throttle.due(at + ms(600)), "nothing is left to be asked");
}

#[test]
fn a_wish_that_comes_too_soon_is_asked_later() {
    let at = epoch();
    let mut throttle = Throttle::default();
    assert!(throttle.ask(at));
    assert!(!throttle.ask(at + ms(100)));
    assert!(!throttle.ask(at + ms(200)));
    assert!(!throttle.due(at + ms(499)));
    assert!(throttle.due(at + ms(500)));
    assert!(!throttle.due(at + ms(2_000)), "once");
    assert!(throttle.ask(at + ms(2_000)));
}

#[test]
fn a_key_frame_fulfils_all_wishes() {
    let at = epoch();
    let mut throttle = Throttle::default();
    assert!(throttle.ask(at));
    assert!(!throttle.ask(at + ms(100)));
    throttle.satisfied();
    assert!(!throttle.due(at + ms(600)));
    // The next one still keeps its distance.
    assert!(!throttle.ask(at + ms(450)));
    assert!(throttle.due(at + ms(500)));
}
