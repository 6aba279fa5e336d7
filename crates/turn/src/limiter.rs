//! How many answers an address gets that has shown no credentials: our answers must be no use to whoever sends in another's
//! name. The state is of one size, whoever asks: counts of this second, in two rows by two hashes.

use std::net::IpAddr;

use crate::Now;

const PLACES: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Limiter {
    per_second: u16,
    /// Unknown to others, who could choose addresses that share a place with somebody else.
    keys: [u64; 2],
    rows: [Vec<Count>; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    second: u32,
    count: u16,
}

impl Limiter {
    pub(crate) fn new(per_second: u16, secret: &[u8; 32]) -> Self {
        let key = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&secret[from..from + 8]);
            u64::from_be_bytes(bytes) | 1
        };
        Self {
            per_second,
            keys: [key(0), key(8)],
            rows: [
                vec![Count::default(); PLACES],
                vec![Count::default(); PLACES],
            ],
        }
    }

    /// One more for this source? Sources that share one of their two places are told apart by the other.
    pub(crate) fn allows(&mut self, now: Now, ip: IpAddr) -> bool {
        let second = u32::try_from(now.wall.as_secs() & u64::from(u32::MAX)).unwrap_or(0);
        let source = source(ip);
        let mut least = u16::MAX;
        for (row, key) in self.rows.iter_mut().zip(self.keys) {
            let Some(place) = row.get_mut(place(source, key)) else {
                continue;
            };
            if place.second != second {
                *place = Count { second, count: 0 };
            }
            place.count = place.count.saturating_add(1);
            least = least.min(place.count);
        }
        least <= self.per_second
    }
}

/// An IPv4 address, or the 64 bits of an IPv6 network.
fn source(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => {
            let high = u128::from(ip) >> 64;
            u64::try_from(high).expect("64 bits") ^ 1 << 63
        }
    }
}

fn place(source: u64, key: u64) -> usize {
    let mut mixed = source ^ key;
    for _ in 0..2 {
        mixed = (mixed ^ mixed >> 32).wrapping_mul(key);
        mixed ^= mixed >> 29;
    }
    usize::try_from(mixed >> 40).unwrap_or(0) % PLACES
}

#[cfg(test)]
mod tests;
