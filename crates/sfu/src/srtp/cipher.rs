//! The transforms: AES-GCM (RFC 7714), and AES in counter mode with HMAC-SHA1 of 80 bits (RFC 3711 §4).

use aws_lc_rs::aead::{self, AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::keys::{Profile, Session};

/// Of AES-GCM.
const TAG_LEN: usize = 16;
/// Of HMAC-SHA1, cut to 80 bits.
const TAG_LEN_SHA1_80: usize = 10;
/// The first packet's header with the sender's SSRC, which stay readable.
pub(super) const RTCP_HEAD_LEN: usize = 8;
/// Above the SRTCP index: the packet is encrypted, not only authenticated.
const ENCRYPTED: u32 = 1 << 31;
/// Indices of RTP have 48 bits.
const RTP_INDEX_END: u64 = 1 << 48;

/// One side's keys for RTP or for RTCP, expanded.
pub(super) enum Suite {
    Gcm(Gcm),
    Cm(Box<Cm>),
}

impl Suite {
    pub(super) fn new(session: &Session) -> Suite {
        match session.profile {
            Profile::AeadAes128Gcm => Suite::Gcm(Gcm::new(&AES_128_GCM, session)),
            Profile::AeadAes256Gcm => Suite::Gcm(Gcm::new(&AES_256_GCM, session)),
            Profile::Aes128CmSha1_80 => Suite::Cm(Box::new(Cm::new(session))),
        }
    }

    /// Seals `buffer[start..]`. False when the lengths or the index are none of an RTP packet; then the packet may be
    /// as it was.
    #[inline]
    pub(super) fn seal_rtp(
        &self,
        buffer: &mut Vec<u8>,
        start: usize,
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> bool {
        let packet = buffer.get_mut(start..);
        let Some((header, payload)) =
            packet.and_then(|packet| packet.split_at_mut_checked(header_len))
        else {
            return false;
        };
        if index >= RTP_INDEX_END {
            return false;
        }
        match self {
            Suite::Gcm(gcm) => {
                let Some(tag) = gcm.seal(ssrc, index, header, payload) else {
                    return false;
                };
                buffer.extend_from_slice(tag.as_ref());
            }
            Suite::Cm(cm) => {
                cm.crypt(ssrc, index, payload);
                let rollover = (index >> 16).to_be_bytes();
                let tag = cm.tag(&[header, payload, &rollover[4..]]);
                buffer.extend_from_slice(&tag);
            }
        }
        true
    }

    /// Seals `buffer[start..]` with that SRTCP index. False when it is too short for RTCP; then it is as it was.
    pub(super) fn seal_rtcp(&self, buffer: &mut Vec<u8>, start: usize, index: u32) -> bool {
        let packet = buffer.get_mut(start..);
        let Some((head, body)) =
            packet.and_then(|packet| packet.split_first_chunk_mut::<RTCP_HEAD_LEN>())
        else {
            return false;
        };
        let ssrc = ssrc_of(head);
        let word = (ENCRYPTED | index).to_be_bytes();
        match self {
            Suite::Gcm(gcm) => {
                let associated = associated(head, word);
                let Some(tag) = gcm.seal(ssrc, u64::from(index), &associated, body) else {
                    return false;
                };
                buffer.extend_from_slice(tag.as_ref());
                buffer.extend_from_slice(&word);
            }
            Suite::Cm(cm) => {
                cm.crypt(ssrc, u64::from(index), body);
                let tag = cm.tag(&[head, body, &word]);
                buffer.extend_from_slice(&word);
                buffer.extend_from_slice(&tag);
            }
        }
        true
    }

    /// Where the parts of an SRTCP packet are: the tag stands before the index in RFC 7714 §9, after it in RFC 3711
    /// §3.4. None when it is too short.
    pub(super) fn split_rtcp<'a>(&self, datagram: &'a [u8]) -> Option<SealedRtcp<'a>> {
        let (head, rest) = datagram.split_first_chunk::<RTCP_HEAD_LEN>()?;
        let (body, tag, word) = match self {
            Suite::Gcm(_) => {
                let (rest, word) = rest.split_last_chunk::<4>()?;
                let (body, tag) = rest.split_last_chunk::<TAG_LEN>()?;
                (body, tag.as_slice(), *word)
            }
            Suite::Cm(_) => {
                let (rest, tag) = rest.split_last_chunk::<TAG_LEN_SHA1_80>()?;
                let (body, word) = rest.split_last_chunk::<4>()?;
                (body, tag.as_slice(), *word)
            }
        };
        Some(SealedRtcp {
            head,
            body,
            tag,
            word,
        })
    }

    /// Appends what was sealed to `plain`, which is empty. When the tag is wrong, false, and what `plain` then holds
    /// means nothing.
    pub(super) fn open_rtcp(&self, sealed: &SealedRtcp<'_>, plain: &mut Vec<u8>) -> bool {
        let (ssrc, index) = (sealed.ssrc(), u64::from(sealed.index()));
        plain.extend_from_slice(sealed.head);
        plain.extend_from_slice(sealed.body);
        match self {
            Suite::Gcm(gcm) if sealed.is_encrypted() => {
                let associated = associated(sealed.head, sealed.word);
                let Some(body) = plain.get_mut(RTCP_HEAD_LEN..) else {
                    return false;
                };
                gcm.open(ssrc, index, &associated, sealed.tag, body)
            }
            // All of it is associated data (RFC 7714 §9.3).
            Suite::Gcm(gcm) => {
                let len = plain.len();
                plain.extend_from_slice(&sealed.word);
                let is_authentic = gcm.open(ssrc, index, plain, sealed.tag, &mut []);
                plain.truncate(len);
                is_authentic
            }
            Suite::Cm(cm) => {
                let tag = cm.tag(&[sealed.head, sealed.body, &sealed.word]);
                if verify_slices_are_equal(&tag, sealed.tag).is_err() {
                    return false;
                }
                if sealed.is_encrypted()
                    && let Some(body) = plain.get_mut(RTCP_HEAD_LEN..)
                {
                    cm.crypt(ssrc, index, body);
                }
                true
            }
        }
    }
}

/// The parts of an SRTCP packet; nothing of it is authentic yet.
pub(super) struct SealedRtcp<'a> {
    head: &'a [u8; RTCP_HEAD_LEN],
    body: &'a [u8],
    tag: &'a [u8],
    /// The index with the bit that says whether the body is encrypted.
    word: [u8; 4],
}

impl SealedRtcp<'_> {
    pub(super) fn ssrc(&self) -> u32 {
        ssrc_of(self.head)
    }

    pub(super) fn index(&self) -> u32 {
        u32::from_be_bytes(self.word) & !ENCRYPTED
    }

    fn is_encrypted(&self) -> bool {
        u32::from_be_bytes(self.word) & ENCRYPTED != 0
    }
}

fn ssrc_of(head: &[u8; RTCP_HEAD_LEN]) -> u32 {
    let [_, _, _, _, ssrc @ ..] = *head;
    u32::from_be_bytes(ssrc)
}

/// The associated data of encrypted SRTCP (RFC 7714 §9.2).
fn associated(head: &[u8; RTCP_HEAD_LEN], word: [u8; 4]) -> [u8; RTCP_HEAD_LEN + 4] {
    let mut associated = [0; RTCP_HEAD_LEN + 4];
    let (first, last) = associated.split_at_mut(RTCP_HEAD_LEN);
    first.copy_from_slice(head);
    last.copy_from_slice(&word);
    associated
}

/// AES-GCM.
pub(super) struct Gcm {
    key: LessSafeKey,
    /// The lower 96 bits.
    salt: u128,
}

impl Gcm {
    fn new(algorithm: &'static aead::Algorithm, session: &Session) -> Gcm {
        let key = UnboundKey::new(algorithm, &session.key[..session.profile.key_len()])
            .expect("AES-GCM takes a key of its own length");
        Gcm {
            key: LessSafeKey::new(key),
            salt: salt_bits(&session.salt[..session.profile.salt_len()]),
        }
    }

    /// Two bytes of zero, the SSRC, the index in 48 bits; xor the salt. RFC 7714 §8.1, and §9.1 as an SRTCP index has
    /// fewer bits.
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let bits = self.salt ^ (u128::from(ssrc) << 48) ^ u128::from(index);
        let [_, _, _, _, nonce @ ..] = bits.to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }

    #[inline]
    fn seal(&self, ssrc: u32, index: u64, associated: &[u8], body: &mut [u8]) -> Option<aead::Tag> {
        self.key
            .seal_in_place_separate_tag(self.nonce(ssrc, index), Aad::from(associated), body)
            .ok()
    }

    fn open(&self, ssrc: u32, index: u64, associated: &[u8], tag: &[u8], body: &mut [u8]) -> bool {
        let nonce = self.nonce(ssrc, index);
        self.key
            .open_in_place_separate_tag(nonce, Aad::from(associated), tag, body)
            .is_ok()
    }
}

/// AES in counter mode and HMAC-SHA1.
pub(super) struct Cm {
    key: EncryptingKey,
    auth_key: hmac::Key,
    /// The lower 112 bits.
    salt: u128,
}

impl Cm {
    fn new(session: &Session) -> Cm {
        let key = UnboundCipherKey::new(&AES_128, &session.key[..session.profile.key_len()])
            .and_then(EncryptingKey::ctr)
            .expect("AES takes a key of its own length");
        Cm {
            key,
            auth_key: hmac::Key::new(
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                session.auth_key.as_slice(),
            ),
            salt: salt_bits(&session.salt[..session.profile.salt_len()]),
        }
    }

    /// Encrypts and decrypts: salt << 16 xor SSRC << 64 xor index << 16 (RFC 3711 §4.1.1).
    #[inline]
    fn crypt(&self, ssrc: u32, index: u64, body: &mut [u8]) {
        let counter = (self.salt << 16) ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
        let counter = EncryptionContext::Iv128(counter.to_be_bytes().into());
        self.key
            .less_safe_encrypt(body, counter)
            .expect("counter mode takes any body with a counter of its length");
    }

    #[inline]
    fn tag(&self, parts: &[&[u8]]) -> [u8; TAG_LEN_SHA1_80] {
        let mut context = hmac::Context::with_key(&self.auth_key);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        *tag.as_ref()
            .first_chunk()
            .expect("a tag of SHA-1 has 20 bytes")
    }
}

fn salt_bits(salt: &[u8]) -> u128 {
    salt.iter()
        .fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
}
