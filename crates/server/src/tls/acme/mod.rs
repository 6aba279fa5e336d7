//! Certificates of an authority that speaks ACME (RFC 8555): got when there is none, renewed when two thirds of the time
//! are over.

mod challenges;
mod client;
mod order;
mod trouble;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Certificates, Identity};
use crate::config::{Acme, AcmeChallenge};
use crate::stats::Stats;

pub(crate) use self::challenges::{ALPN, Challenges};
use self::order::Folder;
use self::trouble::Trouble;

/// All of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(300);
/// The clock may be set meanwhile, and a machine may sleep.
const LOOK_INTERVAL: Duration = Duration::from_secs(600);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the certificate is kept, with its key.
pub(super) fn kept_at(acme: &Acme, cache: &Path) -> PathBuf {
    Folder::new(cache, acme).certificate(&acme.domain)
}

/// Gets the certificate, and renews it.
#[derive(Debug)]
pub(crate) struct Renewal {
    acme: Acme,
    folder: Folder,
    challenges: Arc<Challenges>,
    certificates: Arc<Certificates>,
    stats: Arc<Stats>,
}

impl Renewal {
    pub(super) fn new(
        acme: &Acme,
        cache: &Path,
        challenges: &Arc<Challenges>,
        certificates: &Arc<Certificates>,
        stats: &Arc<Stats>,
    ) -> Self {
        Self {
            acme: acme.clone(),
            folder: Folder::new(cache, acme),
            challenges: Arc::clone(challenges),
            certificates: Arc::clone(certificates),
            stats: Arc::clone(stats),
        }
    }

    /// The one that was got at an earlier start, if it is still good.
    pub(super) fn kept(&self) -> Option<Identity> {
        let path = self.folder.certificate(&self.acme.domain);
        let kept = Identity::read(&path, &path).ok()?;
        let is_good = kept.covers(&self.acme.domain) && kept.valid_until > SystemTime::now();
        is_good.then_some(kept)
    }

    /// Until the server stops.
    pub(super) async fn run(self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.renew_for_ever()).await;
    }

    async fn renew_for_ever(&self) {
        let mut failures = 0;
        let mut challenge = self.acme.challenge.unwrap_or(AcmeChallenge::Http01);
        loop {
            if let Some(shown) = self.certificates.shown() {
                until(due(&shown)).await;
            }
            let (domain, directory) = (&self.acme.domain, &self.acme.directory);
            tracing::info!(
                domain,
                directory,
                challenge = challenge.name(),
                "obtaining a certificate"
            );
            match self.obtain(challenge).await {
                Ok(identity) => {
                    failures = 0;
                    Stats::count(&self.stats.certificates_renewed);
                    tracing::info!(
                        domain,
                        fingerprint = identity.fingerprint(),
                        days = days_left(&identity),
                        "a certificate was obtained, and is shown from now on"
                    );
                    self.certificates.show(identity);
                }
                Err(trouble) => {
                    failures += 1;
                    Stats::count(&self.stats.certificates_failed);
                    let pause = varied(trouble.pause(failures));
                    self.report(&trouble, challenge, pause).await;
                    challenge = self.acme.challenge.unwrap_or(trouble.instead_of(challenge));
                    sleep(pause).await;
                }
            }
        }
    }

    async fn obtain(&self, challenge: AcmeChallenge) -> Result<Identity, Trouble> {
        let obtained = order::obtain(&self.acme, &self.folder, &self.challenges, challenge);
        let obtained = timeout(ATTEMPT_TIMEOUT, obtained).await;
        let identity = obtained.unwrap_or(Err(Trouble::Slow))?;
        if due(&identity) <= SystemTime::now() {
            return Err(Trouble::Clock);
        }
        Ok(identity)
    }

    async fn report(&self, trouble: &Trouble, challenge: AcmeChallenge, pause: Duration) {
        let domain = &self.acme.domain;
        // For people who compare.
        let leads_to = match trouble.is_about_the_way() {
            true => Some(leads_to(domain).await),
            false => None,
        };
        tracing::warn!(
            domain,
            challenge = challenge.name(),
            error = %trouble,
            remedy = trouble.remedy(domain, challenge),
            leads_to,
            again_in_s = pause.as_secs(),
            "no certificate was obtained"
        );
    }
}

/// When two thirds of its time are over.
fn due(identity: &Identity) -> SystemTime {
    let life = identity.valid_until.duration_since(identity.valid_from);
    identity.valid_from + life.unwrap_or_default() * 2 / 3
}

async fn until(due: SystemTime) {
    while let Ok(left) = due.duration_since(SystemTime::now()) {
        if left.is_zero() {
            return;
        }
        sleep(left.min(LOOK_INTERVAL)).await;
    }
}

fn days_left(identity: &Identity) -> u64 {
    let left = identity.valid_until.duration_since(SystemTime::now());
    left.unwrap_or_default().as_secs() / 86_400
}

/// Longer by up to a tenth, so that servers that were started together do not ask together.
fn varied(pause: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness it is not varied.
    if getrandom::fill(&mut random).is_err() {
        return pause;
    }
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    pause + pause.mul_f64(share / 10.0)
}

/// What the name service says here.
async fn leads_to(domain: &str) -> String {
    let found = timeout(LOOKUP_TIMEOUT, lookup_host((domain, 443))).await;
    match found {
        Ok(Ok(addresses)) => {
            let ips: BTreeSet<IpAddr> = addresses.map(|address| address.ip()).collect();
            let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
            ips.join(", ")
        }
        Ok(Err(_)) | Err(_) => "nowhere".to_owned(),
    }
}

#[cfg(test)]
mod tests;
