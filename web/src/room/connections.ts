import type { Room } from 'livekit-client';

/** The SDK keeps its peer connections to itself; their statistics are all we look at. */
export function connections(room: Room): RTCPeerConnection[] {
  const manager = room.engine?.pcManager;
  return [manager?.publisher, manager?.subscriber].flatMap((transport) => {
    const connection: RTCPeerConnection | null | undefined = transport?.['_pc'];
    return connection ? [connection] : [];
  });
}
