// The server is told to stop in the middle of a call: clients are told, the process ends with 0, its ports are free at once.
import { describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { DisconnectReason, LeaveRequest_Action } from '@livekit/protocol';
import { health, skipUnlessOwned, startServer } from '../lib/server.mjs';
import { openPeer } from '../lib/peers.mjs';
import { joinToken, roomName } from '../lib/tokens.mjs';
import { eventually } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };
const EXIT_MS_MAX = 5000;

const bindTcp = (port, host) =>
  new Promise((done, failed) => {
    const socket = createServer();
    socket.once('error', failed);
    socket.listen(port, host, () => socket.close(done));
  });

const bindUdp = (port, host) =>
  new Promise((done, failed) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', failed);
    socket.bind(port, host, () => socket.close(done));
  });

describe('stopping', { skip: skipUnlessOwned() }, () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal} while a call is up`, async () => {
      const server = await startServer({ own: true });
      const page = await openPeer('chromium', { sender: 61, frequencyHz: 500 }, { ...CLIP, recordSignals: true });
      const python = await openPeer('python', { sender: 62, frequencyHz: 800 });
      try {
        const room = roomName('stop');
        for (const peer of [page, python]) {
          await peer.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: peer.identity }), single: peer === page });
          await peer.publish(CLIP);
        }
        for (const [to, from] of [[page, python], [python, page]]) await eventually(`${to.name} sees ${from.name}`, async () => (await to.frames(from.identity)).length > 5, { ms: 20_000 });

        const start = Date.now();
        await server.stop(signal);
        const took = Date.now() - start;
        assert.ok(took < EXIT_MS_MAX, `the process took ${took} ms to end`);
        for (const host of ['127.0.0.1', '::1']) {
          await bindTcp(server.port, host);
          await bindUdp(server.udpPort, host);
        }
        const told = async (peer) => (await peer.received()).events.find(({ event, t }) => t >= start && ['disconnected', 'reconnecting'].includes(event.toLowerCase()));
        for (const peer of [page, python]) await eventually(`${peer.name} is told`, () => told(peer), { ms: 3000 });
        const leave = (await page.visitor.signals()).filter((each) => each.way === '<').find(({ message }) => message.case === 'leave');
        assert.ok(leave, 'the page got a leave message');
        assert.equal(leave.message.value.reason, DisconnectReason.SERVER_SHUTDOWN, 'the reason in the leave message');
        console.log(`  ${signal}: ended with 0 after ${took} ms; leave after ${(leave.t - start).toFixed(0)} ms; page ${(await told(page)).event}, Python ${(await told(python)).event}`);

        // The next one takes the same ports at once; and whoever was told to come back comes back by himself.
        const next = await startServer({ own: true, ports: [server.port, server.udpPort] });
        assert.equal(await health(next.url), 200);
        if (leave.message.value.action === LeaveRequest_Action.RECONNECT) {
          const restarted = Date.now();
          for (const [to, from] of [[page, python], [python, page]]) await eventually(`${to.name} sees ${from.name} again`, async () => (await to.frames(from.identity, restarted)).filter((frame) => frame.id >= 0).length > 5, { ms: 30_000 });
          console.log(`  ${signal}: the call is up again ${Date.now() - restarted} ms after the restart`);
        }
        await next.stop();
      } finally {
        await python.close();
        await page.close();
        await server.stop();
      }
    });
  }
});
