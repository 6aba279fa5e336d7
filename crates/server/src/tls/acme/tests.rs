use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::tls::identity;

const DAY: Duration = Duration::from_secs(86_400);

fn at_day(day: u32) -> SystemTime {
    UNIX_EPOCH + DAY * day
}

fn pem(name: &str, from: SystemTime, until: SystemTime) -> String {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.not_before = from.into();
    params.not_after = until.into();
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed");
    format!("{}{}", certificate.pem(), key.serialize_pem())
}

#[test]
fn renewal_is_due_after_two_thirds() {
    let check = |from: u32, until: u32, expected: u32| {
        let identity = Identity::from_pem(&pem("x.org", at_day(from), at_day(until)));
        assert_eq!(due(&identity.expect("good")), at_day(expected));
    };
    check(20_000, 20_090, 20_060);
    check(20_000, 20_006, 20_004);
    // Nonsense is due at once.
    check(20_000, 19_000, 20_000);
}

#[test]
fn pauses_vary_by_a_tenth_and_never_down() {
    for _ in 0..100 {
        let pause = varied(DAY);
        assert!(pause >= DAY && pause <= DAY.mul_f64(1.1), "{pause:?}");
    }
}

#[test]
fn only_what_is_still_good_is_shown_at_the_next_start() {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the system has randomness");
    let name = format!("madang-acme-{:016x}", u64::from_le_bytes(random));
    let cache: PathBuf = std::env::temp_dir().join(name);
    let acme = Acme {
        domain: "meet.example.org".to_owned(),
        directory: "https://[::1]:14000/dir".to_owned(),
        email: None,
        challenge: None,
        ca: None,
        external_account: None,
    };
    let renewal = Renewal::new(
        &acme,
        &cache,
        &Arc::default(),
        &Arc::default(),
        &Arc::default(),
    );
    assert!(renewal.kept().is_none());
    let path = renewal.folder.certificate(&acme.domain);
    let inside: Vec<_> = path.strip_prefix(&cache).expect("inside").iter().collect();
    assert_eq!(inside, ["acme", "___1__14000", "meet.example.org.pem"]);
    let now = SystemTime::now();
    for (text, is_kept) in [
        (pem("meet.example.org", now - DAY, now + DAY), true),
        (pem("meet.example.org", now - DAY * 2, now - DAY), false),
        (pem("other.example.org", now - DAY, now + DAY), false),
        (String::new(), false),
    ] {
        identity::keep(&path, &text).expect("kept");
        assert_eq!(renewal.kept().is_some(), is_kept, "{text}");
    }
    std::fs::remove_dir_all(cache).expect("made by this test");
}
