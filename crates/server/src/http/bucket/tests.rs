use super::*;

const RATE: Rate = Rate {
    at_once: 10.0,
    per_second: 2.0,
};

#[test]
fn what_is_taken_comes_back_evenly() {
    let start = Instant::now();
    let mut bucket = Bucket::full(start, RATE);
    assert_eq!(bucket.take(start, RATE, 10.0), Ok(()));
    assert_eq!(
        bucket.take(start, RATE, 1.0),
        Err(Duration::from_millis(500))
    );
    let later = start + Duration::from_secs(1);
    assert_eq!(bucket.take(later, RATE, 2.0), Ok(()));
    assert!(!bucket.is_full(later, RATE));
    let much_later = start + Duration::from_secs(3_600);
    assert!(bucket.is_full(much_later, RATE));
    assert!(
        bucket.take(much_later, RATE, 10.5).is_err(),
        "no more than at once"
    );
}

#[test]
fn a_debt_is_paid_by_waiting() {
    let start = Instant::now();
    let mut bucket = Bucket::full(start, RATE);
    assert_eq!(bucket.charge(start, RATE, 10.0), None);
    assert_eq!(
        bucket.charge(start, RATE, 4.0),
        Some(Duration::from_secs(2))
    );
    assert_eq!(
        bucket.charge(start + Duration::from_secs(2), RATE, 0.0),
        None
    );
}
