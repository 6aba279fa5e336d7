//! Our media threads as a process of their own: rooms of two, and credentials for everybody in them.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context as _;
use madang_server::media::{FarEnd, Media, MediaConfig, PeerPort, Peers, RelayConfig};
use madang_sfu::api::{Event, PeerId, Request, ShardId};

use super::servers::{Account, Running};
use crate::forward;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MEMBERS: u64 = 200;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OwnServer {
    /// Relays to anybody, by sockets.
    #[arg(long)]
    any: bool,
}

/// Until nobody holds our input open.
pub(crate) fn serve(own: &OwnServer) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let media = Media::start(config(own)).await?;
        let mut accounts = Vec::new();
        for number in 0..MEMBERS {
            accounts.push(join(&media, number).await?);
        }
        let running = Running {
            address: (LOOPBACK, media.local_port()).into(),
            accounts,
        };
        let mut line = serde_json::to_vec(&running)?;
        line.push(b'\n');
        let mut output = std::io::stdout().lock();
        output.write_all(&line)?;
        output.flush()?;
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        end.await??;
        media.stop().await;
        Ok(())
    })
}

/// For clients that all have one address, and of whom some have many allocations.
pub(crate) fn relay_config() -> RelayConfig {
    RelayConfig {
        replies_per_source_per_second: u16::MAX,
        allocations_per_peer_max: u32::MAX,
        allocations_max: u32::MAX,
        ..RelayConfig::new(b"of the benchmark".to_vec())
    }
}

fn config(own: &OwnServer) -> MediaConfig {
    let peers = if own.any { Peers::Any } else { Peers::Room };
    MediaConfig {
        udp_port: 0,
        bind: vec![LOOPBACK],
        shards: 1,
        relay: Some(RelayConfig {
            peers,
            ports: 20_000..=60_000,
            ..relay_config()
        }),
        ..MediaConfig::default()
    }
}

async fn join(media: &Media, number: u64) -> anyhow::Result<Account> {
    let id = PeerId(number + 1);
    let PeerPort {
        requests,
        mut events,
    } = media.attach(ShardId(0), id);
    let join = forward::join_of(forward::room_of(number / 2 + 1), id, false);
    requests.send(Request::Join(Box::new(join)))?;
    let joined = async {
        while let Some(event) = events.recv().await {
            if matches!(event, Event::Joined(_)) {
                return Some(events);
            }
        }
        None
    };
    let joined = tokio::time::timeout(Duration::from_secs(10), joined).await;
    let mut events = joined?.context("the stay ended")?;
    let access = media
        .relay_access(id, None, FarEnd::Members)
        .context("no credentials")?;
    // As long as this program runs.
    tokio::spawn(async move {
        let _requests = requests;
        while events.recv().await.is_some() {}
    });
    Ok(Account {
        username: access.username,
        password: access.password,
    })
}
