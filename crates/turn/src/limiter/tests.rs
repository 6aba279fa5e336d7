use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::Limiter;
use crate::Now;
use crate::testing::start;

fn secret() -> [u8; 32] {
    std::array::from_fn(|place| u8::try_from(place * 37 % 251).expect("small"))
}

fn at(wall_s: u64) -> Now {
    Now {
        instant: start().instant,
        wall: Duration::from_secs(wall_s),
    }
}

fn allowed(limiter: &mut Limiter, now: Now, ip: IpAddr, times: usize) -> usize {
    (0..times).filter(|_| limiter.allows(now, ip)).count()
}

#[test]
fn ten_a_second_for_each_source() {
    let mut limiter = Limiter::new(10, &secret());
    let one = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    assert_eq!(allowed(&mut limiter, at(100), one, 1_000), 10);
    assert_eq!(allowed(&mut limiter, at(100), other, 5), 5);
    assert_eq!(allowed(&mut limiter, at(101), one, 1_000), 10);
}

#[test]
fn a_network_of_64_bits_is_one_source() {
    let mut limiter = Limiter::new(10, &secret());
    let of = |net: u16, host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, net, 0, 0, 0, host));
    let all = (0..100).filter(|host| limiter.allows(at(7), of(1, *host)));
    assert_eq!(all.count(), 10);
    assert!(limiter.allows(at(7), of(2, 0)));
}

#[test]
fn sources_hardly_hinder_each_other() {
    let mut limiter = Limiter::new(10, &secret());
    let sources = (0..1_000_u32).map(|number| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)));
    let hindered = sources.filter(|ip| allowed(&mut limiter, at(5), *ip, 10) < 10);
    assert!(
        hindered.count() < 100,
        "of 1,000 that all ask as often as they may"
    );
}
