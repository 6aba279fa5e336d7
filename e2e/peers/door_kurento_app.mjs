// An application server as Kurento's tutorials have one: it speaks with its pages by WebSocket, and steers the media server through
// kurento-client. As in one2many-call a viewer's offer is processed before its endpoint is connected; as in hello-world an endpoint is
// connected to itself before there is an offer. Its own: several presenters by name, and viewers that are moved between them.
import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';

const kurento = createRequire(import.meta.url)('kurento-client');

// Media objects are thenables: they must not be what a promise is resolved with.
const ask = (object, method, ...args) =>
  new Promise((done, failed) => {
    object[method](...args, (error, result) => (error ? failed(error) : done([result])));
  });

// What the callback gets cannot be waited for; `line` is the client that can, and that knows its socket.
export const openClient = (url, options = {}) =>
  new Promise((done, failed) => {
    const line = kurento(url, options, (error, client) => (error ? failed(error) : done({ client, line })));
  });

export const startApp = async (url) => {
  const { client } = await openClient(url);
  const seen = [];
  const presenters = new Map();
  const viewers = new Map();
  const lone = new Map();
  let pipeline;

  const endpointOf = (ws) => (lone.get(ws) ?? viewers.get(ws) ?? [...presenters.values()].find((presenter) => presenter.ws === ws))?.endpoint;

  const makeEndpoint = async (parent, ws, options) => {
    const [endpoint] = await ask(parent, 'create', 'WebRtcEndpoint', options);
    endpoint.on('IceCandidateFound', ({ candidate }) => ws.send(JSON.stringify({ id: 'iceCandidate', candidate: kurento.getComplexType('IceCandidate')(candidate) })));
    for (const name of ['IceGatheringDone', 'ConnectionStateChanged', 'MediaStateChanged', 'MediaFlowInStateChanged', 'MediaFlowOutStateChanged', 'Error']) endpoint.on(name, (event) => seen.push({ name, event }));
    for (const candidate of ws.early.splice(0)) endpoint.addIceCandidate(candidate);
    return endpoint;
  };

  const handlers = {
    presenter: async (ws, { sdpOffer, name = 'first' }) => {
      if (!pipeline) [pipeline] = await ask(client, 'create', 'MediaPipeline');
      const endpoint = await makeEndpoint(pipeline, ws, { useDataChannels: true });
      presenters.set(name, { ws, endpoint });
      const answer = ask(endpoint, 'processOffer', sdpOffer);
      await ask(endpoint, 'gatherCandidates');
      return (await answer)[0];
    },
    viewer: async (ws, { sdpOffer, name = 'first' }) => {
      const presenter = presenters.get(name);
      if (!presenter) throw new Error('No active presenter. Try again later...');
      const endpoint = await makeEndpoint(pipeline, ws, { useDataChannels: true });
      viewers.set(ws, { endpoint });
      const [answer] = await ask(endpoint, 'processOffer', sdpOffer);
      await ask(presenter.endpoint, 'connect', endpoint);
      ask(endpoint, 'gatherCandidates');
      return answer;
    },
    start: async (ws, { sdpOffer }) => {
      const [own] = await ask(client, 'create', 'MediaPipeline');
      const endpoint = await makeEndpoint(own, ws, {});
      lone.set(ws, { endpoint, pipeline: own });
      await ask(endpoint, 'connect', endpoint);
      const answer = ask(endpoint, 'processOffer', sdpOffer);
      await ask(endpoint, 'gatherCandidates');
      return (await answer)[0];
    },
  };

  const stop = async (ws) => {
    const viewer = viewers.get(ws);
    viewers.delete(ws);
    if (viewer) await ask(viewer.endpoint, 'release');
    const alone = lone.get(ws);
    lone.delete(ws);
    if (alone) await ask(alone.pipeline, 'release');
    const [name, presenter] = [...presenters].find(([, each]) => each.ws === ws) ?? [];
    if (!presenter) return;
    if (name !== 'first') {
      presenters.delete(name);
      await ask(presenter.endpoint, 'release');
      return;
    }
    for (const other of viewers.keys()) other.send(JSON.stringify({ id: 'stopCommunication' }));
    presenters.clear();
    viewers.clear();
    const gone = pipeline;
    pipeline = undefined;
    await ask(gone, 'release');
  };

  const handle = async (ws, message) => {
    if (message.id === 'stop') return stop(ws);
    if (message.id === 'onIceCandidate') {
      const candidate = kurento.getComplexType('IceCandidate')(message.candidate);
      const endpoint = endpointOf(ws);
      if (endpoint) endpoint.addIceCandidate(candidate);
      else ws.early.push(candidate);
      return undefined;
    }
    try {
      ws.send(JSON.stringify({ id: `${message.id}Response`, response: 'accepted', sdpAnswer: await handlers[message.id](ws, message) }));
    } catch (error) {
      ws.send(JSON.stringify({ id: `${message.id}Response`, response: 'rejected', message: String(error) }));
    }
    return undefined;
  };

  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await new Promise((done) => server.once('listening', done));
  server.on('connection', (ws) => {
    Object.assign(ws, { early: [] });
    ws.on('message', (text) => handle(ws, JSON.parse(text)));
    ws.on('close', () => stop(ws));
  });

  const first = () => [...viewers.values()][0].endpoint;
  return {
    client,
    seen,
    url: `ws://127.0.0.1:${server.address().port}`,
    // The viewer that came first, and whom it watches.
    connectFirstViewer: (name) => ask(presenters.get(name).endpoint, 'connect', first()),
    disconnectFirstViewer: (name) => ask(presenters.get(name).endpoint, 'disconnect', first()),
    presenter: (name = 'first') => ({ endpoint: presenters.get(name).endpoint, pipeline }),
    ask,
    close: async () => {
      for (const ws of server.clients) {
        await stop(ws);
        ws.terminate();
      }
      server.close();
      // With the answer to a release the client begins to unsubscribe; what it asks without a line fails much later.
      await new Promise((done) => setTimeout(done, 500));
      client.close();
    },
  };
};
