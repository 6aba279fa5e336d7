use madang_sfu::api::Entropy;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Randomness for ICE credentials, nonces and ids: `ChaCha20`, seeded by the operating system.
pub(crate) struct OsSeeded(ChaCha20Rng);

impl OsSeeded {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(ChaCha20Rng::from_seed(seed)))
    }
}

impl std::fmt::Debug for OsSeeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OsSeeded")
    }
}

impl Entropy for OsSeeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
