//! What may reach the data channels' association (SCTP over DTLS, RFC 8831).

/// Before the first chunk (RFC 9260 §3.1).
const HEADER_BYTES: usize = 12;
/// RFC 9260 §3.2.
const INIT: u8 = 1;
const COOKIE_ECHO: u8 = 10;

/// A client that waits too long for an answer repeats its INIT, and the repetition may come when the association is up. It
/// is to be answered then without harm (RFC 9260 §5.2.2), but str0m's SCTP takes it for an error and ends the
/// connection, media and all. Nobody needs the answer, so it stops here.
#[derive(Debug, Default)]
pub(super) struct Association {
    up: bool,
}

impl Association {
    /// False: the packet is not to be looked at.
    pub(super) fn admits(&mut self, packet: &[u8]) -> bool {
        match packet.get(HEADER_BYTES) {
            Some(&INIT) => !self.up,
            Some(&COOKIE_ECHO) => {
                self.up = true;
                true
            }
            Some(_) | None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Association, COOKIE_ECHO, INIT};

    fn packet(kind: u8) -> Vec<u8> {
        [vec![0; 12], vec![kind, 0, 0, 4]].concat()
    }

    #[test]
    fn a_late_repetition_of_the_first_word_is_passed_over() {
        let mut association = Association::default();
        for _ in 0..3 {
            assert!(association.admits(&packet(INIT)), "not up yet");
        }
        assert!(association.admits(&packet(COOKIE_ECHO)));
        assert!(!association.admits(&packet(INIT)));
        assert!(
            association.admits(&packet(COOKIE_ECHO)),
            "its answer was lost"
        );
        // Data, and what is too short to be anything.
        assert!(association.admits(&packet(0)));
        assert!(association.admits(&[1; 12]));
        assert!(association.admits(&[]));
    }
}
