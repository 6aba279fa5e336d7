use madang_sfu::api::Codec;

use super::Offer;

const SDP: &str = "v=0\r\no=- 40 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 97 98 99 100\r\na=sendrecv\r\na=rtpmap:97 VP8/90000\r\na=rtpmap:98 rtx/90000\r\n\
    a=rtpmap:99 H264/90000\r\na=rtpmap:100 rtx/90000\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 opus/48000/2\r\na=recvonly\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=sendonly\r\na=rtpmap:97 VP8/90000\r\n\
    m=video 0 UDP/TLS/RTP/SAVPF 97\r\na=recvonly\r\na=rtpmap:97 VP8/90000\r\n\
    m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 65535\r\n";

#[test]
fn sections_that_receive_are_counted() {
    let offer = Offer::read(SDP.to_owned(), None);
    assert_eq!(
        (offer.video, offer.audio, offer.session.as_str()),
        (1, 1, "- 40")
    );
    assert_eq!(offer.sdp, SDP);
}

#[test]
fn a_section_of_the_bundle_has_no_port_of_its_own() {
    let sdp = |line: &str| {
        let sdp = format!("v=0\r\nm=audio 9 X 97\r\nm=video 0 X 96\r\n{line}a=recvonly\r\n");
        Offer::read(sdp, None).video
    };
    assert_eq!(sdp("a=bundle-only\r\n"), 1);
    assert_eq!(sdp(""), 0);
}

#[test]
fn the_session_decides_where_a_section_says_nothing() {
    let offer = |flow: &str| {
        let sdp = format!("v=0\r\no=a 1 1 IN IP4 0\r\n{flow}m=video 9 X 96\r\nm=audio 9 X 97\r\n");
        Offer::read(sdp, None).sections()
    };
    assert_eq!(offer(""), 2);
    assert_eq!(offer("a=sendonly\r\n"), 0);
    assert_eq!(offer("a=recvonly\r\n"), 2);
}

#[test]
fn the_wished_codec_comes_first() {
    let first_video = |codec| {
        let offer = Offer::read(SDP.to_owned(), Some(codec));
        let line = offer.sdp.lines().find(|line| line.starts_with("m=video"));
        line.map(str::to_owned)
    };
    let with = |payloads| Some(format!("m=video 9 UDP/TLS/RTP/SAVPF {payloads}"));
    assert_eq!(first_video(Codec::H264), with("99 97 98 100"));
    assert_eq!(first_video(Codec::Vp8), with("97 98 99 100"));
    assert_eq!(first_video(Codec::Vp9), with("97 98 99 100"));
    let offer = Offer::read(SDP.to_owned(), Some(Codec::Vp9));
    assert_eq!(offer.sdp, SDP, "nothing else changes");
}

#[test]
fn noise_is_passed_on() {
    for noise in [
        "",
        "m=",
        "m=video",
        "m=video 9",
        "\n\n",
        "o=",
        "a=rtpmap:\nm=video 9 x 1\na=rtpmap:",
        "v=0 \u{0}",
    ] {
        let offer = Offer::read(noise.to_owned(), None);
        assert_eq!(offer.sdp, noise);
        let preferring = Offer::read(noise.to_owned(), Some(Codec::H264));
        assert_eq!(preferring.sections(), offer.sections(), "{noise:?}");
    }
}
