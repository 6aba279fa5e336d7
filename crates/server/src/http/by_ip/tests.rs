use super::*;

#[test]
fn places_are_given_back() {
    let by_ip = ByIp::default();
    let ip: IpAddr = "192.0.2.1".parse().expect("valid");
    let first = by_ip.enter(ip, Some(1)).expect("free");
    assert!(by_ip.enter(ip, Some(1)).is_none());
    assert!(
        by_ip
            .enter("192.0.2.2".parse().expect("valid"), Some(1))
            .is_some()
    );
    drop(first);
    assert!(by_ip.enter(ip, Some(1)).is_some());
    assert!(by_ip.0.lock().expect("not poisoned").is_empty());
}

#[test]
fn a_household_is_one_source() {
    let source = |text: &str| source_of(text.parse().expect("valid"));
    assert_eq!(source("2001:db8:1:2:3:4:5:6"), source("2001:db8:1:2::"));
    assert_ne!(source("2001:db8:1:2::"), source("2001:db8:1:3::"));
    assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
}
