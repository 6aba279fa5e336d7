use std::net::{Ipv4Addr, SocketAddr};

use madang_turn::{Families, Refused};

use super::{PathCounters, Shared};
use crate::media::batch::Gathered;
use crate::media::inbox::Inbox;

const IPV4: Families = Families {
    ipv4: true,
    ipv6: false,
};

fn sockets() -> Shared {
    Shared::new(Some(Ipv4Addr::LOCALHOST.into()), None).expect("a poll")
}

fn at_loopback(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

/// Another program's.
fn other() -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind(at_loopback(0)).expect("a free port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

/// One of ours, at a port that was free.
fn open(shared: &Shared) -> u16 {
    loop {
        let (socket, address) = other();
        drop(socket);
        if shared.lock().open(address.port(), IPV4).is_ok() {
            return address.port();
        }
    }
}

#[tokio::test]
async fn a_port_is_had_until_it_is_closed() {
    let shared = sockets();
    let (taken, address) = other();
    assert_eq!(
        shared.lock().open(address.port(), IPV4),
        Err(Refused::PortInUse)
    );
    assert_eq!(shared.lock().len(), 0);
    drop(taken);
    let port = open(&shared);
    assert!(std::net::UdpSocket::bind(at_loopback(port)).is_err());
    shared.lock().close(port);
    shared.lock().close(port);
    assert_eq!(shared.lock().len(), 0);
    assert!(std::net::UdpSocket::bind(at_loopback(port)).is_ok());
}

#[tokio::test]
async fn what_arrives_wakes_us_and_what_is_sent_arrives() {
    let shared = sockets();
    let (peer, address) = other();
    let (quiet, port) = (open(&shared), open(&shared));
    for datagram in [b"one", b"two"] {
        peer.send_to(datagram, at_loopback(port)).expect("sent");
    }
    std::future::poll_fn(|context| shared.lock().poll_ready(context)).await;
    let mut inbox = Inbox::new();
    let mut sockets = shared.lock();
    sockets.look();
    assert_eq!(sockets.next(), Some((port, false)), "and not {quiet}");
    inbox
        .fill((address.ip(), port), |buffers, metas| {
            sockets.receive(buffers, metas)
        })
        .expect("readable");
    let arrived: Vec<(SocketAddr, Vec<u8>)> = inbox
        .datagrams()
        .map(|arrived| (arrived.remote, arrived.bytes.to_vec()))
        .collect();
    assert_eq!(
        arrived,
        [(address, b"one".to_vec()), (address, b"two".to_vec())]
    );
    sockets.look();
    assert!(!sockets.is_busy() && sockets.next().is_none());

    let mut counters = PathCounters::default();
    let gathered = |port| Gathered {
        way: (port, address),
        contents: &b"abcdefgh"[..],
        segment: Some(3),
        count: 3,
    };
    sockets.send(&gathered(port), &mut counters);
    let mut buffer = [0; 16];
    for expected in [&b"abc"[..], b"def", b"gh"] {
        let (bytes, from) = peer.recv_from(&mut buffer).expect("sent");
        assert_eq!((&buffer[..bytes], from), (expected, at_loopback(port)));
    }
    assert_eq!(
        (counters.elsewhere_sent, counters.elsewhere_send_failed),
        (3, 0)
    );
    sockets.close(port);
    sockets.send(&gathered(port), &mut counters);
    assert_eq!(
        (counters.elsewhere_sent, counters.elsewhere_send_failed),
        (3, 3)
    );
}

#[tokio::test]
async fn nowhere_to_send_is_counted_and_ends_nothing() {
    let shared = sockets();
    let port = open(&shared);
    let mut counters = PathCounters::default();
    // From loopback there is no way there.
    let nowhere: SocketAddr = "8.8.8.8:9".parse().expect("an address");
    for (destination, sent) in [(nowhere, 0), (at_loopback(port), 1)] {
        let gathered = Gathered {
            way: (port, destination),
            contents: &b"x"[..],
            segment: None,
            count: 1,
        };
        shared.lock().send(&gathered, &mut counters);
        assert_eq!(counters.elsewhere_sent, sent, "{destination}");
    }
    assert_eq!(counters.elsewhere_send_failed, 1);
    assert_eq!(shared.lock().len(), 1);
}
