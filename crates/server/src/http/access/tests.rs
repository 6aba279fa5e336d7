use super::*;

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

fn take(joins: &Joins, now: Instant, ip: &str) -> Result<(), Duration> {
    joins.take(now, ip.parse().expect("valid"))
}

#[test]
fn an_address_that_joins_too_often_waits() {
    let joins = Joins::new(Some(60));
    let start = Instant::now();
    for _ in 0..60 {
        assert_eq!(take(&joins, start, A), Ok(()));
    }
    assert_eq!(take(&joins, start, A), Err(Duration::from_secs(1)));
    assert_eq!(take(&joins, start, B), Ok(()));
    let later = start + Duration::from_secs(1);
    assert_eq!(take(&joins, later, A), Ok(()));
    assert!(take(&joins, later, A).is_err());
}

#[test]
fn what_is_remembered_is_bounded() {
    let joins = Joins::new(Some(1));
    let start = Instant::now();
    for number in 0..u32::try_from(SOURCES_MAX).expect("fits") + 10 {
        let ip = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
        assert_eq!(joins.take(start, ip), Ok(()));
    }
    assert_eq!(
        joins.buckets.lock().expect("not poisoned").len(),
        SOURCES_MAX
    );
    let later = start + Duration::from_secs(60);
    assert_eq!(take(&joins, later, A), Ok(()));
    assert_eq!(
        joins.buckets.lock().expect("not poisoned").len(),
        1,
        "the others may join anyway"
    );
}
