//! Do packets get through?

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::finding::{About, Finding, about};
use crate::language::Words;

/// The least that every path carries for media: sound and pictures come in packets of at most so many bytes of UDP payload.
/// That is what fits into the smallest packet of IPv6 (RFC 8200 §5).
pub(in crate::doctor) const PAYLOAD_BYTES_MIN: usize = 1_232;

/// What the helper outside was asked, and what came of it.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Probed {
    pub(in crate::doctor) helper: String,
    pub(in crate::doctor) port: u16,
    pub(in crate::doctor) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum Outcome {
    /// The helper could not be asked.
    NoHelper(String),
    /// It answered that it will not.
    Refused(String),
    /// Somebody else holds the port: nothing would be learned.
    NotOurs,
    Asked {
        /// By which address it knows us; there it sent to.
        at: IpAddr,
        answer: Option<Answer>,
        /// Did the requests arrive? None: our own server holds the port, and does not say.
        arrived: Option<bool>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct Answer {
    pub(in crate::doctor) from: SocketAddr,
    pub(in crate::doctor) after: Duration,
}

pub(in crate::doctor) fn reach(probed: &[Probed]) -> Vec<Finding> {
    if probed.is_empty() {
        let about = about("reach", "reached over UDP", "UDP 도달");
        return vec![about.not_checked(Words::new(
            "not checked: run `madang doctor --listen` on a machine outside, and give --helper with its address",
            "확인하지 않음: 바깥의 다른 컴퓨터에서 `madang doctor --listen`을 실행하고 그 주소를 --helper로 주세요",
        ))];
    }
    probed.iter().map(one).collect()
}

fn one(probed: &Probed) -> Finding {
    let (helper, port) = (&probed.helper, probed.port);
    let about = about("reach", "reached over UDP", "UDP 도달");
    match &probed.outcome {
        Outcome::NoHelper(error) => about.fault(
            "helper_unreachable",
            Words::new(
                format!("the helper {helper} cannot be asked: {error}"),
                format!("도우미 {helper}에 연결할 수 없습니다: {error}"),
            ),
            Words::new(
                "is `madang doctor --listen` running there, and its TCP port open?",
                "그곳에서 `madang doctor --listen`이 실행 중인지, TCP 포트가 열려 있는지 확인하세요",
            ),
        ),
        Outcome::Refused(why) => about.not_checked(Words::new(
            format!("not checked: the helper {helper} says: {why}"),
            format!("확인하지 않음: 도우미 {helper}의 응답: {why}"),
        )),
        Outcome::NotOurs => about.not_checked(Words::new(
            format!("not checked: another program holds port {port}/udp"),
            format!("확인하지 않음: 다른 프로그램이 {port}/udp 포트를 쓰고 있습니다"),
        )),
        Outcome::Asked { at, answer: Some(Answer { from, after }), .. } => {
            let asked = SocketAddr::new(*at, port);
            let ms = after.as_millis();
            if *from == asked {
                about.ok(
                    "reached",
                    Words::new(
                        format!("{asked} answered {helper} within {ms} ms"),
                        format!("{helper}에서 {asked}에 보낸 요청에 {ms}ms 만에 답했습니다"),
                    ),
                )
            } else {
                about.fault(
                    "answered_from_elsewhere",
                    Words::new(
                        format!("{helper} asked {asked}, and {from} answered: browsers take no such answer"),
                        format!("{helper}은(는) {asked}에 물었는데 {from}에서 답했습니다. 브라우저는 이런 답을 받지 않습니다"),
                    ),
                    Words::new(
                        "the way out must be translated as the way in: set bind to the one address, or mend the routes",
                        "나가는 길도 들어오는 길과 같은 주소여야 합니다. bind를 그 주소 하나로 정하거나 라우팅을 고치세요",
                    ),
                )
            }
        }
        Outcome::Asked { at, answer: None, arrived } => {
            blocked(&about, SocketAddr::new(*at, port), helper, *arrived == Some(true))
        }
    }
}

fn blocked(about: &About, asked: SocketAddr, helper: &str, arrived: bool) -> Finding {
    let port = asked.port();
    if arrived {
        return about.fault(
            "answers_blocked",
            Words::new(
                format!("what {helper} sends to {asked} arrives, and our answers do not get out"),
                format!("{helper}에서 {asked}(으)로 보낸 것은 도착하지만 답이 나가지 못합니다"),
            ),
            Words::new(
                format!("let UDP out from port {port} in the firewall"),
                format!("방화벽에서 {port}번 포트로부터 나가는 UDP를 여세요"),
            ),
        );
    }
    about.fault(
        "udp_blocked",
        Words::new(
            format!("{helper} gets no answer from {asked} over UDP, and TCP works: UDP is blocked on the way"),
            format!("TCP는 되는데 {helper}에서 {asked}에 UDP로 보내면 답이 없습니다. 도중에 UDP가 막혀 있습니다"),
        ),
        Words::new(
            format!("open {port}/udp in the firewall of this machine (ufw allow {port}/udp), in the cloud's security group, and forward it at the router"),
            format!("이 컴퓨터의 방화벽(ufw allow {port}/udp)과 클라우드의 보안 그룹에서 {port}/udp를 열고, 공유기에서 포워딩하세요"),
        ),
    )
}

/// The largest UDP payload that was answered, of those tried. None: nobody was asked, or nobody answered at all.
pub(in crate::doctor) fn mtu(largest: Option<(usize, usize)>) -> Finding {
    let about = about("mtu", "packet size", "패킷 크기");
    let Some((largest, tried)) = largest else {
        return about.not_checked(Words::new(
            "not checked: give --stun or --helper, and one that answers",
            "확인하지 않음: 응답하는 --stun이나 --helper가 필요합니다",
        ));
    };
    let fits = format!("{largest}");
    if largest >= tried {
        about.ok(
            "mtu_full",
            Words::new(
                format!("packets of {fits} bytes of payload pass"),
                format!("{fits}바이트 패킷이 그대로 지나갑니다"),
            ),
        )
    } else if largest >= PAYLOAD_BYTES_MIN {
        about.ok(
            "mtu_enough",
            Words::new(
                format!("packets of up to {fits} bytes of payload pass: less than on Ethernet (a tunnel, PPPoE), and enough"),
                format!("{fits}바이트까지 지나갑니다. 이더넷보다 작지만(터널, PPPoE) 충분합니다"),
            ),
        )
    } else {
        about.fault(
            "mtu_small",
            Words::new(
                format!("packets of more than {fits} bytes of payload are lost: sound passes, pictures stand still"),
                format!("{fits}바이트가 넘는 패킷은 사라집니다. 소리는 들려도 영상이 멈춥니다"),
            ),
            Words::new(
                "raise the MTU of the tunnel or interface on the way to at least 1280 (ip link set dev … mtu 1280)",
                "도중의 터널이나 인터페이스의 MTU를 1280 이상으로 올리세요(ip link set dev … mtu 1280)",
            ),
        )
    }
}
