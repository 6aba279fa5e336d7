// RoomService through both server SDKs (JSON from Node, protobuf from Python), its effect seen by a client in the room.
import { after, before, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { DataPacket_Kind, RoomServiceClient, ServerError } from 'livekit-server-sdk';
import { startServer } from '../lib/server.mjs';
import { openPeer, ProcessPeer } from '../lib/peers.mjs';
import { joinToken, nowSeconds, rawToken, roomName } from '../lib/tokens.mjs';
import { eventually, wait } from '../lib/measure.mjs';

const CLIP = { width: 480, height: 270, fps: 10 };

// Both give back {result} or {code, status}; results as protobuf's JSON.
const nodeApi = (server) => {
  const client = new RoomServiceClient(server.url, server.key, server.secret);
  const calls = {
    create_room: async (request) => (await client.createRoom(request)).toJson(),
    list_rooms: async ({ names }) => ({ rooms: (await client.listRooms(names)).map((room) => room.toJson()) }),
    delete_room: async ({ room }) => void (await client.deleteRoom(room)),
    list_participants: async ({ room }) => ({ participants: (await client.listParticipants(room)).map((each) => each.toJson()) }),
    get_participant: async ({ room, identity }) => (await client.getParticipant(room, identity)).toJson(),
    remove_participant: async ({ room, identity }) => void (await client.removeParticipant(room, identity)),
    mute_published_track: async ({ room, identity, trackSid, muted }) => ({ track: (await client.mutePublishedTrack(room, identity, trackSid, muted)).toJson() }),
    send_data: async ({ room, data, kind, topic, destinationIdentities }) => void (await client.sendData(room, Buffer.from(data, 'base64'), DataPacket_Kind[kind], { topic, destinationIdentities })),
  };
  return {
    call: async (method, request) => {
      try {
        return { result: (await calls[method](request)) ?? {} };
      } catch (error) {
        if (!(error instanceof ServerError)) throw error;
        return { code: error.code, status: error.status };
      }
    },
    close: async () => {},
  };
};

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

for (const [sdk, openApi] of [
  ['livekit-server-sdk (JSON)', nodeApi],
  ['livekit-api for Python (protobuf)', (target) => new ProcessPeer('pythonApi', { server: target })],
]) {
  describe(sdk, () => {
    const room = roomName('api');
    let api;
    let anna;
    let node;
    const ok = async (method, request) => {
      const answer = await api.call(method, request);
      assert.ok(answer.result, `${method} ${JSON.stringify(request)} was refused: ${JSON.stringify(answer)}`);
      return answer.result;
    };
    const refused = async (method, request, expected) => assert.deepEqual(await api.call(method, request), expected, `${method} ${JSON.stringify(request)}`);

    before(async () => {
      api = openApi(server);
      anna = await openPeer('chromium', { sender: 31, frequencyHz: 500 }, CLIP);
      node = await openPeer('node', { sender: 32, frequencyHz: 800 }, CLIP);
    });
    after(async () => {
      for (const each of [node, anna, api]) await each?.close();
    });

    test('CreateRoom makes a room with what was asked for, and asking again gives the same one', async () => {
      const made = await ok('create_room', { name: room, emptyTimeout: 120, maxParticipants: 5, metadata: 'from the API' });
      assert.match(made.sid, /^RM_/);
      assert.equal(made.name, room);
      assert.equal(made.emptyTimeout, 120);
      assert.equal(made.maxParticipants, 5);
      assert.equal(made.metadata, 'from the API');
      assert.ok(Math.abs(Number(made.creationTime) - Date.now() / 1000) < 120, `creation time ${made.creationTime}`);
      assert.equal((await ok('create_room', { name: room })).sid, made.sid);
    });

    test('ListRooms finds it by name and among all', async () => {
      for (const request of [{ names: [room] }, {}]) {
        const { rooms = [] } = await ok('list_rooms', request);
        assert.equal(rooms.filter(({ name }) => name === room).length, 1, `${JSON.stringify(request)} gives ${rooms.map(({ name }) => name)}`);
      }
      assert.deepEqual((await ok('list_rooms', { names: [roomName('nowhere')] })).rooms ?? [], []);
    });

    test('ListParticipants and GetParticipant show who is in, with tracks', async () => {
      for (const peer of [anna, node]) await peer.connect({ url: server.socketUrl, token: await joinToken(server, { room, identity: peer.identity, name: `the ${peer.identity}` }), single: true });
      await anna.publish(CLIP);
      assert.equal(await anna.visitor.sdk('metadata'), 'from the API');
      const find = async () => (await ok('get_participant', { room, identity: anna.identity })).tracks ?? [];
      await eventually('both tracks are listed', async () => (await find()).length === 2);
      const { participants = [] } = await ok('list_participants', { room });
      assert.deepEqual(participants.map(({ identity }) => identity).sort(), [anna.identity, node.identity].sort());
      const one = participants.find(({ identity }) => identity === anna.identity);
      assert.match(one.sid, /^PA_/);
      assert.equal(one.state, 'ACTIVE');
      assert.equal(one.name, 'the chromium');
      assert.deepEqual(one.tracks.map(({ source }) => source).sort(), ['CAMERA', 'MICROPHONE']);
      const [listed] = (await ok('list_rooms', { names: [room] })).rooms;
      assert.equal(listed.sid, (await ok('create_room', { name: room })).sid);
      await eventually('the room counts two participants', async () => (await ok('list_rooms', { names: [room] })).rooms[0].numParticipants === 2);
    });

    test('SendData reaches everyone, or only whom it names', async () => {
      const data = (text) => Buffer.from(text).toString('base64');
      await ok('send_data', { room, data: data('to all'), kind: 'RELIABLE', topic: 'api' });
      await ok('send_data', { room, data: data('to node'), kind: 'RELIABLE', topic: 'api', destinationIdentities: [node.identity] });
      await ok('send_data', { room, data: data('lossy to all'), kind: 'LOSSY', topic: 'api' });
      const texts = async (peer) => (await peer.received()).data.filter(({ topic, from }) => topic === 'api' && from === '').map(({ text }) => text).sort();
      await eventually('data at both', async () => (await texts(anna)).length === 2 && (await texts(node)).length === 3).catch(() => {});
      await wait(300);
      assert.deepEqual(await texts(anna), ['lossy to all', 'to all']);
      assert.deepEqual(await texts(node), ['lossy to all', 'to all', 'to node']);
    });

    test('MutePublishedTrack silences the publisher and tells everyone', async () => {
      const { tracks } = await ok('get_participant', { room, identity: anna.identity });
      const { sid } = tracks.find(({ source }) => source === 'CAMERA');
      await eventually('frames flow to node', async () => (await node.frames(anna.identity)).length > 10);
      const { track } = await ok('mute_published_track', { room, identity: anna.identity, trackSid: sid, muted: true });
      assert.equal(track.sid, sid);
      assert.equal(track.muted, true);
      await eventually('the publisher is muted', async () => (await anna.visitor.sdk('local')).tracks.find((each) => each.sid === sid).muted);
      const listed = (await ok('get_participant', { room, identity: anna.identity })).tracks.find((each) => each.sid === sid);
      assert.equal(listed.muted, true);
      await wait(700);
      const before = (await node.frames(anna.identity)).length;
      await wait(1000);
      assert.equal((await node.frames(anna.identity)).length, before, 'frames after the mute');
    });

    test('RemoveParticipant puts one out', async () => {
      await ok('remove_participant', { room, identity: node.identity });
      await eventually('node was told', async () => (await node.received()).events.some(({ event }) => event === 'disconnected'));
      await eventually('anna is alone', async () => (await anna.participants()).length === 0);
      assert.deepEqual(
        ((await ok('list_participants', { room })).participants ?? []).map(({ identity }) => identity),
        [anna.identity],
      );
      assert.equal(await anna.visitor.sdk('state'), 'connected');
    });

    test('who or what does not exist is not found', async () => {
      const notFound = { code: 'not_found', status: 404 };
      await refused('get_participant', { room, identity: 'nobody' }, notFound);
      await refused('remove_participant', { room, identity: 'nobody' }, notFound);
      await refused('delete_room', { room: roomName('nowhere') }, notFound);
      await refused('create_room', { name: 'x'.repeat(300) }, { code: 'invalid_argument', status: 400 });
      assert.deepEqual((await ok('list_participants', { room: roomName('nowhere') })).participants ?? [], []);
    });

    test('DeleteRoom ends the call for everyone', async () => {
      await ok('delete_room', { room });
      await eventually('anna is out', async () => (await anna.visitor.sdk('state')) === 'disconnected');
      const events = (await anna.received()).events.filter(({ event }) => event === 'Disconnected');
      assert.deepEqual(
        events.map(({ details }) => details),
        [['5']],
        'one disconnect, with the reason ROOM_DELETED (5)',
      );
      assert.deepEqual((await ok('list_rooms', { names: [room] })).rooms ?? [], []);
    });
  });
}

test('without the grant, nothing', async () => {
  const rawCall = async (grant, method, body) => {
    const token = rawToken(server, { exp: nowSeconds() + 60, sub: 'operator', video: grant });
    const response = await fetch(`${server.url}/twirp/livekit.RoomService/${method}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify(body) });
    const { code } = await response.json();
    return `${response.status} ${code}`;
  };
  const denied = '401 unauthenticated';
  assert.equal(await rawCall({ roomList: true }, 'CreateRoom', { name: 'x' }), denied);
  assert.equal(await rawCall({ roomCreate: true }, 'ListRooms', {}), denied);
  assert.equal(await rawCall({ roomAdmin: true, room: 'a' }, 'ListParticipants', { room: 'b' }), denied);
  assert.equal(await rawCall({ roomAdmin: true, room: 'a' }, 'SendData', { room: 'b', data: 'aGk=' }), denied);
  assert.equal(await rawCall({ roomAdmin: true, room: 'a' }, 'DeleteRoom', { room: 'a' }), denied);
  assert.equal(await rawCall({ roomJoin: true, room: 'a' }, 'RemoveParticipant', { room: 'a', identity: 'b' }), denied);
});
