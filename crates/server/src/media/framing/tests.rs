use super::{Framing, Next, Unknown, put};

const STUN: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42someidentity";

fn framed(datagrams: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for datagram in datagrams {
        put(datagram, &mut all);
    }
    all
}

#[test]
fn the_place_of_the_magic_tells_which_it_is() {
    let ice = framed(&[&STUN]);
    for (bytes, framing) in [(&STUN[..], Framing::Turn), (&ice, Framing::Ice)] {
        let told: Vec<_> = (0..bytes.len())
            .filter_map(|length| Framing::of(&bytes[..length]))
            .collect();
        assert!(!told.is_empty() && told.iter().all(|told| *told == Ok(framing)));
    }
    assert_eq!(Framing::of(&[0; 10]), Some(Err(Unknown)));
    assert_eq!(Framing::of(&[0; 9]), None);
}

#[test]
fn datagrams_come_out_as_they_went_in() {
    let long = vec![7; 65_535];
    let datagrams: [&[u8]; 4] = [&STUN, b"", &[22; 1], &long];
    let all = framed(&datagrams);
    for datagram in datagrams {
        assert_eq!(framed(&[datagram]).len(), datagram.len() + 2);
    }
    let mut rest = &all[..];
    for datagram in datagrams {
        for length in [0, 1, 1 + datagram.len()] {
            assert_eq!(Framing::Ice.next(&rest[..length]), Next::Partial);
        }
        let Next::Whole(whole, content) = Framing::Ice.next(rest) else {
            panic!("it is there");
        };
        assert_eq!(&rest[content], datagram);
        rest = &rest[whole..];
    }
    assert!(rest.is_empty());
    assert_eq!(framed(&[&vec![0; 65_536]]), b"", "no frame is so long");
}
