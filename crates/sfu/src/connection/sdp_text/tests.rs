use crate::connection::egress::Ssrcs;
use std::collections::BTreeMap;

use super::{Flow, Opus, SectionText, Sending, read, write};
use crate::api::{Codec, MediaKind, Refusal};
use crate::ufrag::Credentials;

const OFFER: &str = "v=0\n\
o=- 1 1 IN IP4 0.0.0.0\n\
s=-\n\
c=IN IP4 0.0.0.0\n\
t=0 0\n\
a=group:BUNDLE a b\n\
m=audio 9 UDP/TLS/RTP/SAVPF 63 111 0\n\
c=IN IP4 0.0.0.0\n\
b=AS:50\n\
a=ice-ufrag:u\n\
a=ice-pwd:p\n\
a=fingerprint:sha-256 00\n\
a=candidate:1 1 udp 1 name.local 9 typ host\n\
a=mid:a\n\
a=rtpmap:63 red/48000/2\n\
a=rtpmap:111 opus/48000/2\n\
m=video 0 UDP/TLS/RTP/SAVPF 96\n\
a=mid:b\n\
a=sendonly\n\
a=rtpmap:96 VP8/90000\n\
a=rid:x send\n\
a=rid:f send\n\
a=simulcast:send f;~h,i;q\n\
a=ssrc:1 cname:c\n\
a=ssrc:1 msid:s t\n\
m=video 0 UDP/TLS/RTP/SAVPF 96\n\
a=mid:c\n\
a=inactive\n\
a=msid:- alone\n";

#[test]
fn a_description_is_read_and_made_uniform() {
    let remote = read(OFFER, 10_000).expect("a good one");
    let [audio, video, third] = &remote.sections[..] else {
        panic!("three sections");
    };
    assert_eq!((audio.kind, audio.flow), (Some(MediaKind::Audio), None));
    let names: Vec<_> = audio
        .payloads
        .iter()
        .map(|(pt, name)| (*pt, &**name))
        .collect();
    assert_eq!(names, [(63, "red"), (111, "opus"), (0, "PCMU")]);
    assert_eq!(video.flow, Some(Flow::Send));
    assert_eq!(video.rids, ["f", "h", "q"]);
    assert_eq!(video.msid, Some(("s".to_owned(), "t".to_owned())));
    assert!(!video.rejected, "port 0, but bundled");
    assert!(third.rejected);
    assert_eq!(third.msid, Some((String::new(), "alone".to_owned())));
    assert!(!remote.text.contains("candidate"));
    assert!(!remote.text.contains("b=AS"));
    assert!(
        remote
            .text
            .contains("opus/48000/2\r\na=sendrecv\r\nm=video")
    );
}

#[test]
fn what_str0m_would_mangle_or_stumble_over_is_refused() {
    for (from, to) in [
        ("a=mid:a", "a=mid:a-b"),
        ("a=mid:a", "a=mid:abcdefghijklmnopq"),
        ("a=mid:a\n", ""),
        ("a=rid:x send", "a=nothing"),
        ("send f;", "send abcdefghi;"),
        ("m=audio", "m=text"),
        ("a=ice-ufrag:u\n", ""),
        ("a=ice-pwd:p\n", ""),
        ("a=fingerprint:sha-256 00\n", ""),
        ("t=0 0\n", "t=0 0\na=ice-lite\n"),
    ] {
        let result = read(&OFFER.replace(from, to), 10_000);
        if from == "a=rid:x send" {
            assert!(result.is_ok());
        } else {
            assert!(matches!(result, Err(Refusal::Sdp(_))), "{from} {to}");
        }
    }
    assert_eq!(
        read(OFFER, 100).map(|_| ()),
        Err(Refusal::TooLarge("session description"))
    );
}

const OURS: &str = "v=0\r\n\
a=group:BUNDLE a b\r\n\
a=msid-semantic:WMS x\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n\
a=candidate:1 1 udp 1 10.0.0.1 7 typ host ufrag zzzz network-cost 1\r\n\
a=ice-ufrag:zzzz\r\n\
a=ice-pwd:zzzz\r\n\
a=mid:a\r\n\
a=recvonly\r\n\
a=msid:x y\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 127 121\r\n\
a=ice-ufrag:zzzz\r\n\
a=ice-pwd:zzzz\r\n\
a=mid:b\r\n\
a=sendonly\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=rtcp-fb:96 nack\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n\
a=rtpmap:127 H264/90000\r\n\
a=rtcp-fb:127 nack\r\n\
a=rtpmap:121 rtx/90000\r\n\
a=fmtp:121 apt=127\r\n\
a=ssrc:5 cname:x\r\n\
a=ssrc-group:FID 5 6\r\n";

fn text(only: Option<Codec>, order: &[(u8, &str)]) -> String {
    let credentials = Credentials {
        ufrag: "ours".to_owned(),
        password: "secret".to_owned(),
    };
    let section = |flow, sending| SectionText {
        flow,
        sending,
        order: order
            .iter()
            .map(|(pt, name)| (*pt, (*name).to_owned()))
            .collect(),
        only,
        opus: None,
    };
    let mut audio = section(Flow::Receive, None);
    audio.only = None;
    audio.opus = Some(Opus::default());
    let sending = Sending {
        stream_id: "stream".to_owned(),
        track_id: "track".to_owned(),
        ssrcs: Ssrcs {
            main: 7,
            repair: Some(8),
        },
    };
    let sections = BTreeMap::from([
        ("a".to_owned(), audio),
        ("b".to_owned(), section(Flow::Send, Some(sending))),
    ]);
    write(OURS, &credentials, &sections)
}

#[test]
fn our_text_has_our_credentials_and_the_tracks_names() {
    let text = text(None, &[]);
    assert!(!text.contains("zzzz") && !text.contains("msid:x") && !text.contains("cname:x"));
    assert_eq!(text.matches("a=ice-ufrag:ours\r\n").count(), 2);
    assert!(text.contains("typ host network-cost 1\r\na=end-of-candidates\r\n"));
    assert!(text.contains("a=fmtp:111 minptime=10;usedtx=1\r\n"));
    assert!(text.contains("a=msid:stream track\r\na=ssrc-group:FID 7 8\r\n"));
    assert!(!text.contains("a=ssrc:5") && !text.contains("FID 5 6"));
    assert!(text.contains("a=ssrc:8 msid:stream track\r\n"));
}

#[test]
fn payload_types_follow_the_client_and_can_be_left_out() {
    let as_the_client = text(None, &[(127, "H264"), (96, "VP8")]);
    assert!(as_the_client.contains("SAVPF 127 121 96 97\r\n"));
    let renumbered = text(None, &[(102, "h264"), (100, "VP8")]);
    assert!(renumbered.contains("SAVPF 127 121 96 97\r\n"));
    let one = text(Some(Codec::Vp8), &[]);
    assert!(one.contains("SAVPF 96 97\r\n"));
    assert!(!one.contains("H264") && !one.contains(":127") && !one.contains(":121"));
}
