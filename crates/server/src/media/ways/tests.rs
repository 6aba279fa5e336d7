use super::*;

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    let parsed = texts.iter().map(|text| text.parse().expect("an address"));
    parsed.collect()
}

fn plain() -> RelayConfig {
    RelayConfig::new(b"secret".to_vec())
}

fn told(config: &RelayConfig, candidates: &[&str], reached: Option<&str>) -> Vec<String> {
    let reached = reached.map(|text| text.parse().expect("an address"));
    let candidates = addresses(candidates);
    urls(config, &candidates, None, reached, FarEnd::Members)
}

#[test]
fn who_connects_to_us_is_told_of_no_relay_at_our_media_port() {
    let config = RelayConfig {
        tcp: addresses(&["0.0.0.0:7882"]),
        ..plain()
    };
    let candidates = addresses(&["203.0.113.5:7882"]);
    let told = |apart, far| urls(&config, &candidates, apart, None, far);
    let tcp = "turn:203.0.113.5:7882?transport=tcp";
    assert_eq!(told(None, FarEnd::Server), [tcp]);
    let apart = [
        "stun:203.0.113.5:3478",
        "turn:203.0.113.5:3478?transport=udp",
        tcp,
    ];
    for far in [FarEnd::Server, FarEnd::Members] {
        assert_eq!(told(Some(3478), far), apart);
    }
}

#[test]
fn clients_are_told_what_they_can_reach() {
    let all = [
        "10.0.0.5:7882",
        "192.168.0.5:7882",
        "[2a00::5]:7882",
        "127.0.0.1:7882",
    ];
    let both = |hosts: &[&str]| {
        let asked = hosts.iter().map(|host| format!("stun:{host}:7882"));
        let relays = hosts
            .iter()
            .map(|host| format!("turn:{host}:7882?transport=udp"));
        asked.chain(relays).collect::<Vec<_>>()
    };
    let [ten, lan, six] = ["10.0.0.5", "192.168.0.5", "[2a00::5]"];
    assert_eq!(told(&plain(), &all, None), both(&[ten, six]));
    assert_eq!(told(&plain(), &all, Some("192.168.0.5")), both(&[lan, six]));
    assert_eq!(
        told(&plain(), &all, Some("127.0.0.1")),
        both(&[ten, six]),
        "what works for everybody"
    );
    let alone = ["127.0.0.1:7882", "[::1]:7882"];
    assert_eq!(told(&plain(), &alone, None), both(&["127.0.0.1", "[::1]"]));
    for (host, written) in [
        ("turn.example.org", "turn.example.org"),
        ("2a00::9", "[2a00::9]"),
    ] {
        let named = RelayConfig {
            host: Some(host.to_owned()),
            ..plain()
        };
        assert_eq!(
            told(&named, &["10.0.0.5:7882"], Some("10.0.0.5")),
            both(&[written])
        );
    }
}

#[test]
fn tcp_and_tls_are_told_where_they_listen_the_cheapest_first() {
    let candidates = ["203.0.113.5:7882", "[2a00::5]:7882", "127.0.0.1:7882"];
    let mut config = RelayConfig {
        tcp: addresses(&["0.0.0.0:7883", "[::]:7883"]),
        tls: addresses(&["0.0.0.0:443", "[::]:443"]),
        ..plain()
    };
    let [stun, udp, tcp] = [
        ["stun:203.0.113.5:7882", "stun:[2a00::5]:7882"],
        [
            "turn:203.0.113.5:7882?transport=udp",
            "turn:[2a00::5]:7882?transport=udp",
        ],
        [
            "turn:203.0.113.5:7883?transport=tcp",
            "turn:[2a00::5]:7883?transport=tcp",
        ],
    ];
    let tls = [
        "turns:203.0.113.5:443?transport=tcp",
        "turns:[2a00::5]:443?transport=tcp",
    ];
    assert_eq!(
        told(&config, &candidates, None),
        [stun, udp, tcp, tls].concat()
    );
    config.tls_host = Some("meet.example.org".to_owned());
    let by_name = "turns:meet.example.org:443?transport=tcp";
    assert_eq!(told(&config, &candidates, None)[6..], [by_name]);
    config.host = Some("turn.example.org".to_owned());
    assert_eq!(
        told(&config, &candidates, None),
        [
            "stun:turn.example.org:7882",
            "turn:turn.example.org:7882?transport=udp",
            "turn:turn.example.org:7883?transport=tcp",
            by_name,
        ]
    );
    let here = RelayConfig {
        tls: addresses(&["127.0.0.1:7880", "[::1]:7880"]),
        ..plain()
    };
    assert_eq!(
        told(&here, &candidates, None)[4..],
        [
            "turns:127.0.0.1:7880?transport=tcp",
            "turns:[::1]:7880?transport=tcp",
        ],
        "what listens to this machine alone is told as such"
    );
}
