//! The keys that a DTLS handshake gives (RFC 5764 §4.2), taken on their way to str0m: it goes on to receive with them, and we
//! seal what we send.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
    SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

use crate::connection::association::Association;
use crate::srtp::{Keys, Profile};

/// Where a connection finds its keys.
#[derive(Debug, Clone, Default)]
pub(in crate::connection) struct KeySlot(Arc<Mutex<Option<Keys>>>);

impl KeySlot {
    pub(super) fn take(&self) -> Option<Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, keys: Option<Keys>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

thread_local! {
    /// The slot of the connection that is just being made: a provider is not told for whom it makes an instance.
    static NEXT: RefCell<Option<KeySlot>> = const { RefCell::new(None) };
}

/// As str0m has it, but the keys of what `make` makes are put into its slot, too.
pub(in crate::connection) fn with_slot<T>(make: impl FnOnce() -> T) -> (T, KeySlot) {
    let slot = KeySlot::default();
    NEXT.set(Some(slot.clone()));
    let made = make();
    NEXT.take();
    (made, slot)
}

pub(in crate::connection) fn provider() -> CryptoProvider {
    CryptoProvider {
        dtls_provider: &*TAP,
        ..from_feature_flags()
    }
}

static TAP: LazyLock<Tap> = LazyLock::new(|| Tap(from_feature_flags().dtls_provider));

/// Over another one than str0m's own.
#[cfg(test)]
pub(in crate::connection) fn tapped(inner: &'static dyn DtlsProvider) -> CryptoProvider {
    CryptoProvider {
        dtls_provider: Box::leak(Box::new(Tap(inner))),
        ..from_feature_flags()
    }
}

#[derive(Debug)]
struct Tap(&'static dyn DtlsProvider);

impl DtlsProvider for Tap {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = self.0.new_dtls(cert, now, version, mtu)?;
        let slot = NEXT.with_borrow(Clone::clone).unwrap_or_default();
        Ok(Box::new(Tapped {
            inner,
            slot,
            association: Association::default(),
        }))
    }

    fn is_test(&self) -> bool {
        self.0.is_test()
    }
}

/// None: one that we do not know; what would be sent with it is not sent.
fn known(profile: SrtpProfile) -> Option<Profile> {
    let pairs = [
        (SrtpProfile::AEAD_AES_128_GCM, Profile::AeadAes128Gcm),
        (SrtpProfile::AEAD_AES_256_GCM, Profile::AeadAes256Gcm),
        (SrtpProfile::AES128_CM_SHA1_80, Profile::Aes128CmSha1_80),
    ];
    let found = pairs.into_iter().find(|(theirs, _)| *theirs == profile);
    found.map(|(_, ours)| ours)
}

#[derive(Debug)]
struct Tapped {
    inner: Box<dyn DtlsInstance>,
    slot: KeySlot,
    association: Association,
}

impl DtlsInstance for Tapped {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let active = self.inner.is_active();
        let output = self.inner.poll_output(buf);
        if let DtlsOutput::ApplicationData(packet) = &output
            && !self.association.admits(packet)
        {
            // An empty packet is none.
            return DtlsOutput::ApplicationData(&[]);
        }
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let keys = known(*profile).and_then(|profile| Keys::new(profile, material, active));
            self.slot.put(keys);
        }
        output
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
