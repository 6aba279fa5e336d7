//! The clock, read in the shell only and handed in everywhere else.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use madang_sfu::api::Now;

pub(crate) fn now() -> Now {
    Now {
        instant: Instant::now(),
        // A clock before 1970 is set wrong; tokens will be refused as not yet valid.
        wall: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    }
}
