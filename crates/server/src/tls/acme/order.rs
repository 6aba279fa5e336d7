//! One certificate, from the account to the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, ExternalAccountKey, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::challenges::{Challenges, Held};
use super::client::Client;
use super::trouble::Trouble;
use crate::config::{Acme, AcmeChallenge};
use crate::tls::identity::{self, Identity};

/// The authority asks from several places, one after the other.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(200))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));
const ACCOUNT_FILE: &str = "account.json";

/// Where what belongs to one authority is kept.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(cache: &Path, acme: &Acme) -> Self {
        let host = acme.directory.trim_start_matches("https://");
        let host = host.split('/').next().unwrap_or_default();
        // Colons are no part of a name on some systems.
        Self(cache.join("acme").join(host.replace([':', '[', ']'], "_")))
    }

    pub(super) fn certificate(&self, domain: &str) -> PathBuf {
        self.0.join(format!("{domain}.pem"))
    }

    fn account(&self) -> PathBuf {
        self.0.join(ACCOUNT_FILE)
    }
}

pub(super) async fn obtain(
    acme: &Acme,
    folder: &Folder,
    challenges: &Challenges,
    kind: AcmeChallenge,
) -> Result<Identity, Trouble> {
    let names = [Identifier::Dns(acme.domain.clone())];
    let wish = NewOrder::new(&names);
    let ordered = account(acme, folder).await?.new_order(&wish).await;
    let mut order = match ordered.map_err(Trouble::from) {
        // The authority forgot us. So do we.
        Err(trouble) if trouble.kind() == "accountDoesNotExist" => {
            forget(folder)?;
            account(acme, folder).await?.new_order(&wish).await?
        }
        other => other?,
    };
    // Until the authority has seen it.
    let shown = prove(&mut order, acme, challenges, kind).await?;
    ready(&mut order).await?;
    drop(shown);

    let mut params = CertificateParams::new([acme.domain.clone()])?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;

    let path = folder.certificate(&acme.domain);
    let pem = format!("{}\n{}", chain.trim_end(), key.serialize_pem());
    let identity = Identity::from_pem(&pem).map_err(Trouble::Identity)?;
    identity::keep(&path, &pem).map_err(|error| Trouble::Write { path, error })?;
    Ok(identity)
}

/// The one that is kept, or a new one.
async fn account(acme: &Acme, folder: &Folder) -> Result<Account, Trouble> {
    let client = Client::new(acme.ca.as_deref()).map_err(Trouble::Unreachable)?;
    let builder = Account::builder_with_http(Box::new(client));
    let path = folder.account();
    let kept = std::fs::read_to_string(&path).ok();
    // What cannot be read is worth nothing.
    if let Some(credentials) = kept.and_then(|text| serde_json::from_str(&text).ok()) {
        return Ok(builder.from_credentials(credentials).await?);
    }
    let contact = acme.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let wish = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let known = acme.external_account.as_ref().map(|(id, key)| {
        let key = URL_SAFE_NO_PAD.decode(key.reveal().trim_end_matches('='));
        let key = key.map_err(|_| Trouble::ExternalAccount)?;
        Ok::<_, Trouble>(ExternalAccountKey::new(id.clone(), &key))
    });
    let known = known.transpose()?;
    let (account, credentials) = builder
        .create(&wish, acme.directory.clone(), known.as_ref())
        .await?;
    let text = serde_json::to_string(&credentials).map_err(instant_acme::Error::from)?;
    identity::keep(&path, &text).map_err(|error| Trouble::Write { path, error })?;
    Ok(account)
}

fn forget(folder: &Folder) -> Result<(), Trouble> {
    let path = folder.account();
    std::fs::remove_file(&path).map_err(|error| Trouble::Write { path, error })
}

/// Shows what is asked for, and says so. None: the authority remembers that the name is ours.
async fn prove<'a>(
    order: &mut Order,
    acme: &Acme,
    challenges: &'a Challenges,
    kind: AcmeChallenge,
) -> Result<Option<Held<'a>>, Trouble> {
    let mut shown = None;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let wanted = match kind {
            AcmeChallenge::Http01 => ChallengeType::Http01,
            AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let mut challenge = authorization
            .challenge(wanted)
            .ok_or(Trouble::NotOffered(kind))?;
        let proof = challenge.key_authorization();
        shown = Some(match kind {
            AcmeChallenge::Http01 => challenges.show_text(&challenge.token, proof.as_str()),
            AcmeChallenge::TlsAlpn01 => challenges
                .show_certificate(&acme.domain, proof.digest().as_ref())
                .map_err(Trouble::Tls)?,
        });
        challenge.set_ready().await?;
    }
    Ok(shown)
}

/// Waits until the authority has looked.
async fn ready(order: &mut Order) -> Result<(), Trouble> {
    if order.state().status == OrderStatus::Ready {
        return Ok(());
    }
    let waited = order.poll_ready(&PATIENCE).await;
    if matches!(waited, Ok(OrderStatus::Ready)) {
        return Ok(());
    }
    // The reason stands where the proof was asked for, and better than in the order.
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let state = authorization.refresh().await?;
        let said = state
            .challenges
            .iter()
            .find_map(|challenge| challenge.error.clone());
        if let Some(problem) = said {
            return Err(Trouble::Refused(problem));
        }
    }
    Err(waited.map_or_else(Trouble::from, Trouble::Order))
}
