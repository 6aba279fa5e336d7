use std::sync::Arc;

use bytes::Bytes;
use madang_sfu::api::{ConnectionKey, MediaKind, Request, TrackId};

use super::{Cord, Medium, Name, Output, Patchbay, Way};

const MAIN: ConnectionKey = ConnectionKey(0);

/// What came of it, in short words.
fn said(bay: &mut Patchbay) -> Vec<String> {
    let cord = |cord: &Cord| format!("{}>{} {:?}", cord.source, cord.sink, cord.medium);
    std::iter::from_fn(|| bay.poll_output())
        .map(|output| match output {
            Output::Request(name, Request::Subscribe { tracks, .. }) => {
                format!("{name} +{:?}", numbers(&tracks))
            }
            Output::Request(name, Request::Unsubscribe { tracks }) => {
                format!("{name} -{:?}", numbers(&tracks))
            }
            Output::Request(name, Request::Send { label, .. }) => format!("{name} gets by {label}"),
            Output::Request(_, other) => format!("{other:?}"),
            Output::Plugged(plugged) => format!("plugged {}", cord(&plugged)),
            Output::Unplugged(unplugged) => format!("unplugged {}", cord(&unplugged)),
            Output::Flow(name, way, medium, flows) => format!("{name} {way:?} {medium:?} {flows}"),
        })
        .collect()
}

fn numbers(tracks: &[TrackId]) -> Vec<u64> {
    tracks.iter().map(|track| track.0).collect()
}

fn name(name: &str) -> Name {
    Arc::from(name)
}

/// Jacks with open connections, that take all there is.
fn bay(names: &[&str]) -> Patchbay {
    let mut bay = Patchbay::default();
    for jack in names {
        bay.add(name(jack), true, true);
        assert_eq!(bay.open(&name(jack), MAIN), []);
    }
    bay
}

fn publish(bay: &mut Patchbay, jack: &str, tracks: &[(u64, MediaKind)]) {
    let tracks = tracks.iter().map(|(id, kind)| (TrackId(*id), *kind));
    bay.publish(&name(jack), tracks.collect());
}

use MediaKind::{Audio, Video};

#[test]
fn what_is_connected_is_subscribed_to_whenever_it_changes() {
    let mut bay = bay(&["a", "b"]);
    bay.connect(&name("a"), &name("b"), Some(Medium::Video));
    assert_eq!(said(&mut bay), ["plugged a>b Video"]);
    publish(&mut bay, "a", &[(7, Video), (8, Audio)]);
    assert_eq!(said(&mut bay), ["b +[7]"]);
    bay.connect(&name("a"), &name("b"), Some(Medium::Audio));
    assert_eq!(said(&mut bay), ["plugged a>b Audio", "b +[8]"]);
    // What is over is no subscription any more.
    publish(&mut bay, "a", &[(8, Audio), (9, Video)]);
    assert_eq!(said(&mut bay), ["b +[9]"]);
    bay.disconnect(&name("a"), &name("b"), None);
    assert_eq!(
        said(&mut bay),
        ["unplugged a>b Audio", "unplugged a>b Video", "b -[8, 9]"]
    );
    bay.disconnect(&name("a"), &name("b"), None);
    assert_eq!(said(&mut bay), [""; 0]);
}

#[test]
fn another_source_takes_the_place_of_the_first() {
    let mut bay = bay(&["a", "b", "c"]);
    publish(&mut bay, "a", &[(1, Video)]);
    publish(&mut bay, "b", &[(2, Video)]);
    bay.connect(&name("a"), &name("c"), Some(Medium::Video));
    said(&mut bay);
    bay.connect(&name("b"), &name("c"), Some(Medium::Video));
    assert_eq!(
        said(&mut bay),
        [
            "unplugged a>c Video",
            "plugged b>c Video",
            "c -[1]",
            "c +[2]"
        ]
    );
    bay.disconnect(&name("a"), &name("c"), None);
    assert_eq!(said(&mut bay), [""; 0]);
    let cord = Cord {
        source: name("b"),
        sink: name("c"),
        medium: Medium::Video,
    };
    assert_eq!(bay.cords_to(&name("c")), bay.cords_from(&name("b")));
    assert_eq!(bay.cords_to(&name("c")), [cord]);
    assert_eq!(bay.cords_from(&name("a")), []);
}

#[test]
fn what_is_connected_before_the_first_offer_goes_with_it() {
    let mut bay = Patchbay::default();
    for (jack, receives) in [("a", true), ("b", true), ("deaf", false)] {
        bay.add(name(jack), receives, false);
    }
    publish(&mut bay, "a", &[(1, Video)]);
    for sink in ["a", "b", "deaf"] {
        bay.connect(&name("a"), &name(sink), Some(Medium::Video));
    }
    assert_eq!(said(&mut bay).len(), 3);
    assert_eq!(bay.open(&name("a"), MAIN), [TrackId(1)]);
    assert_eq!(bay.open(&name("b"), MAIN), [TrackId(1)]);
    assert_eq!(bay.open(&name("deaf"), MAIN), []);
    assert_eq!(said(&mut bay), [""; 0]);
}

#[test]
fn whether_media_flow_is_told_once() {
    let mut bay = bay(&["a", "b"]);
    publish(&mut bay, "a", &[(1, Video), (2, Video)]);
    bay.connect(&name("a"), &name("b"), None);
    said(&mut bay);
    bay.flow(&name("a"), TrackId(1), true);
    assert_eq!(said(&mut bay), ["a Out Video true", "b In Video true"]);
    assert!(bay.is_flowing(&name("b"), Way::In, Medium::Video));
    assert!(!bay.is_flowing(&name("b"), Way::Out, Medium::Video));
    bay.flow(&name("a"), TrackId(2), true);
    bay.flow(&name("a"), TrackId(1), false);
    assert_eq!(said(&mut bay), [""; 0]);
    bay.disconnect(&name("a"), &name("b"), Some(Medium::Video));
    said(&mut bay);
    bay.settle();
    assert_eq!(said(&mut bay), ["b In Video false"]);
    publish(&mut bay, "a", &[]);
    bay.settle();
    assert_eq!(said(&mut bay), ["a Out Video false"]);
}

#[test]
fn who_closes_sends_nothing_and_who_is_removed_is_unplugged() {
    let mut bay = bay(&["a", "b"]);
    publish(&mut bay, "a", &[(1, Audio)]);
    bay.connect(&name("a"), &name("b"), Some(Medium::Audio));
    bay.connect(&name("b"), &name("a"), Some(Medium::Data));
    bay.connect(&name("a"), &name("a"), Some(Medium::Video));
    bay.flow(&name("a"), TrackId(1), true);
    said(&mut bay);
    bay.close(&name("a"));
    assert_eq!(said(&mut bay), ["a Out Audio false", "b In Audio false"]);
    bay.remove(&name("a"));
    assert_eq!(
        said(&mut bay),
        [
            "unplugged a>a Video",
            "unplugged a>b Audio",
            "unplugged b>a Data"
        ]
    );
    bay.connect(&name("b"), &name("a"), None);
    assert_eq!(said(&mut bay), [""; 0]);
}

#[test]
fn data_go_from_a_channel_to_all_channels_of_those_that_are_connected() {
    let mut bay = bay(&["a", "b", "c"]);
    bay.add(name("none"), true, false);
    for label in ["x", "y"] {
        bay.open_channel(&name("b"), Arc::from(label));
        bay.open_channel(&name("none"), Arc::from(label));
    }
    for sink in ["b", "c", "none"] {
        bay.connect(&name("a"), &name(sink), Some(Medium::Data));
    }
    said(&mut bay);
    let payload = Bytes::from_static(b"hello");
    assert!(bay.send(&name("a"), &payload, false));
    assert_eq!(said(&mut bay), ["b gets by x", "b gets by y"]);
    assert!(bay.send(&name("b"), &payload, false));
    assert!(!bay.send(&name("none"), &payload, false));
    assert_eq!(said(&mut bay), [""; 0]);
    for n in 0..40 {
        bay.open_channel(&name("b"), Arc::from(format!("{n}")));
    }
    assert!(bay.send(&name("a"), &payload, false));
    assert_eq!(said(&mut bay).len(), 16);
}
