use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert};
use str0m::net::TcpType;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, IceCreds, Rtc, RtcConfig};

use super::egress::{KeySlot, provider, with_slot};
use super::extensions::{DESCRIPTOR_URI, DescriptorSerializer};
use crate::api::Entropy;
use crate::ufrag::{Credentials, owner_of_ufrag};

pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// Buffered towards the client over all of its data channels. More than the largest message (256 KiB), which must fit
/// into an empty buffer.
const SCTP_BUFFER_BYTES: usize = 512 * 1024;

/// What all connections of a shard have in common: the certificate, the candidates, the limits.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    certificate: DtlsCert,
    crypto: Arc<CryptoProvider>,
    candidates: Vec<Candidate>,
    sdp_bytes_max: usize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("candidates", &self.0.candidates.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(config: &crate::Config) -> Self {
        Self::with_crypto(config, provider())
    }

    pub(super) fn with_crypto(config: &crate::Config, crypto: CryptoProvider) -> Self {
        let crypto = Arc::new(crypto);
        let certificate = crypto
            .dtls_provider
            .generate_certificate()
            .expect("aws-lc-rs makes certificates");
        // An address that cannot be a candidate (unspecified, multicast) is of no use to any client.
        let udp = config.candidates.iter();
        let udp = udp.filter_map(|address| Candidate::host(*address, "udp").ok());
        let tcp = config.tcp_candidates.iter().filter_map(|address| {
            let passive = Candidate::builder().tcp().host(*address);
            passive.tcptype(TcpType::Passive).build().ok()
        });
        let candidates = udp.chain(tcp).collect();
        Self(Arc::new(Inner {
            certificate,
            crypto,
            candidates,
            sdp_bytes_max: config.sdp_bytes_max,
        }))
    }

    pub(super) fn sdp_bytes_max(&self) -> usize {
        self.0.sdp_bytes_max
    }

    pub(super) fn crypto(&self) -> &CryptoProvider {
        &self.0.crypto
    }

    /// And where its keys will be.
    pub(super) fn build(&self, now: Instant, credentials: &Credentials) -> (Rtc, KeySlot) {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.0.crypto))
            .set_dtls_cert(self.0.certificate.clone())
            .set_local_ice_credentials(ice_credentials(credentials))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_stats_interval(Some(REPORT_INTERVAL))
            .set_sctp_max_buffered_amount(SCTP_BUFFER_BYTES)
            .set_extension_map(extension_map())
            .clear_codecs()
            .enable_opus(true, true)
            .enable_pcmu(true, false)
            .enable_pcma(true, false)
            .enable_vp8(true)
            .enable_h264(true)
            .enable_vp9(true)
            .enable_av1(true);
        config
            .codec_config()
            .add_h264(116.into(), Some(117.into()), false, 0x0064_001f);
        let (mut rtc, keys) = with_slot(|| config.build(now));
        for candidate in &self.0.candidates {
            let _: Option<&Candidate> = rtc.add_local_candidate(candidate.clone());
        }
        (rtc, keys)
    }
}

fn extension_map() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(1, Extension::AudioLevel);
    map.set(2, Extension::AbsoluteSendTime);
    map.set(3, Extension::TransportSequenceNumber);
    map.set(4, Extension::RtpMid);
    map.set(5, Extension::AbsoluteCaptureTime);
    map.set(10, Extension::RtpStreamId);
    map.set(11, Extension::RepairedRtpStreamId);
    map.set(
        12,
        Extension::with_serializer(DESCRIPTOR_URI, DescriptorSerializer),
    );
    map.set(13, Extension::VideoOrientation);
    map
}

pub(super) fn ice_credentials(credentials: &Credentials) -> IceCreds {
    IceCreds {
        ufrag: credentials.ufrag.clone(),
        pass: credentials.password.clone(),
    }
}

/// The credentials after those, for an ICE restart by the client (RFC 8839 §4.4.3.1.1: the answer must have new ones).
/// They keep the owner in the fragment and follow from the old password, which only the client and we know.
pub(super) fn restarted(credentials: &Credentials, crypto: &CryptoProvider) -> Option<Credentials> {
    let (shard, slot) = owner_of_ufrag(credentials.ufrag.as_bytes())?;
    let mut entropy = Derived {
        crypto,
        credentials,
        block: 0,
    };
    Some(Credentials::new(shard, slot, &mut entropy))
}

struct Derived<'a> {
    crypto: &'a CryptoProvider,
    credentials: &'a Credentials,
    block: u32,
}

impl Entropy for Derived<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(20) {
            let digest = self.crypto.sha1_hmac_provider.sha1_hmac(
                self.credentials.password.as_bytes(),
                &[
                    b"ice restart",
                    self.credentials.ufrag.as_bytes(),
                    &self.block.to_be_bytes(),
                ],
            );
            self.block = self.block.wrapping_add(1);
            for (byte, random) in chunk.iter_mut().zip(digest) {
                *byte = random;
            }
        }
    }
}
