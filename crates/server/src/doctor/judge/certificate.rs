//! Will browsers take the certificate, and does the name lead here?

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::super::finding::{About, Finding, about};
use super::joined;
use crate::language::Words;
use crate::media::is_public;

const DAY: Duration = Duration::from_secs(86_400);
/// Whoever renews certificates by himself does so earlier.
const LEFT_MIN: Duration = DAY.saturating_mul(14);

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct CertificateSeen {
    pub(in crate::doctor) valid_from: SystemTime,
    pub(in crate::doctor) valid_until: SystemTime,
    pub(in crate::doctor) names: Vec<String>,
    /// Is the domain among them? None: no domain was given.
    pub(in crate::doctor) covers: Option<bool>,
    pub(in crate::doctor) is_self_signed: bool,
}

/// Where there is one to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum CertificateState {
    NoFiles,
    /// The server gets it by itself, and has none that we can see.
    NotObtained,
    Seen(Result<CertificateSeen, String>),
}

pub(in crate::doctor) fn certificate(
    state: &CertificateState,
    domain: Option<&str>,
    now: SystemTime,
) -> Finding {
    let about = about("certificate", "certificate", "인증서");
    let seen = match state {
        CertificateState::NoFiles => {
            return about.not_checked(Words::new(
                "not checked: there are no certificate files; give --certificate FILE if a proxy shows one",
                "확인하지 않음: 인증서 파일이 없습니다. 프록시가 보여 주는 인증서가 있다면 --certificate 파일로 주세요",
            ));
        }
        CertificateState::NotObtained => {
            return about.not_checked(Words::new(
                "not checked: none was obtained yet that this user may see; the log of the server says how it goes",
                "확인하지 않음: 아직 발급받지 않았거나 현재 사용자가 볼 수 없습니다. 서버 로그에 진행 상황이 나옵니다",
            ));
        }
        CertificateState::Seen(Err(error)) => {
            return about.fault(
                "certificate_unusable",
                Words::new(error.clone(), format!("쓸 수 없습니다: {error}")),
                Words::new(
                    "put the chain, the server's own certificate first, and its key there as PEM",
                    "서버 인증서가 맨 앞에 오는 체인과 그 키를 PEM으로 두세요",
                ),
            );
        }
        CertificateState::Seen(Ok(seen)) => seen,
    };
    out_of_time(&about, seen, now).unwrap_or_else(|| in_time(&about, seen, domain, now))
}

fn renew() -> Words {
    Words::new(
        "renew it (certbot renew) and put it at the same place: the server notices",
        "갱신해서(certbot renew) 같은 자리에 두세요. 서버가 알아서 다시 읽습니다",
    )
}

fn out_of_time(about: &About, seen: &CertificateSeen, now: SystemTime) -> Option<Finding> {
    if let Ok(since) = now.duration_since(seen.valid_until) {
        let days = days(since);
        return Some(about.fault(
            "certificate_expired",
            Words::new(
                format!("expired {days} days ago: browsers let nobody in"),
                format!("{days}일 전에 만료되었습니다. 브라우저가 접속을 막습니다"),
            ),
            renew(),
        ));
    }
    if let Ok(until) = seen.valid_from.duration_since(now)
        && !until.is_zero()
    {
        let hours = until.as_secs().div_ceil(3_600);
        return Some(about.fault(
            "certificate_not_yet_valid",
            Words::new(
                format!("valid only in {hours} hours: or this machine's clock is behind"),
                format!(
                    "{hours}시간 뒤부터 유효합니다. 이 컴퓨터의 시계가 느린 것일 수도 있습니다"
                ),
            ),
            Words::new(
                "look at the clock (--time), else wait or get another one",
                "시계부터 확인하고(--time), 맞다면 기다리거나 다시 발급받으세요",
            ),
        ));
    }
    None
}

fn in_time(
    about: &About,
    seen: &CertificateSeen,
    domain: Option<&str>,
    now: SystemTime,
) -> Finding {
    let names = joined(&seen.names);
    if let (Some(false), Some(domain)) = (seen.covers, domain) {
        return about.fault(
            "certificate_name",
            Words::new(
                format!("it is for {names}, not for {domain}"),
                format!("{domain}이(가) 아니라 {names}용 인증서입니다"),
            ),
            Words::new(
                format!("get one for {domain}, or give people the name that it has"),
                format!("{domain}용으로 발급받거나, 인증서에 있는 이름으로 접속하게 하세요"),
            ),
        );
    }
    let left = seen.valid_until.duration_since(now).unwrap_or_default();
    let ends = Words::new(
        format!("for {names}; it ends in {} days", days(left)),
        format!("{names}용, {}일 남았습니다", days(left)),
    );
    if left < LEFT_MIN {
        return about.warning("certificate_ends_soon", ends, renew());
    }
    if seen.is_self_signed {
        return about.warning(
            "certificate_self_signed",
            Words::new(
                format!("for {names}; signed by itself: browsers warn"),
                format!("{names}용, 스스로 서명한 인증서라 브라우저가 경고합니다"),
            ),
            Words::new(
                "fine in your own network; for everyone else get one from an authority (certbot)",
                "내부에서만 쓴다면 괜찮습니다. 그 밖에는 인증 기관에서 발급받으세요(certbot)",
            ),
        );
    }
    about.ok("certificate_valid", ends)
}

fn days(time: Duration) -> u64 {
    time.as_secs() / DAY.as_secs()
}

/// `found`: where the name leads; `ours`: what clients are told, and what others see us as.
pub(in crate::doctor) fn names(
    domain: Option<&str>,
    found: &Result<Vec<IpAddr>, String>,
    ours: &[IpAddr],
) -> Finding {
    let about = about("dns", "name", "도메인");
    let Some(domain) = domain else {
        return about.not_checked(Words::new(
            "not checked: set the domain (--domain NAME)",
            "확인하지 않음: 도메인을 설정하세요(--domain 이름)",
        ));
    };
    let public: Vec<IpAddr> = ours.iter().copied().filter(|ip| is_public(*ip)).collect();
    let wanted = if public.is_empty() { ours } else { &public };
    let target = Words::new(
        format!(
            "point the A and AAAA records of {domain} to {}",
            joined(wanted)
        ),
        format!(
            "{domain}의 A, AAAA 레코드를 {}(으)로 바꾸세요",
            joined(wanted)
        ),
    );
    let found = match found {
        Err(error) => {
            return about.fault(
                "dns_nothing",
                Words::new(
                    format!("{domain} leads nowhere: {error}"),
                    format!("{domain}의 주소를 찾을 수 없습니다: {error}"),
                ),
                target,
            );
        }
        Ok(found) => found,
    };
    leads(&about, domain, (found, ours, &public), &target)
}

fn leads(
    about: &About,
    domain: &str,
    (found, ours, public): (&[IpAddr], &[IpAddr], &[IpAddr]),
    target: &Words,
) -> Finding {
    let (here, elsewhere): (Vec<IpAddr>, Vec<IpAddr>) =
        found.iter().copied().partition(|ip| ours.contains(ip));
    if elsewhere.is_empty() && !here.is_empty() {
        let all = joined(&here);
        return about.ok(
            "dns_here",
            Words::new(
                format!("{domain} leads here: {all}"),
                format!("{domain} → {all}, 이 서버입니다"),
            ),
        );
    }
    if let Some(ip) = elsewhere
        .iter()
        .find(|ip| !is_public(**ip))
        .filter(|_| !public.is_empty())
    {
        return about.fault(
            "dns_private",
            Words::new(
                format!("{domain} leads to {ip}, which nobody outside reaches"),
                format!("{domain}이(가) 밖에서 닿을 수 없는 {ip}(으)로 연결됩니다"),
            ),
            target.clone(),
        );
    }
    let others = joined(&elsewhere);
    about.warning(
        if here.is_empty() {
            "dns_elsewhere"
        } else {
            "dns_partly_elsewhere"
        },
        Words::new(
            format!("{domain} leads to {others}, which is not this machine"),
            format!("{domain}이(가) 이 컴퓨터가 아닌 {others}(으)로 연결됩니다"),
        ),
        Words::new(
            format!(
                "{}; if a proxy stands there, that is as it should be",
                target.en
            ),
            format!("{} 그곳에 프록시가 있다면 그대로 두세요", target.ko),
        ),
    )
}
