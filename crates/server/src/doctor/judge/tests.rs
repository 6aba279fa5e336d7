use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::super::finding::{Finding, Report, Verdict};
use super::*;
use crate::language::{Language, Words};
use crate::media::Present;
use crate::ports::{OpenPort, Protocol};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address with a port")
}

#[track_caller]
fn check(finding: &Finding, code: &str, verdict: Verdict, parts: &[&str]) {
    assert_eq!(
        (finding.code, finding.verdict),
        (code, verdict),
        "{finding:?}"
    );
    let remedy = finding.remedy.as_ref();
    assert_eq!(remedy.is_some(), verdict >= Verdict::Warning, "{finding:?}");
    // Both languages name the same facts.
    let nothing = Words::new("", "");
    let remedy = remedy.unwrap_or(&nothing);
    for language in [Language::En, Language::Ko] {
        let all = format!(
            "{} {}",
            finding.reason.in_language(language),
            remedy.in_language(language)
        );
        for part in parts {
            assert!(all.contains(part), "{part:?} is not in {all:?}");
        }
    }
    let is_korean = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    assert!(is_korean(&finding.reason.ko), "{finding:?}");
    assert!(!is_korean(&finding.reason.en), "{finding:?}");
}

fn seen(port: u16, protocol: Protocol, state: PortState) -> PortSeen {
    let nothing = Words::new("", "");
    PortSeen {
        port: OpenPort {
            protocol,
            port,
            last: None,
            setting: if protocol == Protocol::Tcp {
                "port"
            } else {
                "udp_port"
            },
            is_media: protocol == Protocol::Udp,
            is_dispensable: false,
            why: nothing.clone(),
            if_closed: nothing,
        },
        state,
    }
}

fn held(program: &str, is_madang: bool) -> PortState {
    PortState::Held(Some(Owner {
        program: program.to_owned(),
        pid: Some(4321),
        is_madang,
    }))
}

#[test]
fn whose_the_ports_are() {
    let ours = seen(7880, Protocol::Tcp, held("madang", true));
    let free = seen(7882, Protocol::Udp, PortState::Free);
    let taken = seen(7882, Protocol::Udp, held("nginx", false));
    let hidden = seen(7882, Protocol::Udp, PortState::Held(None));
    let any = seen(0, Protocol::Udp, PortState::Free);
    let both = ports(&[ours.clone(), free.clone()]);
    check(&both[0], "port_ours", Verdict::Ok, &["4321"]);
    check(&both[1], "port_not_used", Verdict::Warning, &[]);
    check(&ports(&[free])[0], "port_free", Verdict::Ok, &[]);
    let both = ports(&[ours, taken]);
    check(
        &both[1],
        "port_taken",
        Verdict::Fault,
        &["nginx", "4321", "--udp-port"],
    );
    check(
        &ports(&[hidden])[0],
        "port_taken",
        Verdict::Fault,
        &["ss -ulpn 'sport = :7882'"],
    );
    assert!(
        ports(&[any]).is_empty(),
        "any free port is no port to look at"
    );
    let mut usual = seen(3478, Protocol::Udp, held("turnserver", false));
    usual.port.setting = "turn.udp_port";
    usual.port.is_dispensable = true;
    check(
        &ports(&[usual])[0],
        "port_done_without",
        Verdict::Warning,
        &["turnserver", "turn.udp_port"],
    );
    let low = seen(443, Protocol::Tcp, PortState::Forbidden);
    check(
        &ports(&[low])[0],
        "port_forbidden",
        Verdict::Fault,
        &["cap_net_bind_service"],
    );
    let refused = seen(7880, Protocol::Tcp, PortState::Refused("why".to_owned()));
    check(
        &ports(&[refused])[0],
        "port_refused",
        Verdict::Fault,
        &["why", "bind"],
    );
}

/// `eth0=10.0.0.1`
fn told(candidates: &[&str], announce: &[&str], present: &[&str]) -> Told {
    let ips = |texts: &[&str]| texts.iter().map(|text| ip(text)).collect::<Vec<_>>();
    let present = present.iter().map(|text| {
        let (name, text) = text.split_once('=').expect("a name");
        Present {
            name: name.to_owned(),
            ip: ip(text),
        }
    });
    Told {
        candidates: ips(if candidates.is_empty() {
            announce
        } else {
            candidates
        }),
        announce: ips(announce),
        bound: ips(&["0.0.0.0", "::"]),
        present: present.collect(),
        ..Told::default()
    }
}

const HERE: [&str; 3] = ["lo=127.0.0.1", "eth0=10.0.0.5", "docker0=172.17.0.1"];

#[test]
fn addresses_that_are_announced() {
    let bridge = told(&[], &["172.17.0.1"], &HERE);
    let parts = ["172.17.0.1", "docker0", "announce"];
    check(
        &addresses(&bridge),
        "bridge_announced",
        Verdict::Fault,
        &parts,
    );
    let loopback = told(&[], &["127.0.0.1"], &HERE);
    check(
        &addresses(&loopback),
        "loopback_announced",
        Verdict::Fault,
        &["127.0.0.1"],
    );
    let right = told(&[], &["203.0.113.5"], &HERE);
    check(
        &addresses(&right),
        "addresses_told",
        Verdict::Ok,
        &["203.0.113.5"],
    );
    let local = Told {
        bound: vec![ip("127.0.0.1")],
        is_local: true,
        ..right.clone()
    };
    check(
        &addresses(&local),
        "bound_to_loopback",
        Verdict::Fault,
        &["203.0.113.5", "bind"],
    );
    let v6 = Told {
        bound: vec![ip("0.0.0.0")],
        ..told(&[], &["2001:db8::5"], &HERE)
    };
    check(
        &addresses(&v6),
        "family_not_bound",
        Verdict::Fault,
        &["IPv6", "\"::\""],
    );
}

#[test]
fn addresses_that_were_found() {
    let private = told(&["10.0.0.5", "127.0.0.1"], &[], &HERE);
    let parts = ["10.0.0.5", "announce", "stun_server"];
    check(
        &addresses(&private),
        "private_only",
        Verdict::Warning,
        &parts,
    );
    let asking = Told {
        asks_stun: true,
        ..private.clone()
    };
    check(&addresses(&asking), "addresses_told", Verdict::Ok, &[]);
    let local = Told {
        is_local: true,
        ..private
    };
    check(&addresses(&local), "addresses_told", Verdict::Ok, &[]);
    let alone = told(&["127.0.0.1"], &[], &HERE);
    check(
        &addresses(&alone),
        "loopback_only",
        Verdict::Fault,
        &["127.0.0.1"],
    );
    let some = told(&["10.0.0.5", "172.17.0.1"], &[], &HERE);
    check(
        &addresses(&some),
        "bridge_told",
        Verdict::Warning,
        &["172.17.0.1 (docker0)"],
    );
    let all = told(&["172.17.0.1", "127.0.0.1"], &[], &HERE);
    check(
        &addresses(&all),
        "bridge_announced",
        Verdict::Fault,
        &["interfaces.exclude"],
    );
}

#[test]
fn addresses_of_a_container() {
    let inside = |container, candidates: &[&str]| Told {
        container: Some(container),
        ..told(candidates, &[], &["lo=127.0.0.1", "eth0=172.17.0.2"])
    };
    let parts = ["Docker", "172.17.0.2", "--network host", "announce"];
    let own = inside("Docker", &["172.17.0.2", "127.0.0.1"]);
    check(
        &addresses(&own),
        "container_address",
        Verdict::Fault,
        &parts,
    );
    let of_host = inside("Docker", &["192.168.0.7"]);
    check(&addresses(&of_host), "private_only", Verdict::Warning, &[]);
    let podman = inside("Podman", &["10.88.0.3"]);
    check(
        &addresses(&podman),
        "container_address",
        Verdict::Fault,
        &["Podman"],
    );
    let public = inside("Docker", &["203.0.113.5", "172.17.0.2"]);
    check(&addresses(&public), "addresses_told", Verdict::Ok, &[]);
}

fn by(server: &str, from: &str, mapped: Option<&str>) -> Seen {
    Seen {
        by: at(server),
        from: at(from),
        mapped: mapped.map(at),
    }
}

#[test]
fn the_public_address() {
    let answer = [by(
        "198.51.100.9:3478",
        "10.0.0.5:7882",
        Some("203.0.113.5:7882"),
    )];
    let one = |told: &Told, seen: &[Seen]| {
        let mut all = public_address(told, seen);
        assert_eq!(all.len(), 1);
        all.remove(0)
    };
    let right = told(&[], &["203.0.113.5"], &HERE);
    check(
        &one(&right, &answer),
        "public_address_told",
        Verdict::Ok,
        &["203.0.113.5"],
    );
    let wrong = told(&[], &["203.0.113.77"], &HERE);
    let parts = ["203.0.113.77", "announce = [\"203.0.113.5\"]"];
    check(
        &one(&wrong, &answer),
        "public_address_wrong",
        Verdict::Fault,
        &parts,
    );
    // Of the other family nothing is said.
    let other = told(&[], &["2001:db8::5"], &HERE);
    check(
        &one(&other, &answer),
        "public_address_not_told",
        Verdict::Warning,
        &["203.0.113.5"],
    );
    let found = Told {
        asks_stun: true,
        ..told(&["10.0.0.5"], &[], &HERE)
    };
    check(
        &one(&found, &answer),
        "public_address_found",
        Verdict::Ok,
        &["203.0.113.5"],
    );
    let silent = [by("198.51.100.9:3478", "10.0.0.5:7882", None)];
    check(
        &one(&right, &silent),
        "udp_blocked_out",
        Verdict::Fault,
        &["198.51.100.9:3478"],
    );
    let half = [silent[0].clone(), answer[0].clone()];
    check(&one(&right, &half), "public_address_told", Verdict::Ok, &[]);
    check(
        &one(&right, &[]),
        "not_checked",
        Verdict::NotChecked,
        &["--stun", "--helper"],
    );
    let v6 = by(
        "[2001:db8::9]:3478",
        "[2001:db8::5]:7882",
        Some("[2001:db8::5]:7882"),
    );
    assert_eq!(public_address(&right, &[answer[0].clone(), v6]).len(), 2);
}

#[test]
fn kinds_of_nat() {
    let present = told(&[], &[], &HERE).present;
    let two = |first: &str, second: &str| {
        [
            by("198.51.100.9:3478", "10.0.0.5:7882", Some(first)),
            by("198.51.100.10:3478", "10.0.0.5:7882", Some(second)),
        ]
    };
    let open = two("10.0.0.5:7882", "10.0.0.5:7882");
    check(&nat(&present, &open, false), "no_nat", Verdict::Ok, &[]);
    let kept = two("203.0.113.5:7882", "203.0.113.5:7882");
    check(
        &nat(&present, &kept, false),
        "nat_port_kept",
        Verdict::Ok,
        &["203.0.113.5:7882"],
    );
    let changed = two("203.0.113.5:1024", "203.0.113.5:1024");
    check(
        &nat(&present, &changed, false),
        "nat_port_changed",
        Verdict::Warning,
        &["203.0.113.5:1024"],
    );
    check(
        &nat(&present, &changed, true),
        "nat_port_changed",
        Verdict::Ok,
        &[],
    );
    let symmetric = two("203.0.113.5:1024", "203.0.113.5:1025");
    check(
        &nat(&present, &symmetric, false),
        "nat_symmetric",
        Verdict::Warning,
        &[],
    );
    check(
        &nat(&present, &symmetric, true),
        "nat_symmetric",
        Verdict::Ok,
        &[],
    );
    check(
        &nat(&present, &kept[..1], false),
        "not_checked",
        Verdict::NotChecked,
        &["--stun"],
    );
    check(
        &nat(&present, &[], false),
        "not_checked",
        Verdict::NotChecked,
        &["--stun"],
    );
}

#[test]
fn whether_the_port_is_reached() {
    let probed = |outcome| {
        let helper = "198.51.100.9:7884".to_owned();
        reach(&[Probed {
            helper,
            port: 7882,
            outcome,
        }])
        .remove(0)
    };
    let asked = |answer: Option<&str>, arrived| {
        let answer = answer.map(|from| Answer {
            from: at(from),
            after: Duration::from_millis(12),
        });
        Outcome::Asked {
            at: ip("203.0.113.5"),
            answer,
            arrived,
        }
    };
    let answered = probed(asked(Some("203.0.113.5:7882"), None));
    check(
        &answered,
        "reached",
        Verdict::Ok,
        &["203.0.113.5:7882", "12"],
    );
    let elsewhere = probed(asked(Some("203.0.113.6:7882"), None));
    check(
        &elsewhere,
        "answered_from_elsewhere",
        Verdict::Fault,
        &["203.0.113.6:7882"],
    );
    for arrived in [None, Some(false)] {
        let blocked = probed(asked(None, arrived));
        check(
            &blocked,
            "udp_blocked",
            Verdict::Fault,
            &["203.0.113.5:7882", "ufw allow 7882/udp"],
        );
    }
    check(
        &probed(asked(None, Some(true))),
        "answers_blocked",
        Verdict::Fault,
        &["7882"],
    );
    let gone = probed(Outcome::NoHelper("refused".to_owned()));
    check(
        &gone,
        "helper_unreachable",
        Verdict::Fault,
        &["refused", "--listen"],
    );
    let often = probed(Outcome::Refused("too often".to_owned()));
    check(&often, "not_checked", Verdict::NotChecked, &["too often"]);
    check(
        &probed(Outcome::NotOurs),
        "not_checked",
        Verdict::NotChecked,
        &["7882"],
    );
    check(
        &reach(&[])[0],
        "not_checked",
        Verdict::NotChecked,
        &["--helper", "--listen"],
    );
}

#[test]
fn sizes_of_packets() {
    check(
        &mtu(Some((1_472, 1_472))),
        "mtu_full",
        Verdict::Ok,
        &["1472"],
    );
    check(
        &mtu(Some((1_252, 1_472))),
        "mtu_enough",
        Verdict::Ok,
        &["1252"],
    );
    check(
        &mtu(Some((1_232, 1_452))),
        "mtu_enough",
        Verdict::Ok,
        &["1232"],
    );
    check(
        &mtu(Some((996, 1_472))),
        "mtu_small",
        Verdict::Fault,
        &["996", "1280"],
    );
    check(&mtu(None), "not_checked", Verdict::NotChecked, &["--stun"]);
}

#[test]
fn clocks() {
    let off = |ms| {
        let source = "time.example".to_owned();
        clock(&Clock::Off { source, ms })
    };
    check(&off(0), "clock_right", Verdict::Ok, &["time.example"]);
    check(&off(-4_900), "clock_right", Verdict::Ok, &["4.9"]);
    check(&off(5_001), "clock_inexact", Verdict::Warning, &["5.0"]);
    check(&off(30_000), "clock_inexact", Verdict::Warning, &["30.0"]);
    check(&off(30_001), "clock_wrong", Verdict::Fault, &["set-ntp"]);
    check(&off(-600_000), "clock_wrong", Verdict::Fault, &["600.0"]);
    assert!(off(-600_000).reason.en.contains("behind") && off(600_000).reason.en.contains("ahead"));
    assert!(off(-600_000).reason.ko.contains("느") && off(600_000).reason.ko.contains("빠"));
    check(&off(i64::MIN), "clock_wrong", Verdict::Fault, &[]);
    let source = "time.example".to_owned();
    let error = "no answer".to_owned();
    check(
        &clock(&Clock::NoAnswer { source, error }),
        "no_time",
        Verdict::Warning,
        &["no answer"],
    );
    check(
        &clock(&Clock::NotAsked),
        "not_checked",
        Verdict::NotChecked,
        &["--time"],
    );
}

#[test]
fn limits_of_the_system() {
    let given = |receive, send| {
        buffers(Some(Buffers {
            wanted: 4_194_304,
            receive,
            send,
        }))
    };
    check(
        &given(4_194_304, 4_194_304),
        "udp_buffers_full",
        Verdict::Ok,
        &["4194304"],
    );
    let line = "sysctl -w net.core.rmem_max=4194304 net.core.wmem_max=4194304";
    check(
        &given(212_992, 4_194_304),
        "udp_buffers_usual",
        Verdict::Warning,
        &[line, "212992"],
    );
    check(
        &given(4_194_304, 65_536),
        "udp_buffers_small",
        Verdict::Fault,
        &[line, "65536"],
    );
    check(&buffers(None), "not_checked", Verdict::NotChecked, &[]);

    let files = |max| {
        let is_of_server = true;
        descriptors(Some(Descriptors {
            max,
            connections_max: 20_000,
            is_of_server,
        }))
    };
    check(&files(u64::MAX), "open_files_enough", Verdict::Ok, &[]);
    check(&files(20_000), "open_files_enough", Verdict::Ok, &["20000"]);
    check(
        &files(1_024),
        "open_files_limited",
        Verdict::Warning,
        &["1024", "LimitNOFILE=32768"],
    );
    check(
        &files(255),
        "open_files_few",
        Verdict::Fault,
        &["ulimit -n 32768"],
    );
    check(
        &descriptors(None),
        "not_checked",
        Verdict::NotChecked,
        &["/proc"],
    );
}

const DAY: Duration = Duration::from_secs(86_400);

/// Some time in 2024.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * 20_000
}

#[track_caller]
fn check_certificate(
    change: impl FnOnce(&mut CertificateSeen),
    code: &str,
    verdict: Verdict,
    parts: &[&str],
) {
    let mut seen = CertificateSeen {
        valid_from: now() - DAY * 30,
        valid_until: now() + DAY * 60,
        names: vec!["meet.example".to_owned(), "*.example".to_owned()],
        covers: Some(true),
        is_self_signed: false,
    };
    change(&mut seen);
    let finding = certificate(
        &CertificateState::Seen(Ok(seen)),
        Some("meet.example"),
        now(),
    );
    check(&finding, code, verdict, parts);
}

#[test]
fn certificates_that_browsers_take_or_not() {
    let valid = ["meet.example, *.example", "60"];
    check_certificate(|_| (), "certificate_valid", Verdict::Ok, &valid);
    let other = |seen: &mut CertificateSeen| seen.covers = Some(false);
    let parts = ["meet.example", "*.example"];
    check_certificate(other, "certificate_name", Verdict::Fault, &parts);
    let own = |seen: &mut CertificateSeen| seen.is_self_signed = true;
    check_certificate(
        own,
        "certificate_self_signed",
        Verdict::Warning,
        &["certbot"],
    );
    let broken = CertificateState::Seen(Err("cert.pem: nothing in it".to_owned()));
    let broken = certificate(&broken, None, now());
    let parts = ["cert.pem: nothing in it"];
    check(&broken, "certificate_unusable", Verdict::Fault, &parts);
    let state = |state| certificate(&state, None, now());
    let none = state(CertificateState::NoFiles);
    check(
        &none,
        "not_checked",
        Verdict::NotChecked,
        &["--certificate"],
    );
    check(
        &state(CertificateState::NotObtained),
        "not_checked",
        Verdict::NotChecked,
        &[],
    );
}

#[test]
fn certificates_and_their_time() {
    let expired = |seen: &mut CertificateSeen| seen.valid_until = now() - DAY * 3;
    let parts = ["3", "certbot renew"];
    check_certificate(expired, "certificate_expired", Verdict::Fault, &parts);
    // The first fault is the one to mend first.
    let both = |seen: &mut CertificateSeen| {
        expired(seen);
        seen.covers = Some(false);
    };
    check_certificate(both, "certificate_expired", Verdict::Fault, &[]);
    let early = |seen: &mut CertificateSeen| seen.valid_from = now() + DAY;
    let parts = ["24", "--time"];
    check_certificate(early, "certificate_not_yet_valid", Verdict::Fault, &parts);
    let soon = |seen: &mut CertificateSeen| seen.valid_until = now() + DAY * 13;
    check_certificate(soon, "certificate_ends_soon", Verdict::Warning, &["13"]);
}

#[test]
fn names_and_where_they_lead() {
    let ours = [ip("203.0.113.5"), ip("10.0.0.5")];
    let lead = |found: &[&str]| {
        let found = Ok(found.iter().map(|text| ip(text)).collect());
        names(Some("meet.example"), &found, &ours)
    };
    check(
        &lead(&["203.0.113.5"]),
        "dns_here",
        Verdict::Ok,
        &["203.0.113.5"],
    );
    check(
        &lead(&["198.51.100.1"]),
        "dns_elsewhere",
        Verdict::Warning,
        &["198.51.100.1", "203.0.113.5"],
    );
    let partly = lead(&["203.0.113.5", "2001:db8::1"]);
    check(
        &partly,
        "dns_partly_elsewhere",
        Verdict::Warning,
        &["2001:db8::1"],
    );
    check(
        &lead(&["192.168.1.1"]),
        "dns_private",
        Verdict::Fault,
        &["192.168.1.1"],
    );
    let nothing = names(Some("meet.example"), &Err("no such name".to_owned()), &ours);
    check(
        &nothing,
        "dns_nothing",
        Verdict::Fault,
        &["no such name", "203.0.113.5"],
    );
    let none = names(None, &Ok(Vec::new()), &ours);
    check(&none, "not_checked", Verdict::NotChecked, &["--domain"]);
}

#[test]
fn reports_for_people_and_programs() {
    let fine = clock(&Clock::NotAsked);
    let report = Report::new(vec![fine.clone()]);
    assert!(!report.has_faults());
    assert!(report.json(Language::En).contains("\"verdict\": \"ok\""));
    let small = buffers(Some(Buffers {
        wanted: 4_194_304,
        receive: 1,
        send: 1,
    }));
    let report = Report::new(vec![fine, small]);
    assert!(report.has_faults());
    let text = report.text(Language::En, false);
    assert!(
        text.ends_with("\nfaults: 1, warnings: 0, not checked: 1\n"),
        "{text}"
    );
    assert!(!text.contains('\x1b') && report.text(Language::En, true).contains('\x1b'));
    // What goes on in a second line stands below the first.
    let columns: Vec<usize> = text
        .lines()
        .filter(|line| line.contains("sysctl") || line.contains("to keep it"))
        .map(|line| {
            line.find("sudo")
                .or_else(|| line.find("to keep"))
                .expect("there")
        })
        .collect();
    assert_eq!(columns.len(), 2);
    assert_eq!(columns[0], columns[1], "{text}");
    let korean = report.text(Language::Ko, false);
    assert!(
        korean.contains("문제 1건, 주의 0건, 확인하지 않음 1건"),
        "{korean}"
    );
    let json: serde_json::Value = serde_json::from_str(&report.json(Language::Ko)).expect("JSON");
    assert_eq!(json["verdict"], "fault");
    assert_eq!(json["findings"][1]["code"], "udp_buffers_small");
    assert_eq!(json["findings"][0]["remedy"], serde_json::Value::Null);
}
