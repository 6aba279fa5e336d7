//! How well the path carries, every two seconds, from what str0m counts and what is counted here.

use std::collections::BTreeMap;
use std::time::Duration;

use str0m::media::{Mid, Rid};
use str0m::stats::{MediaIngressStats, PeerStats};

use super::types::{Report, RidName};

/// Streams remembered between two reports; more are counted without weight.
const STREAMS_MAX: usize = 2048;

type Totals = BTreeMap<(Mid, Option<RidName>), u64>;

#[derive(Debug, Default)]
pub(super) struct Meter {
    up_packets: u64,
    down_packets: u64,
    up_totals: Totals,
    round: Option<Round>,
}

/// str0m says what it has in several events, one after the other.
#[derive(Debug, Default)]
struct Round {
    up_loss: Option<f32>,
    rtt: Option<Duration>,
    up: Weighted,
    down: Weighted,
}

/// In whole numbers, because the streams come in no fixed order.
#[derive(Debug, Default)]
struct Weighted {
    packets: u64,
    lost_per_mille: u64,
}

impl Weighted {
    fn add(&mut self, packets: u64, loss: Option<f32>) {
        let Some(loss) = loss else { return };
        let per_mille = (loss.clamp(0.0, 1.0) * 1000.0).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1000"
        )]
        let per_mille = per_mille as u64;
        self.packets += packets;
        self.lost_per_mille += per_mille * packets;
    }

    fn part(&self) -> f32 {
        if self.packets == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a fraction of small counts")]
        let part = self.lost_per_mille as f32 / (self.packets as f32 * 1000.0);
        part
    }
}

impl Meter {
    pub(super) fn count_up(&mut self) {
        self.up_packets += 1;
    }

    pub(super) fn peer(&mut self, stats: &PeerStats) {
        self.round = Some(Round {
            up_loss: stats.ingress_loss_fraction,
            rtt: stats.rtt,
            ..Round::default()
        });
    }

    pub(super) fn ingress(&mut self, stats: &MediaIngressStats) {
        let new = since(&mut self.up_totals, stats.mid, stats.rid, stats.packets);
        if let Some(round) = &mut self.round {
            round.up.add(new, stats.loss);
            round.rtt = round.rtt.or(stats.rtt);
        }
    }

    /// What was sent on one stream since the last report.
    pub(super) fn down(&mut self, packets: u64, loss: Option<f32>) {
        self.down_packets += packets;
        if let Some(round) = &mut self.round {
            round.down.add(packets, loss);
        }
    }

    pub(super) fn round_trip(&mut self, round_trip: Option<Duration>) {
        if let Some(round) = &mut self.round {
            round.rtt = round_trip.or(round.rtt);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.round.is_some()
    }

    /// At the end of a drain.
    pub(super) fn report(&mut self) -> Option<Report> {
        let round = self.round.take()?;
        let flowed = |packets: u64, loss: f32| if packets == 0 { 0.0 } else { loss };
        let up_packets = std::mem::take(&mut self.up_packets);
        let down_packets = std::mem::take(&mut self.down_packets);
        Some(Report {
            up_loss: flowed(up_packets, round.up_loss.unwrap_or(round.up.part())),
            down_loss: flowed(down_packets, round.down.part()),
            rtt: round.rtt,
            up_packets,
            down_packets,
        })
    }
}

fn since(totals: &mut Totals, mid: Mid, rid: Option<Rid>, packets: u64) -> u64 {
    let key = (mid, rid.map(RidName));
    if totals.len() >= STREAMS_MAX && !totals.contains_key(&key) {
        return 0;
    }
    let before = totals.insert(key, packets).unwrap_or(0);
    // A section with a new SSRC starts from zero.
    packets.checked_sub(before).unwrap_or(packets)
}
