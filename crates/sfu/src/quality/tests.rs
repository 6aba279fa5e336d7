use super::*;
use crate::testing::epoch;

const FINE: QualityInput = QualityInput {
    up_loss: 0.0,
    down_loss: 0.0,
    rtt: Some(Duration::from_millis(40)),
    up_packets: 100,
    down_packets: 100,
    connected: true,
};

struct Test {
    score: Score,
    now: Instant,
}

impl Test {
    fn new() -> Self {
        Self {
            score: Score::default(),
            now: epoch(),
        }
    }

    /// A report and a tick per second; all that was told.
    fn seconds(&mut self, count: u32, report: QualityInput) -> Vec<Quality> {
        (0..count)
            .filter_map(|_| {
                self.score.observe(&report, self.now);
                let told = self.score.tick(self.now);
                self.now += Duration::from_secs(1);
                told.map(|(quality, score)| {
                    assert!((1.0..=5.0).contains(&score), "{score}");
                    quality
                })
            })
            .collect()
    }
}

fn lossy(loss: f32) -> QualityInput {
    QualityInput {
        down_loss: loss,
        ..FINE
    }
}

#[test]
fn a_good_path_is_told_once() {
    let mut test = Test::new();
    assert_eq!(test.seconds(30, FINE), [Quality::Excellent]);
}

#[test]
fn loss_lowers_it_step_by_step() {
    let settled = |report| {
        let mut test = Test::new();
        test.seconds(30, report).last().copied()
    };
    assert_eq!(settled(lossy(0.01)), Some(Quality::Excellent));
    assert_eq!(settled(lossy(0.05)), Some(Quality::Good));
    assert_eq!(settled(lossy(0.15)), Some(Quality::Poor));
    assert_eq!(
        settled(lossy(1.0)),
        Some(Quality::Poor),
        "not lost: it is connected"
    );
    let up = QualityInput {
        up_loss: 0.15,
        ..FINE
    };
    assert_eq!(settled(up), Some(Quality::Poor));
}

#[test]
fn delay_lowers_it() {
    let far = QualityInput {
        rtt: Some(Duration::from_millis(900)),
        ..FINE
    };
    let mut test = Test::new();
    assert_ne!(test.seconds(30, far).last(), Some(&Quality::Excellent));
}

#[test]
fn it_recovers() {
    let mut test = Test::new();
    test.seconds(10, FINE);
    assert_eq!(test.seconds(30, lossy(0.3)).last(), Some(&Quality::Poor));
    assert_eq!(test.seconds(30, FINE).last(), Some(&Quality::Excellent));
}

#[test]
fn changes_are_five_seconds_apart() {
    let mut test = Test::new();
    let mut last: Option<Instant> = None;
    for second in 0..200_u32 {
        let report = if second / 7 % 2 == 0 {
            FINE
        } else {
            lossy(0.5)
        };
        test.score.observe(&report, test.now);
        if test.score.tick(test.now).is_some()
            && let Some(last) = last.replace(test.now)
        {
            assert!(test.now.saturating_duration_since(last) >= INTERVAL);
        }
        test.now += Duration::from_secs(1);
    }
}

/// Clients rejoin upon "lost", which is worse than what it tells of.
#[test]
fn lost_only_after_ten_seconds_of_nothing_at_all() {
    let dead = QualityInput {
        up_packets: 0,
        down_packets: 0,
        connected: false,
        ..FINE
    };
    let mut test = Test::new();
    test.seconds(5, FINE);
    assert!(!test.seconds(10, dead).contains(&Quality::Lost));
    assert!(test.seconds(10, dead).contains(&Quality::Lost));
    // Silent, muted, behind a slow path: all of this is no loss.
    let silent = QualityInput {
        up_packets: 0,
        ..FINE
    };
    let mut test = Test::new();
    assert!(!test.seconds(60, silent).contains(&Quality::Lost));
    let half_dead = QualityInput {
        up_packets: 1,
        ..dead
    };
    let mut test = Test::new();
    assert!(!test.seconds(60, half_dead).contains(&Quality::Lost));
}

#[test]
fn no_flapping_around_a_limit() {
    let mut test = Test::new();
    let mut told = 0;
    for second in 0..300 {
        let report = lossy(if second % 2 == 0 { 0.018 } else { 0.024 });
        told += test.seconds(1, report).len();
    }
    assert!(told <= 3, "told {told} times");
}
