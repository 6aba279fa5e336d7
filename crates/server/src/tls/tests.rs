use std::path::Path;

use super::*;

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the system has randomness");
        let name = format!("madang-tls-{:016x}", u64::from_le_bytes(random));
        Self(std::env::temp_dir().join(name).join("inner"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let outer = self.0.parent().expect("made of two");
        // Tests that are refused make none.
        std::fs::remove_dir_all(outer).ok();
    }
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn text_of(error: &IdentityError) -> String {
    error.to_string()
}

#[test]
fn what_is_made_here_covers_its_names_and_stays() {
    let folder = Folder::new();
    let first = own::kept(&folder.0, &names(&["localhost", "127.0.0.1", "::1"])).expect("made");
    for (name, is_covered) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("127.0.0.2", false),
        ("example.org", false),
        ("not a name", false),
    ] {
        assert_eq!(first.covers(name), is_covered, "{name}");
    }
    let days = first.valid_until.duration_since(first.valid_from);
    assert_eq!(days.expect("in order").as_secs() / 86_400, 825);
    let again = own::kept(&folder.0, &names(&["localhost"])).expect("kept");
    assert_eq!(again.fingerprint(), first.fingerprint());
    assert_eq!(again.fingerprint().len(), 32 * 3 - 1);
    // The machine got another address.
    let moved = own::kept(&folder.0, &names(&["localhost", "192.0.2.1"])).expect("made");
    assert_ne!(moved.fingerprint(), first.fingerprint());
}

#[cfg(unix)]
#[test]
fn keys_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    own::kept(&folder.0, &names(&["localhost"])).expect("made");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    let path = folder.0.join("self-signed.pem");
    assert_eq!(mode(&path), 0o600);
    // A draft that somebody left behind for all to read is not written into.
    let draft = folder.0.join("self-signed.new");
    std::fs::write(&draft, "old").expect("a file");
    identity::keep(&path, "text").expect("kept");
    assert_eq!((mode(&path), draft.exists()), (0o600, false));
}

#[test]
fn files_that_are_no_good_say_why() {
    let folder = Folder::new();
    let made = own::kept(&folder.0, &names(&["localhost"])).expect("made");
    let path = |name: &str| folder.0.join(name);
    let good = path("self-signed.pem");
    let (other, empty) = (path("other.pem"), path("empty.pem"));
    let key = rcgen::KeyPair::generate().expect("a key");
    std::fs::write(&other, key.serialize_pem()).expect("a file");
    std::fs::write(&empty, "").expect("a file");
    let check = |certificate: &Path, key: &Path, part: &str| {
        let error = Identity::read(certificate, key).expect_err("no good");
        assert!(
            text_of(&error).contains(part),
            "{part:?} is not in: {error}"
        );
    };
    check(&path("nothing.pem"), &good, "nothing.pem");
    check(&empty, &good, "holds no certificate");
    check(&good, &empty, "empty.pem");
    check(&good, &other, "do not belong together");
    let same = Identity::read(&good, &good).expect("good");
    assert_eq!(same.fingerprint(), made.fingerprint());
}
