use std::io::Write as _;
use std::path::PathBuf;

use super::*;

/// A file of its own for each test, removed at the end.
struct File(PathBuf);

impl File {
    fn with(text: &str) -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the system has randomness");
        let name = format!("madang-test-{:016x}.toml", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        let mut file = std::fs::File::create(&path).expect("a temporary file");
        file.write_all(text.as_bytes()).expect("a temporary file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("made by this test");
    }
}

fn load_all(file: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config, ConfigError> {
    let file = File::with(file);
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(Some(&file.0), variables, flags)
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    load_all(text, &[], Flags::default())
}

fn from_variables(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_all("", variables, Flags::default())
}

#[track_caller]
fn check_error(result: Result<Config, ConfigError>, parts: &[&str]) {
    let error = result.expect_err("must be refused").to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn nothing_set_is_development_mode_on_loopback() {
    let config = from_file("").expect("valid");
    assert!(config.dev && config.bind.is_loopback());
    assert_eq!((config.port, config.udp_port), (7880, 7882));
    assert_eq!(
        config.keys.get(DEV_KEY).map(Secret::reveal),
        Some(DEV_SECRET)
    );
}

#[test]
fn keys_end_development_mode_and_open_all_addresses() {
    let config = from_file("[keys]\nyard = 'a'").expect("valid");
    assert!(!config.dev && !config.bind.is_loopback());
    assert_eq!(config.weak_keys().collect::<Vec<_>>(), ["yard"]);
    assert!(!config.keys.contains_key(DEV_KEY));
}

#[test]
fn public_without_keys_needs_a_word() {
    let refused = from_file("bind = ['0.0.0.0']");
    check_error(refused, &["0.0.0.0", "MADANG_KEYS", "--dev"]);
    let config = from_file("bind = ['0.0.0.0']\ndev = true").expect("said so");
    assert!(config.dev && !config.bind.is_loopback());
    check_error(from_file("dev = false"), &["nobody could join"]);
}

#[test]
fn later_sources_win() {
    let file = "port = 1\nudp_port = 1\nshards = 2";
    let variables = [("MADANG_PORT", "2"), ("MADANG_UDP_PORT", "2")];
    let flags = Flags {
        port: Some(3),
        ..Flags::default()
    };
    let config = load_all(file, &variables, flags).expect("valid");
    assert_eq!((config.port, config.udp_port, config.shards), (3, 2, 2));
}

#[test]
fn variables_of_every_kind() {
    let config = from_variables(&[
        ("MADANG_BIND", "127.0.0.1, ::1"),
        ("MADANG_KEYS", "a: first, b:second:with colon"),
        ("MADANG_ROOMS_AUTO_CREATE", "false"),
        ("MADANG_ROOMS_EMPTY_TIMEOUT_S", "7"),
        ("MADANG_LOG_FORMAT", "json"),
        ("MADANG_LOG_LEVEL", "info,madang=\"debug\""),
        ("MADANG_SHARDS", ""),
        ("MADANG_URL", "of the tests"),
    ])
    .expect("valid");
    assert_eq!(config.bind.addresses.len(), 2);
    assert_eq!(config.keys["b"].reveal(), "second:with colon");
    assert!(!config.rooms.auto_create);
    assert_eq!(config.rooms.empty_timeout, Duration::from_secs(7));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.level, "info,madang=\"debug\"");
}

#[test]
fn errors_name_key_and_line() {
    check_error(from_file("\nport = 'x'"), &["line 2", "port"]);
    check_error(
        from_file("\n\n[rooms]\nautocreate = 1"),
        &["line 4", "autocreate"],
    );
    check_error(from_file("shards = 65"), &["shards", "65"]);
    check_error(
        from_file("[rooms]\npeers_per_shard = 0"),
        &["rooms.peers_per_shard"],
    );
    check_error(from_file("bind = []"), &["bind"]);
    check_error(
        from_variables(&[("MADANG_PORT", "70000")]),
        &["MADANG_PORT"],
    );
    check_error(from_variables(&[("MADANG_PROT", "1")]), &["MADANG_PROT"]);
}

#[test]
fn what_is_relayed_has_its_limits() {
    let config = from_file("").expect("valid");
    assert!(config.turn.enabled && config.turn.secret.is_none());
    assert_eq!(config.turn.bytes_per_second, 2_500_000);
    let secret = "s".repeat(SECRET_CHARS_MIN);
    let text = format!(
        "[turn]\nhost = 'turn.example.org'\nsecret = '{secret}'\ncredentials_ttl_s = 86400\nmbit_per_s = 8"
    );
    let config = from_file(&text).expect("valid");
    assert_eq!(config.turn.host.as_deref(), Some("turn.example.org"));
    assert_eq!(config.turn.bytes_per_second, 1_000_000);
    assert!(!format!("{config:?}").contains(&secret));
    assert!(from_file("[turn]\nhost = '2a00::5'").is_ok());
    for (written, udp) in [
        ("", TurnUdp::IfFree),
        ("off", TurnUdp::Off),
        ("0", TurnUdp::At(0)),
        ("3479", TurnUdp::At(3_479)),
    ] {
        let config = from_variables(&[("MADANG_TURN_UDP_PORT", written)]).expect("valid");
        assert_eq!(config.turn.udp, udp);
    }
    for (line, key) in [
        ("secret = 'canary-short'", "turn.secret"),
        ("realm = ''", "turn.realm"),
        ("realm = 'two words'", "turn.realm"),
        ("realm = 'a\"b'", "turn.realm"),
        ("udp_port = 'on'", "a port, or \"off\""),
        ("udp_port = 65536", "a port, or \"off\""),
        ("udp_port = 7882", "turn.udp_port"),
        ("host = 'turn.example.org:3478'", "turn.host"),
        ("host = 'a/b'", "turn.host"),
        ("credentials_ttl_s = 0", "turn.credentials_ttl_s"),
        ("credentials_ttl_s = 86401", "turn.credentials_ttl_s"),
        ("mbit_per_s = 0", "turn.mbit_per_s"),
        ("allocations_max = 0", "turn.allocations_max"),
        (
            "allocations_per_peer_max = 0",
            "turn.allocations_per_peer_max",
        ),
        ("replies_per_ip_per_s = 0", "turn.replies_per_ip_per_s"),
        ("port = 3478", "unknown field"),
    ] {
        let refused = from_file(&format!("[turn]\n{line}"));
        let text = refused
            .as_ref()
            .map_or_else(ToString::to_string, |_| String::new());
        assert!(!text.contains("canary"), "{text}");
        check_error(refused, &[key]);
    }
}

#[test]
fn whom_the_relay_reaches_is_said_in_so_many_words() {
    let plain = from_file("").expect("valid").turn;
    assert_eq!(
        (plain.peers, plain.relay_ports),
        (TurnPeers::Room, 49_152..=65_535)
    );
    let text = "[turn]\npeers = 'public'\nallow = ['10.20.0.0/16', 'fd00:1::/32']\ndeny = ['8.8.8.8']\n\
                relay_ports = '50000 - 50999'\nusers = { camera = 'canary-password' }";
    let config = from_file(text).expect("valid");
    assert_eq!(config.turn.allow.len(), 2);
    assert_eq!(config.turn.relay_ports, 50_000..=50_999);
    assert!(!format!("{config:?}").contains("canary"));
    let here = "bind = ['127.0.0.1', '::1']\n[turn]\npeers = 'any'\nusers = { u = 'p' }";
    assert!(from_file(here).is_ok(), "nobody else comes");
    let meant = "[turn]\npeers = 'any'\nany_beyond_loopback = true";
    assert!(from_file(meant).is_ok());
    for (lines, said) in [
        ("peers = 'any'", "turn.any_beyond_loopback"),
        ("peers = 'everybody'", "unknown variant"),
        ("allow = ['10.0.0.0/8']", "turn.peers"),
        (
            "peers = 'public'\nallow = ['127.0.0.0/8']",
            "this machine itself",
        ),
        ("peers = 'public'\nallow = ['::1']", "this machine itself"),
        ("peers = 'public'\nallow = ['169.254.0.0/16']", "link-local"),
        (
            "peers = 'public'\nallow = ['10.1.2.3/8']",
            "10.0.0.0/8 is the network",
        ),
        ("peers = 'public'\nallow = ['10.0.0.0/33']", "such as"),
        ("peers = 'public'\ndeny = ['cameras']", "turn.deny"),
        ("relay_ports = '50000'", "turn.relay_ports"),
        ("relay_ports = '1000-2000'", "1024 or above"),
        ("relay_ports = '60000-50000'", "turn.relay_ports"),
        (
            "users = { camera = 'at least 12 characters' }",
            "turn.peers",
        ),
        (
            "peers = 'public'\nusers = { camera = 'short' }",
            "at least 12",
        ),
        (
            "peers = 'public'\nusers = { 'a:b' = 'at least 12 characters' }",
            "no colon",
        ),
        (
            "allocations_per_user_max = 0",
            "turn.allocations_per_user_max",
        ),
    ] {
        check_error(from_file(&format!("[turn]\n{lines}")), &[said]);
    }
    let config = from_variables(&[
        ("MADANG_TURN_PEERS", "public"),
        ("MADANG_TURN_USERS", "camera: at least 12 characters"),
        ("MADANG_TURN_DENY", "8.8.8.8, 2a00::/16"),
    ]);
    let turn = config.expect("valid").turn;
    assert_eq!((turn.users.len(), turn.deny.len()), (1, 2));
}

#[test]
fn secrets_are_not_repeated() {
    let error = from_variables(&[("MADANG_KEYS", "canary-secret")]).expect_err("no colon");
    assert!(!error.to_string().contains("canary"));
    let config = from_file("[keys]\nyard = 'canary-secret'").expect("valid");
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn the_commented_file_is_valid_once_uncommented() {
    let text: String = commented_toml()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") && !setting.starts_with("Default") => setting,
            Some(_) | None => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let raw: Raw = toml::from_str(&text).expect("what we print can be read");
    assert!(raw.port.is_some() && raw.keys.is_some() && raw.web.dir.is_some());
}

#[test]
fn the_documentation_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == markdown(),
        "docs/config.md is old. remedy: cargo run -p madang -- config --markdown > docs/config.md"
    );
}

#[test]
fn rooms_are_bound_by_name() {
    let config = from_file("rooms.mesh = [\"a*\"]\nrooms.sfu = [\"ab\", \"*\"]").expect("valid");
    let of = |name| config.rooms.topology(name);
    assert_eq!(of("abc"), Some(Topology::Mesh));
    assert_eq!(of("ab"), Some(Topology::Sfu));
    assert_eq!(of("b"), Some(Topology::Sfu));
    check_error(
        from_file("rooms.mesh = [\"a\"]\nrooms.sfu = [\"a\"]"),
        &["rooms.mesh", "\"a\" is in rooms.sfu, too"],
    );
}

#[test]
fn tls_is_what_the_settings_say() {
    let source = |text: &str| from_file(text).expect("valid").tls.source;
    let files = CertificateSource::Files {
        certificate: "c".into(),
        private_key: "k".into(),
    };
    let both = "tls.certificate = 'c'\ntls.private_key = 'k'\n";
    assert_eq!(source(""), CertificateSource::None);
    assert_eq!(
        source("tls.mode = 'self-signed'"),
        CertificateSource::SelfSigned
    );
    assert_eq!(source(both), files);
    assert_eq!(source(&format!("{both}tls.mode = 'files'")), files);
    assert_eq!(
        source(&format!("{both}tls.mode = 'off'")),
        CertificateSource::None
    );
    for (text, parts) in [
        ("tls.certificate = 'c'", ["tls:", "private_key"]),
        ("tls.mode = 'files'", ["tls.mode", "tls.certificate"]),
        ("tls.mode = 'acme'", ["tls.mode", "set the domain"]),
        ("tls.mode = 'on'", ["line 1", "self-signed"]),
        ("tls.https_port = 443", ["tls.https_port", "tls.mode"]),
        ("tls.http_port = 80", ["tls.http_port", "tls.mode"]),
        (
            "tls.mode = 'self-signed'\ntls.handshakes_max = 0",
            ["tls.handshakes_max", "at least 1"],
        ),
    ] {
        check_error(from_file(text), &parts);
    }
    let refused = from_file(&format!("{both}tls.mode = 'self-signed'"));
    check_error(refused, &["tls.mode", "tls.certificate is set"]);
    let flags = Flags {
        tls: Some(TlsMode::SelfSigned),
        ..Flags::default()
    };
    let config = load_all("tls.mode = 'off'", &[], flags).expect("valid");
    assert_eq!(config.tls.source, CertificateSource::SelfSigned);
}

#[test]
fn interfaces_and_addresses() {
    let config = from_file(
        "announce = ['203.0.113.7', '2001:db8::7']\nstun_server = 'stun.example.org'\n\
         [interfaces]\ninclude = ['eth*', '10.0.0.0/8']\nexclude = ['2001:db8::/32']",
    )
    .expect("valid");
    assert_eq!(config.announce.len(), 2);
    assert_eq!(config.stun_server.as_deref(), Some("stun.example.org:3478"));
    assert_eq!(config.interfaces.include.len(), 2);
    assert_eq!(config.interfaces.exclude.len(), 1);
    let config = from_variables(&[
        ("MADANG_STUN_SERVER", "[2001:db8::1]:1234"),
        ("MADANG_INTERFACES_EXCLUDE", "wg*, 10.0.0.0/8"),
    ])
    .expect("valid");
    assert_eq!(config.stun_server.as_deref(), Some("[2001:db8::1]:1234"));
    assert_eq!(config.interfaces.exclude.len(), 2);
    let bare = from_file("stun_server = '2001:db8::1'").expect("valid");
    assert_eq!(bare.stun_server.as_deref(), Some("[2001:db8::1]:3478"));
    assert_eq!(
        from_file("").expect("valid").stun_server,
        None,
        "nobody is asked"
    );
}

#[test]
fn wrong_networks_and_addresses_are_refused() {
    check_error(
        from_file("\n[interfaces]\nexclude = ['10.0.0.0/33']"),
        &["line 3", "exclude", "10.0.0.0/33", "0 to 32"],
    );
    check_error(
        from_file("[interfaces]\ninclude = [\n  'eth0',\n  '10.0.0.5/8',\n]"),
        &["line 2", "include", "10.0.0.0/8"],
    );
    check_error(
        from_variables(&[("MADANG_INTERFACES_INCLUDE", "eth0, 10.0.0/8")]),
        &["MADANG_INTERFACES_INCLUDE", "10.0.0/8"],
    );
    check_error(
        from_file("announce = ['0.0.0.0']"),
        &["announce", "0.0.0.0"],
    );
    for wrong in [
        "stun:stun.example.org:3478",
        "host:0",
        "host:x",
        "",
        ":3478",
        "host:70000",
    ] {
        check_error(
            from_file(&format!("stun_server = '{wrong}'")),
            &["stun_server", "host:port"],
        );
    }
}

#[test]
fn a_domain_is_for_others_and_has_a_certificate() {
    let config = from_file("domain = 'Meet.Example.ORG.'\nkeys.k = 's'").expect("valid");
    let CertificateSource::Acme(acme) = &config.tls.source else {
        panic!("{:?}", config.tls.source);
    };
    assert_eq!(acme.domain, "meet.example.org");
    assert!(acme.directory.contains("letsencrypt.org"));
    assert_eq!(
        (config.tls.https_port, config.tls.http_port),
        (Some(443), Some(80))
    );
    assert_eq!(config.public_url(), "https://meet.example.org");
    assert!(!config.bind.is_loopback() && !config.dev);
    // Nobody is let in by accident.
    let named = "domain = 'meet.example.org'\n";
    check_error(from_file(named), &["no keys are set", "0.0.0.0", "--dev"]);
    let config = from_file(&format!("{named}dev = true")).expect("said so");
    assert!(config.dev && !config.bind.is_loopback());
    // Behind a proxy it is a name and nothing else.
    let config = from_file(&format!("{named}tls.mode = 'off'")).expect("valid");
    assert!(config.dev && config.bind.is_loopback() && config.tls.https_port.is_none());
    assert_eq!(config.public_url(), "https://meet.example.org");
    let config = from_file(&format!("{named}dev = true\ntls.https_port = 8443")).expect("valid");
    assert_eq!(config.public_url(), "https://meet.example.org:8443");
    for wrong in [
        "https://meet.example.org",
        "192.0.2.1",
        "meet",
        "meet.example.org:443",
        "마당.한국",
        "",
    ] {
        check_error(
            from_file(&format!("domain = '{wrong}'")),
            &["domain", "meet.example.org"],
        );
    }
    for (key, parts) in [
        (
            "directory = 'http://x.org'",
            ["tls.acme.directory", "https://"],
        ),
        ("directory = 'x'", ["tls.acme.directory", "https://"]),
        ("challenge = 'dns-01'", ["challenge", "http-01"]),
        ("eab_key_id = 'k'", ["tls.acme", "eab_hmac_key"]),
    ] {
        check_error(from_file(&format!("{named}tls.acme.{key}")), &parts);
    }
}

#[test]
fn stream_keys_name_a_room_and_who_publishes() {
    let config = from_variables(&[(
        "MADANG_WHIP_STREAM_KEYS",
        "yard: 0123456789abcdef, a/b/cam: fedcba9876543210",
    )])
    .expect("valid");
    let keys = config.whip.stream_keys.iter();
    let keys: Vec<_> = keys
        .map(|key| {
            (
                key.room.as_str(),
                key.identity.as_str(),
                key.secret.reveal(),
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("a/b", "cam", "fedcba9876543210"),
            ("yard", "stream", "0123456789abcdef")
        ]
    );
    for wrong in [
        "[whip.stream_keys]\nyard = 'short'",
        "[whip.watch_keys]\n'/cam' = '0123456789abcdef'",
        "[whip.watch_keys]\n'yard/' = '0123456789abcdef'",
        "[whip.stream_keys]\na = '0123456789abcdef'\nb = '0123456789abcdef'",
    ] {
        let error = from_file(wrong).expect_err(wrong).to_string();
        assert!(error.starts_with("whip."), "{error}");
        assert!(!error.contains("0123456789abcdef"), "{error}");
    }
}
