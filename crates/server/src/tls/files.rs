//! Certificate files: somebody else renews them, we notice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Certificates, Identity, IdentityError};
use crate::stats::Stats;

/// How often they are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Somebody should have renewed it by then.
const LEFT_MIN: Duration = Duration::from_secs(7 * 86_400);

#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) private_key: PathBuf,
}

/// Tells one version of a file from another, through symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

/// Files and what they were when they were read last. None: one of them was not there.
#[derive(Debug)]
pub(crate) struct Watch {
    files: Arc<Files>,
    read: Option<[Stamp; 2]>,
}

impl Watch {
    pub(super) fn open(files: Files) -> Result<(Identity, Self), IdentityError> {
        // Before they are read: what changes meanwhile is read again.
        let read = files.stamps();
        let identity = files.read()?;
        let files = Arc::new(files);
        Ok((identity, Self { files, read }))
    }

    /// Until the server stops. What was read last is shown until something better can be read.
    pub(super) async fn run(
        mut self,
        certificates: Arc<Certificates>,
        stats: Arc<Stats>,
        stopping: CancellationToken,
    ) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.read.clone();
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            let present = look(&self.files).await;
            // Two files do not change at once: only what stays for a while is read.
            let is_settled = present == seen;
            seen = present;
            if !is_settled || seen == self.read {
                continue;
            }
            self.read.clone_from(&seen);
            match read(&self.files).await {
                Ok(identity) => {
                    Stats::count(&stats.certificates_renewed);
                    let fingerprint = identity.fingerprint();
                    tracing::info!(
                        fingerprint,
                        "the certificate's files changed: the new one is shown from now on"
                    );
                    certificates.show(identity);
                }
                Err(error) => {
                    Stats::count(&stats.certificates_failed);
                    tracing::warn!(
                        %error,
                        "the certificate's files changed and cannot be used: the old one is shown on. \
                         Remedy: put a chain and its own key at tls.certificate and tls.private_key"
                    );
                }
            }
        }
    }
}

impl Files {
    fn read(&self) -> Result<Identity, IdentityError> {
        let identity = Identity::read(&self.certificate, &self.private_key)?;
        let path = self.certificate.display();
        match identity.valid_until.duration_since(SystemTime::now()) {
            Err(_) => tracing::warn!(
                %path,
                "the certificate has expired: browsers refuse it. Remedy: renew it; the new file is taken as it comes"
            ),
            Ok(left) if left < LEFT_MIN => tracing::warn!(
                %path, days_left = left.as_secs() / 86_400,
                "the certificate ends soon. Remedy: renew it; the new file is taken as it comes"
            ),
            Ok(_) => {}
        }
        Ok(identity)
    }

    fn stamps(&self) -> Option<[Stamp; 2]> {
        Some([stamp(&self.certificate)?, stamp(&self.private_key)?])
    }
}

async fn look(files: &Arc<Files>) -> Option<[Stamp; 2]> {
    let files = Arc::clone(files);
    // Of a folder on another machine it may take long.
    let looked = tokio::task::spawn_blocking(move || files.stamps()).await;
    looked.ok().flatten()
}

async fn read(files: &Arc<Files>) -> Result<Identity, IdentityError> {
    let files = Arc::clone(files);
    let read = tokio::task::spawn_blocking(move || files.read()).await;
    read.expect("reading does not panic")
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&data);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp {
        changed: data.modified().ok(),
        bytes: data.len(),
        inode,
    })
}
