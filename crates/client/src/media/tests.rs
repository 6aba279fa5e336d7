use super::*;

/// Cut into pieces of that many bytes.
fn read(format: Format, bytes: &[u8], piece: usize) -> Result<Vec<Frame>, FormatError> {
    let mut reader = Reader::new(format, Duration::from_millis(40))?;
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
    }
    frames.extend(reader.finish()?);
    Ok(frames)
}

fn ivf_file(count: u8) -> Vec<u8> {
    let mut bytes = ivf::header(Codec::Vp8, Some((640, 360)));
    for n in 0..count {
        let time = Duration::from_millis(1000 + 40 * u64::from(n));
        bytes.extend(ivf::frame(time, &[n, 1, 2]));
    }
    bytes
}

/// Two pictures, the second of two slices.
const H264: [&[u8]; 7] = [
    &[0x67, 0x42, 0, 0x1f],
    &[0x68, 0xce],
    &[0x65, 0x88, 0x80, 9],
    &[0x06, 5],
    &[0x41, 0x9a, 1],
    &[0x41, 0x40, 2],
    &[0x41, 0x9a, 3],
];

fn h264_file() -> Vec<u8> {
    let mut bytes = vec![0];
    for (n, unit) in H264.iter().enumerate() {
        // Start codes of both lengths, and filling.
        bytes.extend_from_slice(if n % 2 == 0 {
            &[0, 0, 1]
        } else {
            &[0, 0, 0, 1]
        });
        bytes.extend_from_slice(unit);
    }
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

fn ogg_file(first: &[u8]) -> Vec<u8> {
    use ::ogg::writing::{PacketWriteEndInfo, PacketWriter};
    let mut writer = PacketWriter::new(Vec::new());
    let page = PacketWriteEndInfo::EndPage;
    let packets = [
        first,
        b"OpusTags".as_slice(),
        &[0x78, 1],
        &[0x79, 1, 2],
        &[0x7b, 3, 1],
    ];
    for (n, packet) in packets.iter().enumerate() {
        let position = u64::try_from(n).expect("small") * 960;
        let written = writer.write_packet(packet.to_vec(), 7, page, position);
        written.expect("a vector takes everything");
    }
    writer.into_inner()
}

#[test]
fn the_first_bytes_tell() {
    assert_eq!(Format::detect(b"DKIF\0\0"), Ok(Format::Ivf));
    assert_eq!(Format::detect(b"OggS"), Ok(Format::Ogg));
    assert_eq!(Format::detect(&[0, 0, 1, 0x67]), Ok(Format::AnnexB));
    assert_eq!(Format::detect(&[0, 0, 0, 1]), Ok(Format::AnnexB));
    let matroska = [0x1a, 0x45, 0xdf, 0xa3];
    assert_eq!(Format::detect(&matroska), Ok(Format::Matroska));
    assert_eq!(Format::detect(b"\0\0\0\x20ftypisom"), Ok(Format::Mp4));
    for wrong in [&b""[..], b"DKI", b"RIFF", &[0, 0, 0, 0], b"\0\0\0\x20moov"] {
        assert_eq!(
            Format::detect(wrong),
            Err(FormatError::Unknown),
            "{wrong:?}"
        );
    }
}

#[test]
fn ivf_is_read_in_any_pieces() {
    let file = ivf_file(3);
    for piece in [1, 2, 7, 31, 32, 33, 1000] {
        let frames = read(Format::Ivf, &file, piece).expect("a sound file");
        let got: Vec<_> = frames
            .iter()
            .map(|frame| (frame.time.as_millis(), frame.data[0]))
            .collect();
        assert_eq!(got, [(0, 0), (40, 1), (80, 2)], "pieces of {piece}");
    }
}

#[test]
fn damaged_ivf_is_refused() {
    let sound = ivf_file(2);
    let damaged = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        read(Format::Ivf, &bytes, 1000)
    };
    assert_eq!(damaged(0, b'X'), Err(FormatError::Unknown));
    assert_eq!(
        damaged(6, 0),
        Err(FormatError::Damaged("its header is too short".to_owned()))
    );
    assert_eq!(
        damaged(11, b'9'),
        Err(FormatError::Codec("VP89".to_owned()))
    );
    assert_eq!(
        damaged(20, 0),
        Err(FormatError::Damaged("its times have no unit".to_owned()))
    );
    // A length of two gigabytes must not be waited for.
    assert!(matches!(damaged(35, 0x7f), Err(FormatError::Damaged(_))));
    for cut in [0, 5, 33, sound.len() - 1] {
        assert_eq!(
            read(Format::Ivf, &sound[..cut], 1000),
            Err(FormatError::Cut),
            "{cut}"
        );
    }
}

#[test]
fn ivf_times_do_not_run_backwards() {
    let mut bytes = ivf::header(Codec::Vp8, None);
    for ms in [100, 50, 200] {
        bytes.extend(ivf::frame(Duration::from_millis(ms), &[0]));
    }
    let frames = read(Format::Ivf, &bytes, 1000).expect("a sound file");
    let times: Vec<_> = frames.iter().map(|frame| frame.time.as_millis()).collect();
    assert_eq!(times, [0, 0, 100]);
}

#[test]
fn annex_b_is_cut_into_access_units() {
    let file = h264_file();
    for piece in [1, 2, 3, 5, 1000] {
        let frames = read(Format::AnnexB, &file, piece).expect("a sound stream");
        let units: Vec<Vec<&[u8]>> = frames
            .iter()
            .map(|frame| annexb::units(&frame.data).collect())
            .collect();
        assert_eq!(
            units,
            [&H264[..3], &H264[3..6], &H264[6..]],
            "pieces of {piece}"
        );
        let times: Vec<_> = frames.iter().map(|frame| frame.time.as_millis()).collect();
        assert_eq!(times, [0, 40, 80]);
        let keys: Vec<_> = frames
            .iter()
            .map(|frame| is_key(Codec::H264, &frame.data))
            .collect();
        assert_eq!(keys, [true, false, false]);
    }
}

#[test]
fn annex_b_of_noise_gives_no_picture() {
    // Before the first start code, after it, and units that are none.
    for noise in [
        &b"\xff\xfe\xfd"[..],
        &[0, 0, 1],
        &[0, 0, 1, 0, 0, 1, 0, 0, 1],
        &[0, 0, 1, 0x67, 1],
        &[0; 64],
    ] {
        assert_eq!(read(Format::AnnexB, noise, 2), Ok(Vec::new()), "{noise:?}");
    }
    let mut reader = Reader::new(Format::AnnexB, Duration::ZERO).expect("a stream");
    reader.push(&[0, 0, 1, 0x65, 0x88]);
    reader.push(&vec![0xff; FRAME_BYTES_MAX]);
    assert!(matches!(reader.next_frame(), Err(FormatError::Damaged(_))));
}

#[test]
fn opus_packets_say_their_time() {
    let file = ogg_file(b"OpusHead");
    for piece in [1, 27, 1000] {
        let frames = read(Format::Ogg, &file, piece).expect("a sound file");
        let got: Vec<_> = frames
            .iter()
            .map(|frame| (frame.time.as_millis(), frame.data.len()))
            .collect();
        // 20 ms, twice 20 ms, three times 20 ms.
        assert_eq!(got, [(0, 2), (20, 3), (60, 3)], "pieces of {piece}");
    }
}

#[test]
fn damaged_ogg_is_refused() {
    assert!(matches!(
        read(Format::Ogg, &ogg_file(b"\x01vorbis"), 1000),
        Err(FormatError::Codec(_))
    ));
    let mut file = ogg_file(b"OpusHead");
    let length = file.len();
    assert_eq!(
        read(Format::Ogg, &file[..length - 1], 1000),
        Err(FormatError::Cut)
    );
    file[length - 1] ^= 1;
    assert!(matches!(
        read(Format::Ogg, &file, 1000),
        Err(FormatError::Damaged(_))
    ));
    file[0] = b'X';
    assert!(matches!(
        read(Format::Ogg, &file, 1000),
        Err(FormatError::Damaged(_))
    ));
}
