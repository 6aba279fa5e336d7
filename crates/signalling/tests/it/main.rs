//! The crate's API as the server uses it. Most of it is told by the transcripts in `tests/transcripts`, which
//! `docs/protocols` explains.

mod doors;
mod doors_noise;
mod noise;
mod transcript;
mod world;

use transcript::check;

#[test]
fn two_connections_from_join_to_leave() {
    check(include_str!("../transcripts/v0.txt"));
}

#[test]
fn one_connection_with_the_offer_in_the_join() {
    check(include_str!("../transcripts/v1.txt"));
}

#[test]
fn tracks_are_announced_queued_and_muted() {
    check(include_str!("../transcripts/tracks.txt"));
}

#[test]
fn subscriptions_settings_and_permissions() {
    check(include_str!("../transcripts/subscriptions.txt"));
}

#[test]
fn members_come_change_and_go() {
    check(include_str!("../transcripts/members.txt"));
}

#[test]
fn a_member_updates_itself() {
    check(include_str!("../transcripts/metadata.txt"));
}

#[test]
fn data_packets() {
    check(include_str!("../transcripts/data.txt"));
}

#[test]
fn data_tracks() {
    check(include_str!("../transcripts/data_tracks.txt"));
}

#[test]
fn a_broken_socket_and_a_new_one() {
    check(include_str!("../transcripts/resume.txt"));
}

#[test]
fn goodbyes_by_protocol_version() {
    check(include_str!("../transcripts/leave.txt"));
}

#[test]
fn quality_speakers_and_layers() {
    check(include_str!("../transcripts/quality.txt"));
}

#[test]
fn clients_test_themselves() {
    check(include_str!("../transcripts/simulate.txt"));
}

#[test]
fn old_clients() {
    check(include_str!("../transcripts/old.txt"));
}

#[test]
fn spider_publisher() {
    doors::check(include_str!("../transcripts/spider/publisher.txt"));
}

#[test]
fn spider_subscriber() {
    doors::check(include_str!("../transcripts/spider/subscriber.txt"));
}

#[test]
fn spider_data_only() {
    doors::check(include_str!("../transcripts/spider/data_only.txt"));
}

#[test]
fn spider_guests() {
    doors::check(include_str!("../transcripts/spider/guests.txt"));
}

#[test]
fn spider_refusals() {
    doors::check(include_str!("../transcripts/spider/refusals.txt"));
}

#[test]
fn ertc_counselling() {
    doors::check(include_str!("../transcripts/ertc/counselling.txt"));
}

#[test]
fn ertc_roles() {
    doors::check(include_str!("../transcripts/ertc/roles.txt"));
}

#[test]
fn ertc_token() {
    doors::check(include_str!("../transcripts/ertc/token.txt"));
}

#[test]
fn ertc_notify() {
    doors::check(include_str!("../transcripts/ertc/notify.txt"));
}

#[test]
fn ertc_seats() {
    doors::check(include_str!("../transcripts/ertc/seats.txt"));
}

#[test]
fn ertc_who_asks_hears_by_which_ways_media_may_go() {
    doors::check(include_str!("../transcripts/ertc/ways.txt"));
}

#[test]
fn ertc_hides_addresses_where_the_room_does() {
    doors::check(include_str!("../transcripts/ertc/hiding.txt"));
}

#[test]
fn ertc_refusals() {
    doors::check(include_str!("../transcripts/ertc/refusals.txt"));
}

#[test]
fn many_calls() {
    doors::check(include_str!("../transcripts/many/calls.txt"));
}

#[test]
fn many_refusals() {
    doors::check(include_str!("../transcripts/many/refusals.txt"));
}

#[test]
fn one2many_presenter() {
    doors::check(include_str!("../transcripts/one2many/presenter.txt"));
}

#[test]
fn one2many_viewer() {
    doors::check(include_str!("../transcripts/one2many/viewer.txt"));
}

#[test]
fn one2many_wishes() {
    doors::check(include_str!("../transcripts/one2many/wishes.txt"));
}

#[test]
fn one2many_refusals() {
    doors::check(include_str!("../transcripts/one2many/refusals.txt"));
}

#[test]
fn peers() {
    doors::check(include_str!("../transcripts/peers/peers.txt"));
}

#[test]
fn peers_refusals() {
    doors::check(include_str!("../transcripts/peers/refusals.txt"));
}

#[test]
fn peers_who_ask_hear_by_which_ways_media_may_go_and_addresses_are_hidden() {
    doors::check(include_str!("../transcripts/peers/ways.txt"));
}
