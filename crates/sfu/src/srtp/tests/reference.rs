//! SRTP once more, out of the engine's own ciphers and its provider's block cipher: what the other side would do.

use str0m::crypto::{AeadAes128Gcm, Aes128CmSha1_80, CryptoProvider};

use super::Profile;

const GCM_TAG_LEN: usize = AeadAes128Gcm::TAG_LEN;
const HMAC_TAG_LEN: usize = Aes128CmSha1_80::HMAC_TAG_LEN;

/// One side's master key and salt.
pub(crate) struct Reference {
    provider: CryptoProvider,
    profile: Profile,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl Reference {
    pub(crate) fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Reference {
        Reference {
            provider: str0m::crypto::from_feature_flags(),
            profile,
            key: key.to_vec(),
            salt: salt.to_vec(),
        }
    }

    fn derive<const N: usize>(&self, label: u8) -> [u8; N] {
        let mut input = [0; 16];
        input[..self.salt.len()].copy_from_slice(&self.salt);
        input[7] ^= label;
        let mut out = Vec::new();
        while out.len() < N {
            input[15] = u8::try_from(out.len() / 16).expect("short");
            let mut block = [0; 32];
            let provider = self.provider.srtp_provider;
            match self.key.len() {
                16 => provider.srtp_aes_128_ecb_round(&self.key, &input, &mut block),
                _ => provider.srtp_aes_256_ecb_round(&self.key, &input, &mut block),
            }
            out.extend_from_slice(&block[..16]);
        }
        *out.first_chunk().expect("so long")
    }

    fn hmac(&self, label: u8, parts: &[&[u8]]) -> Vec<u8> {
        let key: [u8; 20] = self.derive(label);
        let tag = self.provider.sha1_hmac_provider.sha1_hmac(&key, parts);
        tag[..HMAC_TAG_LEN].to_vec()
    }

    fn gcm_open(
        &self,
        label: u8,
        nonce: [u8; 12],
        associated: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let mut plain = vec![0; sealed.len().checked_sub(GCM_TAG_LEN)?];
        let provider = self.provider.srtp_provider;
        let opened = match self.profile {
            Profile::AeadAes128Gcm => provider
                .aead_aes_128_gcm()
                .create_cipher(self.derive(label), false)
                .decrypt(&nonce, &[associated], sealed, &mut plain),
            Profile::AeadAes256Gcm => provider
                .aead_aes_256_gcm()
                .create_cipher(self.derive(label), false)
                .decrypt(&nonce, &[associated], sealed, &mut plain),
            Profile::Aes128CmSha1_80 => unreachable!("not GCM"),
        };
        opened.ok().map(|_| plain)
    }

    fn gcm_seal(&self, label: u8, nonce: [u8; 12], associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; plain.len() + GCM_TAG_LEN];
        let provider = self.provider.srtp_provider;
        match self.profile {
            Profile::AeadAes128Gcm => provider
                .aead_aes_128_gcm()
                .create_cipher(self.derive(label), true)
                .encrypt(&nonce, associated, plain, &mut sealed),
            Profile::AeadAes256Gcm => provider
                .aead_aes_256_gcm()
                .create_cipher(self.derive(label), true)
                .encrypt(&nonce, associated, plain, &mut sealed),
            Profile::Aes128CmSha1_80 => unreachable!("not GCM"),
        }
        .expect("the engine seals");
        sealed
    }

    fn crypt(&self, label: u8, iv: [u8; 16], body: &[u8]) -> Vec<u8> {
        let mut out = vec![0; body.len() + 15];
        let ciphers = self.provider.srtp_provider.aes_128_cm_sha1_80();
        ciphers
            .create_cipher(self.derive(label), true)
            .encrypt(&iv, body, &mut out)
            .expect("the engine encrypts");
        out.truncate(body.len());
        out
    }

    /// The plain packet.
    pub(crate) fn open_rtp(
        &self,
        packet: &[u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<Vec<u8>> {
        let (header, sealed) = packet.split_at(header_len);
        let rollover = u32::try_from(index >> 16).expect("48 bits");
        let sequence = u16::from_be_bytes([header[2], header[3]]);
        let payload = if self.profile == Profile::Aes128CmSha1_80 {
            let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(HMAC_TAG_LEN)?)?;
            if self.hmac(1, &[header, body, &rollover.to_be_bytes()]) != tag {
                return None;
            }
            self.crypt(
                0,
                Aes128CmSha1_80::rtp_iv(self.derive(2), ssrc, index),
                body,
            )
        } else {
            let nonce = AeadAes128Gcm::rtp_iv(self.derive(2), ssrc, rollover, sequence);
            self.gcm_open(0, nonce, header, sealed)?
        };
        Some([header, &payload].concat())
    }

    pub(crate) fn open_rtcp(&self, packet: &[u8]) -> Option<(u32, Vec<u8>)> {
        let ssrc = u32::from_be_bytes(packet[4..8].try_into().expect("four"));
        let (head, rest) = packet.split_at(8);
        let (index, body) = if self.profile == Profile::Aes128CmSha1_80 {
            let (rest, tag) = rest.split_at(rest.len() - HMAC_TAG_LEN);
            if self.hmac(4, &[head, rest]) != tag {
                return None;
            }
            let (body, word) = rest.split_at(rest.len() - 4);
            let index = word_index(word);
            let iv = Aes128CmSha1_80::rtp_iv(self.derive(5), ssrc, u64::from(index));
            (index, self.crypt(3, iv, body))
        } else {
            let (body, word) = rest.split_at(rest.len() - 4);
            let index = word_index(word);
            let nonce = AeadAes128Gcm::rtcp_iv(self.derive(5), ssrc, index);
            (
                index,
                self.gcm_open(3, nonce, &[head, word].concat(), body)?,
            )
        };
        Some((index, [head, &body].concat()))
    }

    pub(crate) fn seal_rtcp(&self, plain: &[u8], index: u32, encrypted: bool) -> Vec<u8> {
        let ssrc = u32::from_be_bytes(plain[4..8].try_into().expect("four"));
        let (head, body) = plain.split_at(8);
        let word = (index | u32::from(encrypted) << 31).to_be_bytes();
        if self.profile == Profile::Aes128CmSha1_80 {
            let iv = Aes128CmSha1_80::rtp_iv(self.derive(5), ssrc, u64::from(index));
            let body = if encrypted {
                self.crypt(3, iv, body)
            } else {
                body.to_vec()
            };
            let tag = self.hmac(4, &[head, &body, &word]);
            return [head, &body, &word, &tag].concat();
        }
        let nonce = AeadAes128Gcm::rtcp_iv(self.derive(5), ssrc, index);
        if encrypted {
            let sealed = self.gcm_seal(3, nonce, &[head, word.as_slice()].concat(), body);
            [head, &sealed, &word].concat()
        } else {
            let tag = self.gcm_seal(3, nonce, &[plain, word.as_slice()].concat(), &[]);
            [plain, &tag, &word].concat()
        }
    }
}

fn word_index(word: &[u8]) -> u32 {
    let word = u32::from_be_bytes(word.try_into().expect("four"));
    assert_eq!(word >> 31, 1, "what we send is encrypted");
    word & 0x7fff_ffff
}
