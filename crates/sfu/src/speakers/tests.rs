use super::*;
use crate::testing::epoch;

const LOUD: i8 = -20;
const SILENT: i8 = -90;
const PACKET: Duration = Duration::from_millis(20);

struct Test {
    speakers: Speakers,
    now: Instant,
}

impl Test {
    fn new() -> Self {
        Self {
            speakers: Speakers::default(),
            now: epoch(),
        }
    }

    /// One interval, in which the first `loud` of 20 packets are loud. Gives who changed: `1+` active, `1-` silent.
    fn interval(&mut self, peers: &[(u64, usize)]) -> String {
        for number in 0..20 {
            for (peer, loud) in peers {
                let level = if number < *loud { LOUD } else { SILENT };
                self.speakers
                    .observe(PeerId(*peer), TrackId(*peer), level, self.now);
            }
            self.now += PACKET;
        }
        self.tick()
    }

    fn tick(&mut self) -> String {
        let changes = self.speakers.tick(self.now).unwrap_or_default();
        let texts: Vec<String> = changes
            .iter()
            .map(|speaker| {
                assert_eq!(speaker.active, speaker.level > 0.0, "{speaker:?}");
                assert!((0.0..=1.0).contains(&speaker.level), "{speaker:?}");
                format!(
                    "{}{}",
                    speaker.peer.0,
                    if speaker.active { '+' } else { '-' }
                )
            })
            .collect();
        texts.join(" ")
    }
}

#[test]
fn only_changes_are_told() {
    let mut test = Test::new();
    assert_eq!(test.interval(&[(1, 20), (2, 0)]), "1+");
    assert_eq!(test.interval(&[(1, 20), (2, 0)]), "");
    assert_eq!(test.interval(&[(1, 0), (2, 20)]), "2+ 1-");
    assert_eq!(test.interval(&[(1, 0), (2, 0)]), "2-");
    assert_eq!(test.interval(&[(1, 0), (2, 0)]), "");
}

#[test]
fn a_cough_is_no_speech_and_a_pause_no_silence() {
    let mut test = Test::new();
    assert_eq!(
        test.interval(&[(1, 5)]),
        "",
        "loud for a quarter of the time"
    );
    assert_eq!(test.interval(&[(1, 9)]), "1+");
    assert_eq!(test.interval(&[(1, 5)]), "");
    assert_eq!(test.interval(&[(1, 3)]), "1-");
}

#[test]
fn nothing_before_its_time() {
    let mut test = Test::new();
    test.speakers.observe(PeerId(1), TrackId(1), LOUD, test.now);
    assert_eq!(test.tick(), "");
    assert_eq!(test.speakers.next, Some(test.now + INTERVAL));
    test.now += INTERVAL;
    assert_eq!(test.tick(), "1+");
}

#[test]
fn who_stops_sending_falls_silent() {
    let mut test = Test::new();
    assert_eq!(test.interval(&[(1, 20)]), "1+");
    test.now += INTERVAL;
    assert_eq!(test.tick(), "1-");
    test.now += INTERVAL * 4;
    assert_eq!(test.tick(), "");
    assert!(test.speakers.meters.is_empty(), "{:?}", test.speakers);
    assert_eq!(test.speakers.next, None);
}

#[test]
fn a_forgotten_track_falls_silent() {
    let mut test = Test::new();
    assert_eq!(test.interval(&[(1, 20)]), "1+");
    test.speakers.forget(TrackId(1));
    test.now += INTERVAL;
    assert_eq!(test.tick(), "1-");
    assert_eq!(test.speakers.next, None);
}

#[test]
fn the_louder_of_two_tracks_counts_and_the_loudest_come_first() {
    let mut test = Test::new();
    for (peer, track, level) in [(1, 1, -30), (1, 2, -90), (2, 3, -10), (3, 4, -20)] {
        test.speakers
            .observe(PeerId(peer), TrackId(track), level, test.now);
    }
    test.now += INTERVAL;
    assert_eq!(test.tick(), "2+ 3+ 1+");
}

#[test]
fn louder_is_a_higher_level() {
    let level = |dbov: i8| {
        let mut meter = Meter::default();
        meter.observe(dbov, epoch());
        meter.close().1
    };
    assert!(level(0) > level(-10));
    assert!(level(-10) > level(-30));
    assert!(level(-35) > 0.0);
    assert!(level(-36) == 0.0);
    assert!(level(0) <= 1.0);
}

#[test]
fn tracks_are_bounded() {
    let mut test = Test::new();
    for track in 0..METERS_MAX as u64 + 10 {
        test.speakers
            .observe(PeerId(track), TrackId(track), LOUD, test.now);
    }
    assert_eq!(test.speakers.meters.len(), METERS_MAX);
}
