//! Our codecs and str0m's payload types.

use str0m::format::{Codec as RtcCodec, CodecConfig, PayloadParams};
use str0m::media::Pt;

use crate::api::{Codec, MediaKind};

pub(super) const CODECS: [Codec; 8] = [
    Codec::Opus,
    Codec::Red,
    Codec::Pcmu,
    Codec::Pcma,
    Codec::Vp8,
    Codec::Vp9,
    Codec::H264,
    Codec::Av1,
];

const PAYLOAD_TYPES: usize = 128;

pub(super) fn of_rtc(codec: RtcCodec) -> Option<Codec> {
    [
        (RtcCodec::Opus, Codec::Opus),
        (RtcCodec::PCMU, Codec::Pcmu),
        (RtcCodec::PCMA, Codec::Pcma),
        (RtcCodec::Vp8, Codec::Vp8),
        (RtcCodec::Vp9, Codec::Vp9),
        (RtcCodec::H264, Codec::H264),
        (RtcCodec::Av1, Codec::Av1),
    ]
    .into_iter()
    .find_map(|(rtc, ours)| (rtc == codec).then_some(ours))
}

/// As in `a=rtpmap`.
pub(super) fn of_name(name: &str) -> Option<Codec> {
    CODECS
        .into_iter()
        .find(|codec| name_of(*codec).eq_ignore_ascii_case(name))
}

pub(super) fn name_of(codec: Codec) -> &'static str {
    let mime = codec.mime();
    mime.split_once('/').map_or(mime, |(_, name)| name)
}

/// What each payload type of the client means.
#[derive(Debug)]
pub(super) struct Incoming([Option<Codec>; PAYLOAD_TYPES]);

impl Incoming {
    pub(super) fn new(config: &CodecConfig) -> Self {
        let mut table = [None; PAYLOAD_TYPES];
        let mut set = |payload_type: Pt, codec| {
            if let Some(entry) = table.get_mut(usize::from(*payload_type)) {
                *entry = codec;
            }
        };
        for params in config.params() {
            set(params.pt(), of_rtc(params.spec().codec));
            if let Some(red) = params.red() {
                set(red, Some(Codec::Red));
            }
        }
        Self(table)
    }

    pub(super) fn codec(&self, payload_type: Pt) -> Option<Codec> {
        self.0.get(usize::from(*payload_type)).copied().flatten()
    }
}

/// With which payload type each codec can be sent on a section, and sent again (RFC 4588).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Payloads {
    main: [Option<Pt>; CODECS.len()],
    repair: [Option<Pt>; CODECS.len()],
}

impl Payloads {
    /// Of those that the client accepts on the section, the profile that most senders use.
    pub(super) fn new(config: &CodecConfig, accepted: &[Pt], kind: MediaKind) -> Self {
        let mut payloads = Self::default();
        let mut ranks = [0_u8; CODECS.len()];
        for params in config.params() {
            if !accepted.contains(&params.pt()) {
                continue;
            }
            let codec = of_rtc(params.spec().codec).filter(|codec| codec.kind() == kind);
            let pair = (params.pt(), params.resend());
            payloads.offer(&mut ranks, codec, pair, rank(params));
            if codec.is_some() {
                let red = params.red().map(|_| Codec::Red);
                let payload_type = params.red().unwrap_or(params.pt());
                payloads.offer(&mut ranks, red, (payload_type, None), 1);
            }
        }
        payloads
    }

    pub(super) fn get(&self, codec: Codec) -> Option<Pt> {
        self.main.get(index(codec)).copied().flatten()
    }

    pub(super) fn has_repair(&self) -> bool {
        self.repair.iter().any(Option::is_some)
    }

    /// For packets that were sent with that payload type.
    pub(super) fn repair_of(&self, payload_type: u8) -> Option<u8> {
        let mut pairs = self.main.iter().zip(&self.repair);
        let is_it = |main: &Option<Pt>| main.is_some_and(|main| *main == payload_type);
        let (_, repair) = pairs.find(|(main, _)| is_it(main))?;
        repair.map(|repair| *repair)
    }

    fn offer(
        &mut self,
        ranks: &mut [u8; CODECS.len()],
        codec: Option<Codec>,
        (payload_type, repair): (Pt, Option<Pt>),
        rank: u8,
    ) {
        let Some(at) = codec.map(index) else { return };
        let entries = self.main.get_mut(at).zip(self.repair.get_mut(at));
        if let (Some((main, again)), Some(best)) = (entries, ranks.get_mut(at))
            && rank > *best
        {
            *main = Some(payload_type);
            *again = repair;
            *best = rank;
        }
    }
}

/// Which of several payload types of a codec to send with. H.264: publishers nearly always use packetization mode 1;
/// decoders take the profile from the stream. VP9: profile 0.
fn rank(params: &PayloadParams) -> u8 {
    let format = params.spec().format;
    if params.spec().codec == RtcCodec::H264 {
        let constrained_baseline = format
            .profile_level_id
            .is_some_and(|profile| profile >> 8 == 0x42e0);
        return 1
            + 2 * u8::from(format.packetization_mode == Some(1))
            + u8::from(constrained_baseline);
    }
    if params.spec().codec == RtcCodec::Vp9 {
        return 1 + u8::from(format.profile_id.unwrap_or(0) == 0);
    }
    1
}

fn index(codec: Codec) -> usize {
    CODECS
        .iter()
        .position(|known| *known == codec)
        .expect("all codecs are listed")
}
