//! The three ways to seal. Which one is taken is the client's choice, and the DTLS of this client leaves none: so what the
//! handshake gives is given to both sides under another name.

use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};
use str0m::media::{Direction, MediaKind as RtcKind};

use super::pair::{Adds, Pair, down, options};
use crate::api::{Codec, MediaKind, Offerer};
use crate::connection::egress::tapped;

#[derive(Debug)]
struct Named {
    profile: SrtpProfile,
    bytes: usize,
}

#[derive(Debug)]
struct Renamed {
    inner: Box<dyn DtlsInstance>,
    profile: SrtpProfile,
    bytes: usize,
}

impl DtlsProvider for Named {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let provider = from_feature_flags().dtls_provider;
        Ok(Box::new(Renamed {
            inner: provider.new_dtls(cert, now, version, mtu)?,
            profile: self.profile,
            bytes: self.bytes,
        }))
    }
}

impl DtlsInstance for Renamed {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buf);
        let DtlsOutput::KeyingMaterial(material, _) = &output else {
            return output;
        };
        let secret = material.iter().copied().cycle();
        let bytes: Vec<u8> = secret.take(self.bytes).collect();
        DtlsOutput::KeyingMaterial(KeyingMaterial::new(&bytes), self.profile)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}

/// Media, repairs, reports and what the client says of them, each in that profile.
fn check(profile: SrtpProfile, bytes: usize, tag_bytes: usize) {
    let named: &'static Named = Box::leak(Box::new(Named { profile, bytes }));
    let theirs = CryptoProvider {
        dtls_provider: named,
        ..from_feature_flags()
    };
    let mut pair = Pair::with_crypto(&options(Offerer::Client), tapped(named), theirs);
    let key = pair
        .server
        .attach(pair.now, down(7, MediaKind::Video, Some(Codec::Vp8)));
    pair.negotiate(&Adds {
        media: vec![(RtcKind::Video, Direction::RecvOnly)],
        ..Adds::default()
    });
    pair.run_ms(500);
    for seq in 1..=100_u64 {
        pair.lose_next = u32::from(seq == 50);
        assert!(pair.write(key, Codec::Vp8, seq, &seq.to_be_bytes()));
        pair.run_ms(20);
    }
    let mut got: Vec<u64> = pair.client.packets.iter().map(|p| *p.seq_no).collect();
    got.sort_unstable();
    assert_eq!(got, Vec::from_iter(1..=100));
    let last = pair.client.packets.last().expect("packets");
    assert!(last.last_sender_info.is_some(), "reports can be read");
    let media = pair.wire.iter().filter(|one| one.is_rtp());
    let shortest = media.map(|one| one.bytes.len()).min();
    // The mid alone is a word of extensions.
    assert_eq!(shortest, Some(12 + 8 + 8 + tag_bytes));
}

#[test]
fn aes_in_counter_mode_with_hmac_sha1() {
    check(SrtpProfile::AES128_CM_SHA1_80, 60, 10);
}

#[test]
fn aes_128_gcm() {
    check(SrtpProfile::AEAD_AES_128_GCM, 56, 16);
}

#[test]
fn aes_256_gcm() {
    check(SrtpProfile::AEAD_AES_256_GCM, 88, 16);
}
