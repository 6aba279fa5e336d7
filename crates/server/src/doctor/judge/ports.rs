//! Are the ports ours, free, or somebody else's?

use super::super::finding::{About, Finding, about};
use crate::language::Words;
use crate::ports::{OpenPort, Protocol};

#[derive(Debug, Clone)]
pub(in crate::doctor) struct PortSeen {
    pub(in crate::doctor) port: OpenPort,
    pub(in crate::doctor) state: PortState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum PortState {
    Free,
    Held(Option<Owner>),
    /// A number below 1024, and no right to it.
    Forbidden,
    /// Cannot be listened at, for another reason.
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct Owner {
    pub(in crate::doctor) program: String,
    /// None: the system does not tell us.
    pub(in crate::doctor) pid: Option<u32>,
    pub(in crate::doctor) is_madang: bool,
}

impl PortState {
    pub(in crate::doctor) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Held(owner) => owner.as_ref(),
            Self::Free | Self::Forbidden | Self::Refused(_) => None,
        }
    }

    pub(in crate::doctor) fn is_ours(&self) -> bool {
        matches!(self, Self::Held(Some(owner)) if owner.is_madang)
    }
}

pub(in crate::doctor) fn ports(seen: &[PortSeen]) -> Vec<Finding> {
    let runs = seen.iter().any(|seen| seen.state.is_ours());
    let is_of = |seen: &&PortSeen| seen.port.port != 0;
    seen.iter()
        .filter(is_of)
        .map(|seen| one(seen, runs))
        .collect()
}

fn one(PortSeen { port, state }: &PortSeen, runs: bool) -> Finding {
    let (number, protocol) = (port.port, port.protocol.name());
    let about = about(
        "ports",
        format!("port {number}/{protocol}"),
        format!("포트 {number}/{protocol}"),
    );
    match state {
        PortState::Free if runs => about.warning(
            "port_not_used",
            Words::new(
                "free, and madang runs: with other settings than these, or it is about to stop",
                "비어 있는데 madang은 실행 중입니다. 지금 준 설정과 다르게 실행되었거나 곧 종료됩니다",
            ),
            Words::new(
                "give the doctor the flags, file and variables that the server was started with",
                "서버를 시작할 때와 같은 플래그, 파일, 환경 변수로 다시 진단하세요",
            ),
        ),
        PortState::Free => about.ok(
            "port_free",
            Words::new("free: madang is not running", "비어 있음: madang이 실행되고 있지 않습니다"),
        ),
        PortState::Held(Some(owner)) if owner.is_madang => about.ok(
            "port_ours",
            Words::new(
                format!("held by our own server ({})", id(owner)),
                format!("실행 중인 madang 서버가 쓰고 있습니다 ({})", id(owner)),
            ),
        ),
        PortState::Held(owner) if port.is_dispensable => done_without(&about, port, owner.as_ref()),
        PortState::Held(owner) => taken(&about, port, owner.as_ref()),
        PortState::Forbidden => about.fault(
            "port_forbidden",
            Words::new(
                "ports below 1024 need a right that this user does not have",
                "1024보다 작은 포트를 열 권한이 없습니다",
            ),
            Words::new(
                "AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or: sudo setcap cap_net_bind_service=+ep \"$(command -v madang)\"",
                "systemd 유닛에 AmbientCapabilities=CAP_NET_BIND_SERVICE를 넣거나 다음을 실행하세요: sudo setcap cap_net_bind_service=+ep \"$(command -v madang)\"",
            ),
        ),
        PortState::Refused(error) => about.fault(
            "port_refused",
            Words::new(format!("cannot be listened at: {error}"), format!("열 수 없습니다: {error}")),
            Words::new(
                "bind takes addresses that this machine has (`ip address` shows them)",
                "bind에는 이 컴퓨터에 있는 주소만 쓸 수 있습니다(`ip address`로 확인)",
            ),
        ),
    }
}

/// The server starts all the same.
fn done_without(about: &About, port: &OpenPort, owner: Option<&Owner>) -> Finding {
    let program = owner.map_or("?", |owner| &owner.program);
    let setting = port.setting;
    about.warning(
        "port_done_without",
        Words::new(
            format!("taken by another program ({program}): the server does without, and tells clients to use the port of media for STUN and TURN"),
            format!("다른 프로그램({program})이 쓰고 있습니다. 서버는 이 포트 없이 시작해 STUN, TURN에 미디어 포트를 쓰라고 알립니다"),
        ),
        Words::new(
            format!("stop it, or choose another port: {setting}; \"off\" if none is wanted"),
            format!("그 프로그램을 끄거나 다른 포트를 쓰세요: {setting}. 필요 없으면 \"off\""),
        ),
    )
}

fn taken(about: &About, port: &OpenPort, owner: Option<&Owner>) -> Finding {
    let number = port.port;
    let flag = match port.setting {
        "port" => "--port".to_owned(),
        "udp_port" => "--udp-port".to_owned(),
        setting => setting.to_owned(),
    };
    let Some(owner) = owner else {
        let socket = match port.protocol {
            Protocol::Tcp => "-tlpn",
            Protocol::Udp => "-ulpn",
        };
        return about.fault(
            "port_taken",
            Words::new(
                "taken by a program that this user may not see",
                "다른 프로그램이 쓰고 있는데, 현재 사용자 권한으로는 어떤 프로그램인지 볼 수 없습니다",
            ),
            Words::new(
                format!("sudo ss {socket} 'sport = :{number}' names it; if it is madang, run the doctor as the same user, else stop it or choose another port: {flag}"),
                format!("sudo ss {socket} 'sport = :{number}' 명령으로 확인하세요. madang이라면 같은 사용자로 진단하고, 아니라면 그 프로그램을 끄거나 다른 포트를 쓰세요: {flag}"),
            ),
        );
    };
    let (program, id) = (&owner.program, id(owner));
    about.fault(
        "port_taken",
        Words::new(
            format!("taken by another program: {program} ({id})"),
            format!("다른 프로그램이 쓰고 있습니다: {program} ({id})"),
        ),
        Words::new(
            format!("stop {program} ({id}), or choose another port: {flag}"),
            format!("{program}({id})을 끄거나 다른 포트를 쓰세요: {flag}"),
        ),
    )
}

fn id(owner: &Owner) -> String {
    owner
        .pid
        .map_or_else(|| "pid ?".to_owned(), |pid| format!("pid {pid}"))
}
