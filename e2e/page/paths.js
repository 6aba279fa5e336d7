// Runs in a page under test after observe.js: what any of its peer connections brings first, and by which way. It knows nothing of the page.
(() => {
  const connections = [];
  const first = [];

  const watch = async (track, connection) => {
    const canvas = document.createElement('canvas');
    const reader = new MediaStreamTrackProcessor({ track: track.clone(), maxBufferSize: 2 }).readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const id = window.__e2e.readMark(frame, frame.displayWidth, frame.displayHeight, canvas);
      frame.close();
      if (id === null || id < 0) continue;
      first.push({ sender: Math.floor(id / 65536), t: window.__e2e.now(), connection });
      return void reader.cancel();
    }
  };

  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(...args) {
      super(...args);
      const number = connections.push(this) - 1;
      this.addEventListener('track', ({ track }) => {
        if (track.kind === 'video') watch(track, number).catch((error) => console.error(`first frame: ${error}`));
      });
    }
  };

  // The pair of candidates in use of each connection that has one.
  const paths = async () => {
    const found = [];
    for (const [connection, pc] of connections.entries()) {
      if (pc.connectionState === 'closed') continue;
      const stats = await pc.getStats();
      for (const { type, selectedCandidatePairId } of stats.values()) {
        const pair = type === 'transport' && stats.get(selectedCandidatePairId);
        if (!pair) continue;
        const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
        found.push({ connection, state: pc.connectionState, local: { type: local.candidateType, protocol: local.protocol, relay: local.relayProtocol, url: local.url }, remote: { type: remote.candidateType, protocol: remote.protocol, address: remote.address } });
      }
    }
    return found;
  };

  window.__paths = { first, paths, states: () => connections.map((pc) => pc.connectionState) };
})();
