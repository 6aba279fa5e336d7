use std::net::SocketAddr;

use madang_turn::Transport;

use super::*;

fn flow() -> Flow {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    Flow {
        transport: Transport::Tcp,
        client: address("192.0.2.9:1000"),
        local: address("192.0.2.1:7882"),
    }
}

fn open(streams: &mut Streams<Flow>) -> StreamOutput {
    let outbox = Arc::new(Outbox::default());
    streams.open(flow(), Arc::clone(&outbox));
    StreamOutput(outbox)
}

/// All that waits now.
async fn taken(output: &StreamOutput) -> Vec<u8> {
    let (mut all, mut blocks) = (Vec::new(), Vec::new());
    while output.0.lock().bytes > 0 {
        output.take(&mut blocks).await.expect("open");
        all.extend(blocks.concat());
    }
    all
}

#[tokio::test]
async fn what_is_for_a_client_comes_in_order_and_in_large_pieces() {
    let (mut streams, mut counters) = (Streams::default(), PathCounters::default());
    let output = open(&mut streams);
    let mut sent = Vec::new();
    for number in 0..100_u8 {
        streams.send(&flow(), &[number; 1_000], 1, &mut counters);
        sent.extend([number; 1_000]);
    }
    assert_eq!(streams.news.len(), 1, "told once");
    streams.tell();
    let mut blocks = Vec::new();
    output.take(&mut blocks).await.expect("open");
    assert_eq!(blocks.len(), BLOCKS_AT_ONCE);
    assert!(blocks.iter().all(|block| block.len() == 16_000));
    let mut all = blocks.concat();
    all.extend(taken(&output).await);
    assert_eq!(all, sent);
    assert_eq!(
        (counters.stream_sent, counters.dropped_stream_queue),
        (100, 0)
    );
}

#[tokio::test]
async fn when_the_queue_is_full_the_oldest_is_dropped_and_counted() {
    let (mut streams, mut counters) = (Streams::default(), PathCounters::default());
    let output = open(&mut streams);
    for number in 0..1_000_u32 {
        let contents = [number.to_be_bytes(); 256].concat();
        streams.send(&flow(), &contents, 1, &mut counters);
        assert!(output.0.lock().bytes <= QUEUE_BYTES_MAX);
    }
    let all = taken(&output).await;
    let left = u64::try_from(all.len() / 1_024).expect("few");
    assert_eq!(all.len() % 1_024, 0, "whole ones");
    assert_eq!(counters.stream_sent, 1_000);
    assert_eq!(counters.dropped_stream_queue, 1_000 - left);
    assert!((240..=256).contains(&left), "{left}");
    assert_eq!(all.last_chunk(), Some(&999_u32.to_be_bytes()), "the newest");
    let first = 1_000 - u32::try_from(left).expect("few");
    assert_eq!(all.first_chunk(), Some(&first.to_be_bytes()), "the oldest");
}

#[tokio::test]
async fn a_closed_stream_takes_nothing_and_a_later_one_is_not_it() {
    let (mut streams, mut counters) = (Streams::default(), PathCounters::default());
    let first = open(&mut streams);
    let second = open(&mut streams);
    let mut blocks = Vec::new();
    assert_eq!(first.take(&mut blocks).await, Err(Gone), "replaced");
    assert!(!streams.close(&flow(), &first.0), "not this one");
    streams.send(&flow(), b"1234", 1, &mut counters);
    streams.hang_up(&flow());
    streams.send(&flow(), b"5678", 1, &mut counters);
    assert_eq!(counters.dropped_stream_queue, 1);
    assert_eq!(second.take(&mut blocks).await, Ok(()));
    assert_eq!(blocks.concat(), b"1234", "what was there before");
    assert_eq!(second.take(&mut blocks).await, Err(Gone));
    assert_eq!(streams.len(), 0);
}

#[tokio::test]
async fn a_connection_waits_until_the_shard_has_come_to_what_it_said() {
    let (commands, mut queue) = mpsc::unbounded_channel();
    let port = StreamPort::open(&commands, LineId::Relay(flow()));
    let frames = Bytes::from_static(b"frames");
    for _ in 0..PIECES_PENDING_MAX {
        port.input.send(frames.clone()).await.expect("open");
    }
    let mut next = std::pin::pin!(port.input.send(frames.clone()));
    assert!(futures_util::poll!(next.as_mut()).is_pending());
    let mut said = || match queue.try_recv() {
        Ok(Command::Stream { said, .. }) => said,
        other => panic!("{other:?}"),
    };
    assert!(matches!(said(), Said::Opened(_)));
    assert!(matches!(said(), Said::Frames { .. }), "and is done with it");
    assert!(futures_util::poll!(next.as_mut()).is_ready());
}
