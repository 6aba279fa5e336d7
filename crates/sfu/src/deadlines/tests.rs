use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::testing::{Rng, epoch};

#[test]
fn earliest_first_each_once() {
    let at = epoch();
    let ms = Duration::from_millis;
    let mut deadlines = Deadlines::default();
    deadlines.set('a', Some(at + ms(30)));
    deadlines.set('b', Some(at + ms(10)));
    deadlines.set('c', Some(at + ms(20)));
    assert_eq!(deadlines.next(), Some(at + ms(10)));
    assert_eq!(deadlines.pop_due(at), None);
    // Later than before, earlier than before, none.
    deadlines.set('b', Some(at + ms(40)));
    deadlines.set('a', Some(at + ms(5)));
    deadlines.set('c', None);
    assert_eq!(deadlines.next(), Some(at + ms(5)));
    assert_eq!(deadlines.pop_due(at + ms(50)), Some('a'));
    assert_eq!(deadlines.pop_due(at + ms(50)), Some('b'));
    assert_eq!(deadlines.pop_due(at + ms(50)), None);
    assert_eq!(deadlines.next(), None);
}

/// Set, moved and set back: the older entry of the same time must not make it due twice.
#[test]
fn set_back_to_an_earlier_value() {
    let at = epoch();
    let later = at + Duration::from_secs(1);
    let mut deadlines = Deadlines::default();
    deadlines.set(1, Some(at));
    deadlines.set(1, Some(later));
    deadlines.set(1, Some(at));
    assert_eq!(deadlines.pop_due(later), Some(1));
    assert_eq!(deadlines.pop_due(later), None);
    deadlines.set(1, Some(at));
    assert_eq!(deadlines.pop_due(later), Some(1));
    assert_eq!(deadlines.pop_due(later), None);
}

#[test]
fn agrees_with_a_plain_map_and_stays_small() {
    let at = epoch();
    for seed in 1..=20 {
        let mut rng = Rng::new(seed);
        let mut deadlines = Deadlines::default();
        let mut plain = BTreeMap::new();
        for step in 0..5_000 {
            let now = at + Duration::from_millis(step);
            let key = rng.below(30);
            match rng.below(10) {
                0 => {
                    deadlines.set(key, None);
                    plain.remove(&key);
                }
                1..6 => {
                    let due = now + Duration::from_millis(rng.below(200));
                    deadlines.set(key, Some(due));
                    plain.insert(key, due);
                }
                _ => {
                    let earliest = plain.iter().map(|(key, due)| (*due, *key)).min();
                    assert_eq!(deadlines.next(), earliest.map(|(due, _)| due));
                    let due = earliest.filter(|(due, _)| *due <= now).map(|(_, key)| key);
                    assert_eq!(deadlines.pop_due(now), due);
                    due.and_then(|key| plain.remove(&key));
                }
            }
            assert!(deadlines.heap.len() <= DEAD_MAX + 30 * (1 + DEAD_PER_LIVE_MAX) + 1);
        }
    }
}
