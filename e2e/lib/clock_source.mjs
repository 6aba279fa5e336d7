// A source of time that is so many seconds ahead: `node clock_source.mjs 600`. SNTP at UDP 123, the date of HTTP at TCP 80.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const ahead = Number(process.argv[2]) * 1000;
const NTP_EPOCH_S = 2_208_988_800;

const stamp = (packet, at) => {
  const now = Date.now() + ahead;
  packet.writeUInt32BE((Math.floor(now / 1000) + NTP_EPOCH_S) % 2 ** 32, at);
  packet.writeUInt32BE(Math.floor(((now % 1000) / 1000) * 2 ** 32), at + 4);
};

const sntp = createSocket('udp4');
sntp.on('message', (question, { address, port }) => {
  const answer = Buffer.alloc(48);
  answer[0] = 0x24; // No warning, version 4, server.
  answer[1] = 2;
  question.copy(answer, 24, 40, 48);
  stamp(answer, 32);
  stamp(answer, 40);
  sntp.send(answer, port, address);
});

const web = createServer((_, answer) => {
  answer.sendDate = false;
  answer.setHeader('Date', new Date(Date.now() + ahead).toUTCString());
  answer.end();
});
sntp.bind(123, () => web.listen(80, () => console.log('ready')));
