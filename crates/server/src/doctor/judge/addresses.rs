//! Are clients told addresses at which they can reach us?

use std::net::{IpAddr, SocketAddr};

use super::super::finding::{About, Finding, about};
use super::joined;
use crate::language::Words;
use crate::media::{Present, is_bridge, is_public};

/// What clients are told, and what that rests on.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Told {
    pub(in crate::doctor) candidates: Vec<IpAddr>,
    pub(in crate::doctor) announce: Vec<IpAddr>,
    /// Where the media port listens.
    pub(in crate::doctor) bound: Vec<IpAddr>,
    pub(in crate::doctor) present: Vec<Present>,
    /// The program of containers that we run in.
    pub(in crate::doctor) container: Option<&'static str>,
    /// Signalling takes connections of this machine only.
    pub(in crate::doctor) is_local: bool,
    /// The server asks for its public address itself.
    pub(in crate::doctor) asks_stun: bool,
}

/// As somebody outside saw a socket of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct Seen {
    pub(in crate::doctor) by: SocketAddr,
    /// The interface's address, with the port that it was sent from.
    pub(in crate::doctor) from: SocketAddr,
    /// None: no answer.
    pub(in crate::doctor) mapped: Option<SocketAddr>,
}

pub(in crate::doctor) fn addresses(told: &Told) -> Finding {
    let about = about("addresses", "addresses", "주소");
    announced(&about, told)
        .or_else(|| of_interfaces(&about, told))
        .unwrap_or_else(|| {
            let all = joined(&told.candidates);
            let ok = Words::new(
                format!("clients are told {all}"),
                format!("접속하는 쪽에 알려 주는 주소: {all}"),
            );
            about.ok("addresses_told", ok)
        })
}

/// What is wrong with what the operator names.
fn announced(about: &About, told: &Told) -> Option<Finding> {
    let set_announce = Words::new(
        "set announce to the address that people outside reach this machine at, or leave it out",
        "announce를 밖에서 이 컴퓨터에 닿는 주소로 바꾸거나 지우세요",
    );
    if let Some((ip, name)) = told
        .announce
        .iter()
        .find_map(|ip| Some((ip, bridge_of(told, *ip)?)))
    {
        let reason = Words::new(
            format!(
                "{ip} is announced, and it is the address of the bridge {name}: only containers of this machine reach it"
            ),
            format!(
                "announce에 적은 {ip}은(는) 브리지 {name}의 주소라서, 이 컴퓨터의 컨테이너만 닿을 수 있습니다"
            ),
        );
        return Some(about.fault("bridge_announced", reason, set_announce));
    }
    if let Some(ip) = told
        .announce
        .iter()
        .find(|ip| ip.is_loopback())
        .filter(|_| !told.is_local)
    {
        let reason = Words::new(
            format!("{ip} is announced: every client would send to itself"),
            format!("announce에 적은 {ip}은(는) 접속하는 쪽 자기 자신을 가리킵니다"),
        );
        return Some(about.fault("loopback_announced", reason, set_announce));
    }
    let lacking = told.announce.iter().find(|ip| {
        let mut bound = told.bound.iter();
        !bound.any(|bound| bound.is_ipv4() == ip.is_ipv4())
    });
    if let Some(ip) = lacking {
        let (family, any) = if ip.is_ipv4() {
            ("IPv4", "0.0.0.0")
        } else {
            ("IPv6", "::")
        };
        return Some(about.fault(
            "family_not_bound",
            Words::new(
                format!("{ip} is announced, and the media port does not listen to {family}"),
                format!("{ip}을(를) 알려 주지만 미디어 포트가 {family}로는 받지 않습니다"),
            ),
            Words::new(
                format!("add \"{any}\" to bind, or take {ip} out of announce"),
                format!("bind에 \"{any}\"을 더하거나 announce에서 {ip}을(를) 빼세요"),
            ),
        ));
    }
    let public = told.announce.iter().find(|ip| is_public(**ip))?;
    let only_loopback = told.bound.iter().all(IpAddr::is_loopback);
    only_loopback.then(|| {
        about.fault(
            "bound_to_loopback",
            Words::new(
                format!(
                    "{public} is announced, and the ports take connections of this machine only"
                ),
                format!("{public}을(를) 알려 주지만 포트는 이 컴퓨터에서 오는 접속만 받습니다"),
            ),
            Words::new(
                "set bind to 0.0.0.0 and :: (and set keys), or take announce out",
                "bind를 0.0.0.0과 ::로 바꾸고 keys를 설정하거나, announce를 지우세요",
            ),
        )
    })
}

/// What is wrong with what was found.
fn of_interfaces(about: &About, told: &Told) -> Option<Finding> {
    let all = joined(&told.candidates);
    let outward: Vec<&IpAddr> = told
        .candidates
        .iter()
        .filter(|ip| !ip.is_loopback())
        .collect();
    if outward.is_empty() {
        return (!told.is_local).then(|| {
            about.fault(
                "loopback_only",
                Words::new(
                    format!("clients are told {all} only: media works on this machine alone"),
                    format!(
                        "알려 주는 주소가 {all}뿐이라 이 컴퓨터 안에서만 소리와 영상이 오갑니다"
                    ),
                ),
                Words::new(
                    "name an address with announce, or let more interfaces in (interfaces.include)",
                    "announce로 주소를 적거나 interfaces.include로 인터페이스를 더하세요",
                ),
            )
        });
    }
    if let Some(bridges) = bridges_told(about, told, &outward) {
        return Some(bridges);
    }
    if told.is_local || outward.iter().any(|ip| is_public(**ip)) || told.asks_stun {
        return None;
    }
    let is_of_container = |container| outward.iter().all(|ip| is_container(container, **ip));
    if let Some(container) = told
        .container
        .filter(|container| is_of_container(container))
    {
        return Some(about.fault(
            "container_address",
            Words::new(
                format!("the server runs in a container ({container}), and clients are told the container's own address: {all}"),
                format!("서버가 컨테이너({container}) 안에서 돌고 있어, 컨테이너 안에서만 쓰이는 주소를 알려 주고 있습니다: {all}"),
            ),
            Words::new(
                "run it with --network host; or publish the ports under the same numbers (-p 7882:7882/udp) and set announce to the host's address",
                "--network host로 실행하거나, 포트를 같은 번호로 열고(-p 7882:7882/udp) announce에 호스트의 주소를 적으세요",
            ),
        ));
    }
    Some(about.warning(
        "private_only",
        Words::new(
            format!("clients are told {all}: none of them is public, so media works in this network alone"),
            format!("알려 주는 주소 {all} 가운데 공인 주소가 없어, 같은 네트워크 안에서만 소리와 영상이 오갑니다"),
        ),
        Words::new(
            "to reach people outside: forward the UDP port at the router, and set announce or stun_server",
            "밖에서도 쓰려면 공유기에서 UDP 포트를 포워딩하고 announce나 stun_server를 설정하세요",
        ),
    ))
}

fn bridges_told(about: &About, told: &Told, outward: &[&IpAddr]) -> Option<Finding> {
    let bridges: Vec<String> = outward
        .iter()
        .filter_map(|ip| Some(format!("{ip} ({})", bridge_of(told, **ip)?)))
        .collect();
    if bridges.is_empty() {
        return None;
    }
    let named = joined(&bridges);
    let reason = Words::new(
        format!(
            "clients are told addresses of bridges, which only containers of this machine reach: {named}"
        ),
        format!("이 컴퓨터의 컨테이너만 닿는 브리지 주소를 알려 주고 있습니다: {named}"),
    );
    let remedy = Words::new(
        "take them out of interfaces.include, or name them in interfaces.exclude",
        "interfaces.include에서 빼거나 interfaces.exclude에 적으세요",
    );
    Some(if bridges.len() == outward.len() {
        about.fault("bridge_announced", reason, remedy)
    } else {
        about.warning("bridge_told", reason, remedy)
    })
}

/// A container that shares the machine's network has other addresses than those that its program chooses.
fn is_container(program: &str, ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else {
        return !is_public(ip);
    };
    let [first, second, ..] = ip.octets();
    let of_docker = first == 172 && second & 0xf0 == 16;
    match program {
        "Docker" => of_docker,
        "Podman" => of_docker || (first, second) == (10, 88),
        _ => ip.is_private(),
    }
}

fn bridge_of(told: &Told, ip: IpAddr) -> Option<&str> {
    let mut present = told.present.iter();
    let found = present.find(|present| present.ip == ip && is_bridge(&present.name))?;
    Some(&found.name)
}

/// One for each family in which somebody was asked.
pub(in crate::doctor) fn public_address(told: &Told, seen: &[Seen]) -> Vec<Finding> {
    let about = about("public_address", "public address", "공인 주소");
    if seen.is_empty() {
        return vec![about.not_checked(Words::new(
            "not checked: give --stun HOST:PORT, a STUN server that you trust, or --helper",
            "확인하지 않음: 믿을 수 있는 STUN 서버를 --stun 호스트:포트로 주거나 --helper를 주세요",
        ))];
    }
    [true, false]
        .into_iter()
        .filter_map(|is_ipv4| {
            let of_family: Vec<&Seen> = seen
                .iter()
                .filter(|seen| seen.by.is_ipv4() == is_ipv4)
                .collect();
            (!of_family.is_empty()).then(|| public_address_of(&about, told, &of_family))
        })
        .collect()
}

fn public_address_of(about: &About, told: &Told, seen: &[&Seen]) -> Finding {
    let Some(ip) = seen.iter().find_map(|seen| Some(seen.mapped?.ip())) else {
        let asked = joined(seen.iter().map(|seen| seen.by));
        return about.fault(
            "udp_blocked_out",
            Words::new(
                format!("no answer over UDP from {asked}"),
                format!("{asked}에서 UDP 응답이 없습니다"),
            ),
            Words::new(
                "open UDP to the outside in the firewall of this machine and of the network; or the servers given are wrong",
                "이 컴퓨터와 네트워크의 방화벽에서 밖으로 나가는 UDP를 여세요. 준 서버 주소가 틀렸을 수도 있습니다",
            ),
        );
    };
    if told.candidates.contains(&ip) {
        return about.ok(
            "public_address_told",
            Words::new(
                format!("seen as {ip}, and clients are told it"),
                format!("밖에서 보이는 주소 {ip}을(를) 알려 주고 있습니다"),
            ),
        );
    }
    let announced: Vec<&IpAddr> = told
        .announce
        .iter()
        .filter(|told| told.is_ipv4() == ip.is_ipv4())
        .collect();
    if !announced.is_empty() {
        let wrong = joined(announced);
        return about.fault(
            "public_address_wrong",
            Words::new(
                format!("clients are told {wrong}, and from outside this machine is seen as {ip}"),
                format!("알려 주는 주소는 {wrong}인데, 밖에서는 이 컴퓨터가 {ip}(으)로 보입니다"),
            ),
            Words::new(
                format!("announce = [\"{ip}\"], unless what comes in takes another way than what goes out"),
                format!("announce = [\"{ip}\"]로 바꾸세요. 들어오는 길과 나가는 길이 다른 경우라면 그대로 두세요"),
            ),
        );
    }
    if told.asks_stun {
        return about.ok(
            "public_address_found",
            Words::new(
                format!("seen as {ip}: the server finds it by stun_server when it starts"),
                format!("밖에서 {ip}(으)로 보입니다. 서버가 시작할 때 stun_server로 알아냅니다"),
            ),
        );
    }
    about.warning(
        "public_address_not_told",
        Words::new(
            format!("from outside this machine is seen as {ip}, and clients are not told that"),
            format!("밖에서는 이 컴퓨터가 {ip}(으)로 보이는데, 그 주소를 알려 주지 않고 있습니다"),
        ),
        Words::new(
            format!("for people outside: announce = [\"{ip}\"] (with those of the interfaces for people inside), or stun_server"),
            format!("밖에서도 쓰려면 announce = [\"{ip}\"]를 설정하거나(안에서 쓰는 주소도 함께) stun_server를 쓰세요"),
        ),
    )
}

/// `is_reached`: somebody outside reached the port, whatever stands before it.
pub(in crate::doctor) fn nat(present: &[Present], seen: &[Seen], is_reached: bool) -> Finding {
    let about = about("nat", "address translation", "NAT");
    let ways: Vec<(SocketAddr, SocketAddr)> = seen
        .iter()
        .filter_map(|seen| Some((seen.from, seen.mapped?)))
        .collect();
    let is_own = |ip: IpAddr| present.iter().any(|present| present.ip == ip);
    if !ways.is_empty() && ways.iter().all(|(_, mapped)| is_own(mapped.ip())) {
        return about.ok(
            "no_nat",
            Words::new(
                "none: the address that others see is this machine's own",
                "없음: 밖에서 보이는 주소가 이 컴퓨터의 주소입니다",
            ),
        );
    }
    let v4: Vec<&(SocketAddr, SocketAddr)> =
        ways.iter().filter(|(from, _)| from.is_ipv4()).collect();
    let [(from, first), others @ ..] = v4.as_slice() else {
        return about.not_checked(Words::new(
            "not checked: give --stun twice (two servers), or --helper",
            "확인하지 않음: --stun으로 서버 두 곳을 주거나 --helper를 주세요",
        ));
    };
    if others.is_empty() {
        return about.not_checked(Words::new(
            format!("seen as {first}; to learn which kind, give --stun twice (two servers)"),
            format!("{first}(으)로 보입니다. 종류를 알아내려면 --stun으로 서버 두 곳을 주세요"),
        ));
    }
    let forward = Words::new(
        "forward the UDP port at the router to this machine, under the same number",
        "공유기에서 UDP 포트를 같은 번호로 이 컴퓨터에 포워딩하세요",
    );
    if others.iter().any(|(_, mapped)| mapped != first) {
        let reason = Words::new(
            format!(
                "each destination sees another port of {} (symmetric)",
                first.ip()
            ),
            format!(
                "상대에 따라 {}의 다른 포트로 보입니다(대칭형 NAT)",
                first.ip()
            ),
        );
        return if is_reached {
            about.ok("nat_symmetric", reason)
        } else {
            about.warning("nat_symmetric", reason, forward)
        };
    }
    if first.port() == from.port() {
        let same = Words::new(
            format!("{} becomes {first} for everyone: the port stays", from.ip()),
            format!(
                "누구에게나 {}이(가) {first}(으)로 보입니다. 포트는 그대로입니다",
                from.ip()
            ),
        );
        return about.ok("nat_port_kept", same);
    }
    let changed = Words::new(
        format!("{from} becomes {first} for everyone: the port is changed"),
        format!("누구에게나 {from}이(가) {first}(으)로 보입니다. 포트가 바뀝니다"),
    );
    if is_reached {
        about.ok("nat_port_changed", changed)
    } else {
        about.warning("nat_port_changed", changed, forward)
    }
}
