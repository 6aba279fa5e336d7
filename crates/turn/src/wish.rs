//! What requests ask for, and what is wrong with them.

use std::time::Duration;

use crate::api::Families;
use crate::codec::{Message, attribute};
use crate::requests::{
    BAD_REQUEST, CAPACITY, FAMILY_NOT_SUPPORTED, Refusal, TRANSPORT_NOT_SUPPORTED,
};

const LIFETIME_MIN: Duration = Duration::from_secs(600);
const LIFETIME_MAX: Duration = Duration::from_secs(3_600);
const UDP: u8 = 17;
pub(crate) const FAMILY_IPV4: u8 = 1;
pub(crate) const FAMILY_IPV6: u8 = 2;

/// What an Allocate asks for.
pub(crate) struct Wish {
    pub(crate) lifetime: Duration,
    pub(crate) is_even: bool,
    family: Option<u8>,
    additional: bool,
}

impl Wish {
    /// RFC 8656 §7.2.
    pub(crate) fn read(message: &Message<'_>) -> Result<Self, Refusal> {
        match message.get(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(TRANSPORT_NOT_SUPPORTED),
            Some(_) | None => return Err(BAD_REQUEST),
        }
        let even = match message.get(attribute::EVEN_PORT) {
            None => None,
            Some([flags]) => Some(flags & 0x80 != 0),
            Some(_) => return Err(BAD_REQUEST),
        };
        let family_asked = family(message, attribute::REQUESTED_ADDRESS_FAMILY)?;
        let additional = family(message, attribute::ADDITIONAL_ADDRESS_FAMILY)?;
        if message.has(attribute::RESERVATION_TOKEN) {
            let is_contradiction = even.is_some() || family_asked.is_some() || additional.is_some();
            // None were ever given: nothing is reserved.
            return Err(if is_contradiction {
                BAD_REQUEST
            } else {
                CAPACITY
            });
        }
        if (family_asked.is_some() && additional.is_some())
            || additional.is_some_and(|family| family != FAMILY_IPV6)
            || (additional.is_some() && even == Some(true))
        {
            return Err(BAD_REQUEST);
        }
        // The next port is not kept for anybody.
        if even == Some(true) {
            return Err(CAPACITY);
        }
        Ok(Self {
            lifetime: lifetime(message)?,
            is_even: even.is_some(),
            family: family_asked,
            additional: additional.is_some(),
        })
    }

    /// Those that it gets, and the one that it does not.
    pub(crate) fn families(
        &self,
        has_ipv4: bool,
        has_ipv6: bool,
    ) -> Result<(Families, Option<u8>), Refusal> {
        let wants_ipv6 = self.additional || self.family == Some(FAMILY_IPV6);
        let wants_ipv4 = self.additional || self.family != Some(FAMILY_IPV6);
        let families = Families {
            ipv4: wants_ipv4 && has_ipv4,
            ipv6: wants_ipv6 && has_ipv6,
        };
        match (families.ipv4, families.ipv6) {
            (false, false) => Err(FAMILY_NOT_SUPPORTED),
            (false, true) if wants_ipv4 => Ok((families, Some(FAMILY_IPV4))),
            (true, false) if wants_ipv6 => Ok((families, Some(FAMILY_IPV6))),
            _ => Ok((families, None)),
        }
    }
}

pub(crate) fn family(message: &Message<'_>, kind: u16) -> Result<Option<u8>, Refusal> {
    match message.get(kind) {
        None => Ok(None),
        Some([family @ (FAMILY_IPV4 | FAMILY_IPV6), _, _, _]) => Ok(Some(*family)),
        Some([_, _, _, _]) => Err(FAMILY_NOT_SUPPORTED),
        Some(_) => Err(BAD_REQUEST),
    }
}

pub(crate) fn lifetime_asked(message: &Message<'_>) -> Result<Option<u32>, Refusal> {
    message
        .get(attribute::LIFETIME)
        .map(|value| value.try_into().map(u32::from_be_bytes))
        .transpose()
        .map_err(|_| BAD_REQUEST)
}

pub(crate) fn lifetime(message: &Message<'_>) -> Result<Duration, Refusal> {
    let asked = lifetime_asked(message)?.map_or(LIFETIME_MIN, |s| Duration::from_secs(s.into()));
    Ok(asked.clamp(LIFETIME_MIN, LIFETIME_MAX))
}
