use super::{BYTES_MAX, Batch, DATAGRAMS_MAX};

/// What leaves: way, size of all but the last, sizes.
fn leaves(pushed: &[(u8, usize)]) -> Vec<(u8, Option<usize>, usize, usize)> {
    let mut batch = Batch::default();
    let mut left = Vec::new();
    for (way, bytes) in pushed {
        let write = |out: &mut Vec<u8>| out.resize(out.len() + bytes, *way);
        batch.push(*way, write, |gathered| {
            assert!(gathered.contents.iter().all(|byte| *byte == gathered.way));
            left.push((
                gathered.way,
                gathered.segment,
                gathered.count,
                gathered.contents.len(),
            ));
        });
    }
    batch.flush(|gathered| {
        assert!(gathered.contents.iter().all(|byte| *byte == gathered.way));
        left.push((
            gathered.way,
            gathered.segment,
            gathered.count,
            gathered.contents.len(),
        ));
    });
    batch.flush(|_| panic!("it is empty"));
    left
}

#[test]
fn what_has_one_way_and_size_leaves_together() {
    assert_eq!(leaves(&[]), []);
    assert_eq!(leaves(&[(1, 100)]), [(1, None, 1, 100)]);
    assert_eq!(leaves(&[(1, 100); 10]), [(1, Some(100), 10, 1_000)]);
    assert_eq!(
        leaves(&[(1, 100), (1, 100), (1, 40)]),
        [(1, Some(100), 3, 240)]
    );
}

#[test]
fn what_cannot_go_together_does_not() {
    assert_eq!(
        leaves(&[(1, 100), (1, 40), (1, 100), (1, 120), (2, 120)]),
        [
            (1, Some(100), 2, 140),
            (1, None, 1, 100),
            (1, None, 1, 120),
            (2, None, 1, 120)
        ]
    );
    assert_eq!(
        leaves(&[(1, 0), (1, 0), (1, 9), (1, 0)]),
        [
            (1, None, 1, 0),
            (1, None, 1, 0),
            (1, None, 1, 9),
            (1, None, 1, 0)
        ],
        "an empty datagram is one, too"
    );
}

#[test]
fn no_more_leaves_together_than_the_kernel_takes() {
    let many = leaves(&[(1, 10); DATAGRAMS_MAX + 1]);
    assert_eq!(many, [(1, Some(10), DATAGRAMS_MAX, 640), (1, None, 1, 10)]);
    let large = leaves(&[(1, 1_200); 60]);
    assert!(large.iter().all(|(_, _, _, bytes)| *bytes <= BYTES_MAX));
    assert_eq!(
        large.iter().map(|(_, _, count, _)| count).sum::<usize>(),
        60
    );
}
