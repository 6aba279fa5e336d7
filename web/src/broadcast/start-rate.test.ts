import { expect, it } from 'vitest';
import { startingAt } from './start-rate';

const AUDIO = 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n';

it('says it once, for the first codec of the picture', () => {
  const vp8 = `${AUDIO}m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n`;
  expect(startingAt(vp8, 1_200)).toBe(vp8.replace('VP8/90000\r\n', 'VP8/90000\r\na=fmtp:96 x-google-start-bitrate=1200\r\n'));
  const h264 = `${AUDIO}m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n`;
  expect(startingAt(h264, 800)).toBe(h264.replace('mode=1', 'mode=1;x-google-start-bitrate=800'));
});

it('leaves alone what it does not understand', () => {
  for (const sdp of ['', AUDIO, `${AUDIO}m=video 0 UDP/TLS/RTP/SAVPF\r\n`, `${AUDIO}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n`]) expect(startingAt(sdp, 1_000)).toBe(sdp);
});
