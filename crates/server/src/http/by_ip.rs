//! What one address may have at one time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How many each address has.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByIp(Arc<Mutex<BTreeMap<IpAddr, u32>>>);

#[derive(Debug)]
pub(crate) struct Place {
    by_ip: ByIp,
    ip: IpAddr,
}

impl ByIp {
    /// None: as many as it may have.
    pub(crate) fn enter(&self, ip: IpAddr, limit: Option<u32>) -> Option<Place> {
        let ip = source_of(ip);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if limit.is_some_and(|limit| *count >= limit) {
            return None;
        }
        *count += 1;
        Some(Place {
            by_ip: self.clone(),
            ip,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.by_ip.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

/// What limits by address count by: a household has a whole IPv6 /64 to itself.
pub(crate) fn source_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests;
