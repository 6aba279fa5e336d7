use super::*;
use crate::config::Raw;

fn config(toml: &str) -> Config {
    let raw: Raw = toml::from_str(toml).expect("valid");
    Config::resolve(raw).expect("valid")
}

fn numbers(config: &Config) -> Vec<String> {
    all(config)
        .iter()
        .map(|port| format!("{}/{}", port.port, port.protocol.name()))
        .collect()
}

const PUBLIC: &str = "[keys]\nyard = 'at least 32 random characters, no less'\n";

#[test]
fn nothing_has_to_be_open_for_this_machine_alone() {
    let config = config("");
    assert_eq!(
        numbers(&config),
        ["7880/tcp", "7882/udp", "3478/udp", "7882/tcp"]
    );
    let text = ports_text(&config, Language::En);
    assert!(
        text.contains("Nothing has to be opened") && !text.contains("ufw"),
        "{text}"
    );
    assert!(ports_json(&config, Language::En).contains("\"this_machine\""));
}

#[test]
fn every_port_that_is_opened_is_named_with_its_reason() {
    let more = "[tls]\ncertificate = 'a'\nprivate_key = 'b'\nhttps_port = 443\nhttp_port = 80\n\
                [compat]\nopen = true\n[compat.spider]\nport = 9000\n";
    let config = config(&format!("port = 1234\nudp_port = 5678\n{PUBLIC}{more}"));
    let all = [
        "1234/tcp", "5678/udp", "3478/udp", "5678/tcp", "443/tcp", "80/tcp", "9000/tcp",
        "8443/tcp", "8888/tcp", "3030/tcp", "8080/tcp",
    ];
    assert_eq!(numbers(&config), all);
    for language in [Language::En, Language::Ko] {
        let text = ports_text(&config, language);
        for port in all {
            assert!(text.contains(port), "{port} is not in {text}");
        }
        assert!(text.contains("ufw allow 5678/udp"));
        assert!(!text.contains("localhost"), "there is TLS: {text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&ports_json(&config, Language::Ko)).expect("JSON");
    let ports = json["ports"].as_array().expect("a list");
    assert_eq!(ports.len(), all.len());
    assert_eq!(ports[1]["port"], 5678);
    assert_eq!(ports[1]["from"], "everyone");
    assert_eq!(ports[6]["setting"], "compat.spider.port");
}

#[test]
fn without_tls_the_browser_s_rule_is_said() {
    let text = ports_text(&config(PUBLIC), Language::En);
    assert!(text.contains("localhost only"), "{text}");
    let bound = config(&format!("bind = ['203.0.113.5']\nport = 0\n{PUBLIC}"));
    let text = ports_text(&bound, Language::En);
    assert!(
        text.contains("at 203.0.113.5") && text.contains("any/tcp"),
        "{text}"
    );
    assert!(!text.contains("allow 0/tcp"));
}

#[test]
fn a_range_is_told_where_the_relay_reaches_others() {
    let config = config(&format!(
        "{PUBLIC}[turn]\npeers = 'public'\nrelay_ports = '50000-50999'"
    ));
    for language in [Language::En, Language::Ko] {
        let text = ports_text(&config, language);
        assert!(text.contains("50000-50999/udp"), "{text}");
        assert!(text.contains("ufw allow 50000:50999/udp"), "{text}");
        assert!(text.contains("turn.relay_ports"), "{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&ports_json(&config, Language::En)).expect("JSON");
    assert_eq!(json["ports"][4]["port"], 50_000);
    assert_eq!(json["ports"][4]["last_port"], 50_999);
    assert_eq!(json["ports"][1]["last_port"], 7_882);
}
