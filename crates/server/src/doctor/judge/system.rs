//! Is the machine set up for it?

use super::super::finding::{Finding, about};
use crate::language::Words;

/// Tokens are valid from and until a second; clocks of others are right.
const CLOCK_OFF_MS_MAX: u64 = 30_000;
const CLOCK_OFF_MS_WARNING: u64 = 5_000;
/// What Linux gives unless somebody lowered it.
const BUFFER_BYTES_USUAL: usize = 212_992;
/// Fewer do not carry even a small room beside everything else.
const DESCRIPTORS_MIN: u64 = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum Clock {
    NotAsked,
    NoAnswer {
        source: String,
        error: String,
    },
    /// Ours minus theirs.
    Off {
        source: String,
        ms: i64,
    },
}

pub(in crate::doctor) fn clock(clock: &Clock) -> Finding {
    let about = about("clock", "clock", "시계");
    match clock {
        Clock::NotAsked => about.not_checked(Words::new(
            "not checked: give --time HOST (an NTP server) or --time http://HOST",
            "확인하지 않음: --time 호스트(NTP 서버)나 --time http://호스트를 주세요",
        )),
        Clock::NoAnswer { source, error } => about.warning(
            "no_time",
            Words::new(
                format!("{source} does not say what time it is: {error}"),
                format!("{source}에서 시각을 알려 주지 않습니다: {error}"),
            ),
            Words::new("give another --time", "다른 곳을 --time으로 주세요"),
        ),
        Clock::Off { source, ms } => {
            let (off, seconds) = (ms.unsigned_abs(), seconds(ms.unsigned_abs()));
            let (en, ko) = if *ms < 0 {
                ("behind", "느립니다")
            } else {
                ("ahead", "빠릅니다")
            };
            let reason = Words::new(
                format!("{seconds} s {en}, by {source}"),
                format!("{source} 기준으로 {seconds}초 {ko}"),
            );
            let remedy = Words::new(
                "let the machine set its clock: sudo timedatectl set-ntp true. Access tokens are valid for a time, and are refused or live too long otherwise",
                "시계를 자동으로 맞추세요: sudo timedatectl set-ntp true. 입장 토큰에는 유효 시간이 있어서, 시계가 틀리면 거부되거나 너무 오래 유효합니다",
            );
            if off > CLOCK_OFF_MS_MAX {
                about.fault("clock_wrong", reason, remedy)
            } else if off > CLOCK_OFF_MS_WARNING {
                about.warning("clock_inexact", reason, remedy)
            } else {
                about.ok("clock_right", reason)
            }
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

/// Of the media sockets, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Buffers {
    pub(in crate::doctor) wanted: usize,
    pub(in crate::doctor) receive: usize,
    pub(in crate::doctor) send: usize,
}

/// None: no socket can be had.
pub(in crate::doctor) fn buffers(buffers: Option<Buffers>) -> Finding {
    let about = about("udp_buffers", "UDP buffers", "UDP 버퍼");
    let Some(Buffers {
        wanted,
        receive,
        send,
    }) = buffers
    else {
        return about.not_checked(Words::new(
            "not checked: no UDP socket can be had",
            "확인하지 않음: UDP 소켓을 열 수 없습니다",
        ));
    };
    let least = receive.min(send);
    if least >= wanted {
        return about.ok(
            "udp_buffers_full",
            Words::new(
                format!("{wanted} bytes, as asked for"),
                format!("요청한 대로 {wanted}바이트입니다"),
            ),
        );
    }
    let reason = Words::new(
        format!(
            "the system gives {receive} bytes to receive and {send} to send, of {wanted} asked for: bursts are lost when many are in a room"
        ),
        format!(
            "요청한 {wanted}바이트 가운데 받기 {receive}, 보내기 {send}바이트만 주어집니다. 방에 사람이 많으면 한꺼번에 몰린 패킷을 잃습니다"
        ),
    );
    let command = format!("sudo sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}");
    let remedy = Words::new(
        format!(
            "{command}\nto keep it: the same two lines in /etc/sysctl.d/90-madang.conf, then start the server again"
        ),
        format!(
            "{command}\n계속 유지하려면 같은 두 값을 /etc/sysctl.d/90-madang.conf에 적고 서버를 다시 시작하세요"
        ),
    );
    if least < BUFFER_BYTES_USUAL {
        about.fault("udp_buffers_small", reason, remedy)
    } else {
        about.warning("udp_buffers_usual", reason, remedy)
    }
}

/// Files and sockets that the server may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Descriptors {
    pub(in crate::doctor) max: u64,
    pub(in crate::doctor) connections_max: u32,
    /// Of the server that runs; else of us, who were started otherwise.
    pub(in crate::doctor) is_of_server: bool,
}

/// None: the system does not say.
pub(in crate::doctor) fn descriptors(descriptors: Option<Descriptors>) -> Finding {
    let about = about("open_files", "open files", "열린 파일 한도");
    let Some(Descriptors {
        max,
        connections_max,
        is_of_server,
    }) = descriptors
    else {
        return about.not_checked(Words::new(
            "not checked: this system does not say in /proc",
            "확인하지 않음: 이 시스템의 /proc에서 알 수 없습니다",
        ));
    };
    let (of_en, of_ko) = if is_of_server {
        ("the server", "서버")
    } else {
        ("a server started from here", "여기서 시작하는 서버")
    };
    if max >= u64::from(connections_max) {
        return about.ok(
            "open_files_enough",
            Words::new(
                format!("{of_en} may open {max}"),
                format!("{of_ko}는 {max}개까지 열 수 있습니다"),
            ),
        );
    }
    let reason = Words::new(
        format!(
            "{of_en} may open {max}: beyond about so many people nobody else gets in, though limits.connections_max allows {connections_max}"
        ),
        format!(
            "{of_ko}는 {max}개까지만 열 수 있습니다. limits.connections_max는 {connections_max}이지만 그 전에 더 들어오지 못합니다"
        ),
    );
    let wanted = u64::from(connections_max).next_power_of_two();
    let remedy = Words::new(
        format!(
            "LimitNOFILE={wanted} in the systemd unit, --ulimit nofile={wanted} for Docker, or `ulimit -n {wanted}` before the start"
        ),
        format!(
            "systemd 유닛에 LimitNOFILE={wanted}, Docker라면 --ulimit nofile={wanted}, 아니면 시작하기 전에 `ulimit -n {wanted}`"
        ),
    );
    if max < DESCRIPTORS_MIN {
        about.fault("open_files_few", reason, remedy)
    } else {
        about.warning("open_files_limited", reason, remedy)
    }
}
