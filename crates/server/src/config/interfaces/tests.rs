use super::*;

fn filter(text: &str) -> Result<InterfaceFilter, String> {
    InterfaceFilter::try_from(text.to_owned())
}

#[track_caller]
fn check_fits(text: &str, name: &str, ip: &str, expected: bool) {
    let filter = filter(text).expect("valid");
    let ip = ip.parse().expect("an address");
    assert_eq!(filter.fits(name, ip), expected, "{text} {name} {ip}");
}

#[test]
fn names_exactly_or_by_their_beginning() {
    check_fits("eth0", "eth0", "10.0.0.1", true);
    check_fits("eth0", "eth01", "10.0.0.1", false);
    check_fits("eth*", "eth01", "fd00::1", true);
    check_fits("*", "wg0", "10.0.0.1", true);
    check_fits("wlan*", "eth0", "10.0.0.1", false);
}

#[test]
fn networks_of_both_families() {
    check_fits("10.0.0.0/8", "eth0", "10.200.1.2", true);
    check_fits("10.0.0.0/8", "eth0", "11.0.0.1", false);
    check_fits("10.1.2.3", "eth0", "10.1.2.3", true);
    check_fits("10.1.2.3", "eth0", "10.1.2.4", false);
    check_fits("0.0.0.0/0", "eth0", "203.0.113.1", true);
    check_fits("0.0.0.0/0", "eth0", "2001:db8::1", false);
    check_fits("2001:db8::/32", "eth0", "2001:db8:1::5", true);
    check_fits("2001:db8::/32", "eth0", "2001:db9::5", false);
    check_fits("::/0", "eth0", "10.0.0.1", false);
}

#[test]
fn what_is_neither_is_refused_with_a_reason() {
    for (wrong, reason) in [
        ("10.0.0.0/33", "0 to 32"),
        ("10.0.0.0/+8", "0 to 32"),
        ("10.0.0.0/", "0 to 32"),
        ("2001:db8::/129", "0 to 128"),
        ("10.0.0.5/8", "begins at 10.0.0.0/8"),
        ("10.0.0/8", "no address"),
        ("10.0.0", "no address"),
        ("eth0/24", "no address"),
        ("", "no network"),
        ("e*0", "no interface"),
        ("my eth0", "no interface"),
        ("a-name-that-is-too-long", "no interface"),
    ] {
        let error = filter(wrong).expect_err(wrong);
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
    }
}
