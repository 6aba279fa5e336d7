//! Access tokens: JSON Web Tokens (RFC 7519) signed with HS256 by a configured key, and nothing else. What a token
//! grants is read by the dialect; here it is only found out whether we believe it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use madang_signalling::livekit::Claims;
use serde::Deserialize;

use crate::config::Secret;

/// Clocks of token makers may differ from ours by so much.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);
/// Larger ones are refused unread.
pub(crate) const TOKEN_BYTES_MAX: usize = 32 * 1024;
const ALGORITHM: Algorithm = Algorithm::HS256;

/// The configured keys, ready for use.
#[derive(Clone)]
pub(crate) struct Keys(Arc<BTreeMap<String, Key>>);

struct Key {
    verify: DecodingKey,
    sign: EncodingKey,
}

/// A token that we believe, with the key that signed it.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) claims: Claims,
    pub(crate) key: String,
}

/// Why a token is not believed. The texts are told to clients, so they repeat nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("no permissions to access the room")]
    Missing,
    #[error("invalid authorization header. Must start with Bearer ")]
    Scheme,
    #[error("invalid authorization token")]
    Unreadable,
    #[error("invalid API key")]
    UnknownKey,
    #[error("invalid token: the token is expired")]
    Expired,
    #[error("invalid token: the token is not valid yet")]
    NotYetValid,
    #[error("invalid token: no exp claim")]
    Endless,
    #[error("invalid token: wrong signature or algorithm")]
    Signature,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Keys {
    pub(crate) fn new(secrets: &BTreeMap<String, Secret>) -> Self {
        let keys = secrets.iter().map(|(name, secret)| {
            let bytes = secret.reveal().as_bytes();
            let key = Key {
                verify: DecodingKey::from_secret(bytes),
                sign: EncodingKey::from_secret(bytes),
            };
            (name.clone(), key)
        });
        Self(Arc::new(keys.collect()))
    }

    /// The key that our own tokens are signed with, unless another is asked for.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.keys().next().map(String::as_str)
    }

    /// The header of the token decides nothing: neither the algorithm nor the key.
    pub(crate) fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Unreadable);
        }
        let name = issuer(token).ok_or(TokenError::Unreadable)?;
        let key = self.0.get(&name).ok_or(TokenError::UnknownKey)?;
        let mut validation = Validation::new(ALGORITHM);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.set_issuer(&[&name]);
        let data = jsonwebtoken::decode::<Claims>(token, &key.verify, &validation)
            .map_err(|error| refusal(error.kind()))?;
        Ok(Verified {
            claims: data.claims,
            key: name,
        })
    }

    /// Signs with the key of that name; `iss`, `nbf` and `exp` are set here.
    pub(crate) fn sign(
        &self,
        key: &str,
        mut claims: Claims,
        wall: Duration,
        ttl: Duration,
    ) -> Option<String> {
        let sign = &self.0.get(key)?.sign;
        key.clone_into(&mut claims.iss);
        claims.nbf = Some(wall.as_secs());
        claims.exp = Some(wall.saturating_add(ttl).as_secs());
        jsonwebtoken::encode(&Header::new(ALGORITHM), &claims, sign).ok()
    }
}

/// Who says to have signed it. Not to be believed before the signature is checked.
fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issued {
        #[serde(default)]
        iss: String,
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    URL_SAFE_NO_PAD.decode(header).ok()?;
    let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let issued: Issued = serde_json::from_slice(&json).ok()?;
    Some(issued.iss)
}

fn refusal(kind: &jsonwebtoken::errors::ErrorKind) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    if matches!(kind, ErrorKind::ExpiredSignature) {
        TokenError::Expired
    } else if matches!(kind, ErrorKind::ImmatureSignature) {
        TokenError::NotYetValid
    } else if matches!(kind, ErrorKind::MissingRequiredClaim(_)) {
        TokenError::Endless
    } else if matches!(
        kind,
        ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_)
    ) {
        TokenError::Unreadable
    } else {
        TokenError::Signature
    }
}

#[cfg(test)]
mod tests;
