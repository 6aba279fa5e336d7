use super::*;

fn refused(kind: &str) -> Trouble {
    let said = format!(r#"{{"type":"{URN}{kind}","detail":"no"}}"#);
    Trouble::Refused(serde_json::from_str(&said).expect("a problem"))
}

fn unreachable() -> Trouble {
    Trouble::from(Error::Other(Box::new(ClientError::Slow)))
}

#[test]
fn each_refusal_has_its_remedy() {
    for (kind, challenge, part) in [
        ("dns", AcmeChallenge::Http01, "A or AAAA record"),
        ("connection", AcmeChallenge::Http01, "port 80/tcp"),
        ("connection", AcmeChallenge::TlsAlpn01, "port 443/tcp"),
        (
            "unauthorized",
            AcmeChallenge::Http01,
            "somebody else answers at port 80",
        ),
        ("rateLimited", AcmeChallenge::Http01, "do not restart"),
        ("caa", AcmeChallenge::Http01, "CAA"),
        ("rejectedIdentifier", AcmeChallenge::Http01, "public name"),
        (
            "externalAccountRequired",
            AcmeChallenge::Http01,
            "tls.acme.eab_key_id",
        ),
        ("invalidContact", AcmeChallenge::Http01, "tls.acme.email"),
        ("serverInternal", AcmeChallenge::Http01, "wait"),
    ] {
        let trouble = refused(kind);
        let remedy = trouble.remedy("meet.example.org", challenge);
        assert!(
            remedy.contains(part),
            "{kind}: {part:?} is not in: {remedy}"
        );
        assert_eq!(
            trouble.to_string(),
            format!("the authority refuses: no: {kind}")
        );
    }
    let remedy = unreachable().remedy("meet.example.org", AcmeChallenge::Http01);
    assert!(remedy.contains("port 443"), "{remedy}");
    assert!(
        Trouble::Clock
            .remedy("x.org", AcmeChallenge::Http01)
            .contains("clock")
    );
}

#[test]
fn a_way_that_does_not_lead_here_gives_place_to_the_other() {
    let (http, tls) = (AcmeChallenge::Http01, AcmeChallenge::TlsAlpn01);
    assert_eq!(refused("connection").instead_of(http), tls);
    assert_eq!(refused("unauthorized").instead_of(tls), http);
    assert_eq!(Trouble::NotOffered(http).instead_of(http), tls);
    assert_eq!(refused("rateLimited").instead_of(http), http);
    assert_eq!(unreachable().instead_of(tls), tls);
}

/// Let's Encrypt counts five failures an hour, and as many a week of the same certificate.
#[test]
fn pauses_grow_and_end() {
    let at = |trouble: &Trouble, failures| trouble.pause(failures).as_secs() / 60;
    let all = |trouble: &Trouble| [1, 2, 3, 4, 9, u32::MAX].map(|failures| at(trouble, failures));
    assert_eq!(all(&refused("connection")), [5, 10, 20, 40, 360, 360]);
    assert_eq!(all(&refused("rateLimited")), [70, 140, 280, 360, 360, 360]);
    assert_eq!(all(&unreachable()), [1, 2, 4, 8, 60, 60]);
    assert_eq!(all(&refused("serverInternal")), [1, 2, 4, 8, 60, 60]);
}
