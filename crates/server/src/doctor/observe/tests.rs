use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::clock::{answer_of, date_of};
use super::ports::inodes;
use super::resolve;
use super::system::open_files_max;
use crate::ports::Protocol;

#[test]
fn sockets_in_proc() {
    let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 00000000:1EC8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0 100 0 0 10 0\n   \
        1: 0100007F:1EC8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2222 1 0 20 4 30 10 -1\n   \
        2: 0100007F:11EC8 00000000:0000 0A\n   \
        3: 0100007F:1EC9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3333 1 0 100 0 0 10 0\n";
    assert_eq!(
        inodes(tcp, 7880, Protocol::Tcp),
        ["1111"],
        "listening, at that port"
    );
    let udp = "head\n 5: 00000000000000000000000000000000:1ECA 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4444 2 0 0\n";
    assert_eq!(inodes(udp, 7882, Protocol::Udp), ["4444"]);
    assert!(inodes("", 7882, Protocol::Udp).is_empty());
}

#[test]
fn limits_in_proc() {
    let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
        Max processes             63392                63392                processes\n\
        Max open files            1024                 524288               files\n";
    assert_eq!(open_files_max(limits), Some(1_024));
    assert_eq!(
        open_files_max("Max open files  unlimited unlimited files"),
        Some(u64::MAX)
    );
    assert_eq!(open_files_max("nothing"), None);
}

const COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn ntp(seconds: u32, fraction: u32) -> Vec<u8> {
    let mut packet = vec![0; 48];
    packet[0] = 0x24;
    packet[1] = 2;
    packet[24..32].copy_from_slice(&COOKIE);
    packet[40..44].copy_from_slice(&seconds.to_be_bytes());
    packet[44..].copy_from_slice(&fraction.to_be_bytes());
    packet
}

fn since_1970(time: Option<SystemTime>) -> Duration {
    let time = time.expect("a time");
    time.duration_since(UNIX_EPOCH).expect("later")
}

#[test]
fn times_of_ntp_servers() {
    let half = answer_of(&ntp(3_913_056_000, 1 << 31), COOKIE);
    assert_eq!(
        since_1970(half),
        Duration::from_millis(1_704_067_200_500),
        "2024"
    );
    let next_era = answer_of(&ntp(0, 0), COOKIE);
    assert_eq!(
        since_1970(next_era),
        Duration::from_secs(2_085_978_496),
        "2036"
    );
    assert_eq!(
        answer_of(&ntp(3_913_056_000, 0), [0; 8]),
        None,
        "to another's question"
    );
    let spoilt = |at: usize, byte: u8| {
        let mut packet = ntp(3_913_056_000, 0);
        packet[at] = byte;
        answer_of(&packet, COOKIE)
    };
    assert_eq!(spoilt(0, 0xe4), None, "it does not know the time itself");
    assert_eq!(spoilt(0, 0x23), None, "a question");
    assert_eq!(spoilt(1, 0), None, "go away");
    for length in 0..48 {
        assert_eq!(
            answer_of(
                ntp(3_913_056_000, 0).get(..length).expect("shorter"),
                COOKIE
            ),
            None
        );
    }
}

#[test]
fn dates_of_web_servers() {
    let head = "HTTP/1.1 301 Moved\r\nlocation: /\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n";
    assert_eq!(
        since_1970(date_of(head)),
        Duration::from_secs(1_704_067_200)
    );
    assert_eq!(date_of("HTTP/1.1 200 OK\r\nDate: today\r\n\r\n"), None);
    assert_eq!(date_of("HTTP/1.1 200 OK\r\n\r\n"), None);
}

#[test]
fn hosts_with_and_without_ports() {
    let found = |text| resolve(text, 99).map(|all| all[0].to_string()).ok();
    assert_eq!(found("192.0.2.1").as_deref(), Some("192.0.2.1:99"));
    assert_eq!(found("192.0.2.1:5").as_deref(), Some("192.0.2.1:5"));
    assert_eq!(found("2001:db8::5").as_deref(), Some("[2001:db8::5]:99"));
    assert_eq!(found("[2001:db8::5]").as_deref(), Some("[2001:db8::5]:99"));
    assert_eq!(found("[2001:db8::5]:7").as_deref(), Some("[2001:db8::5]:7"));
    assert_eq!(found(""), None);
}
