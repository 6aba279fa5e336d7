/** What the check says, by code. `reason` gets the values of the finding; a `remedy` is there where something can be done. */

import type { CheckId, Summary } from './judge';

export interface Told {
  reason: (...values: string[]) => string;
  remedy?: string;
}

export interface CheckWords {
  title: string;
  lead: string;
  running: string;
  again: string;
  copy: string;
  copied: string;
  copyFailed: string;
  report: string;
  first: string;
  verdicts: Record<'ok' | 'limits' | 'fault' | 'running' | 'waiting' | 'skipped', string>;
  summary: Record<Summary['code'] | 'checking', { title: string; text: string }>;
  sections: Record<'page' | 'devices' | 'signalling' | 'network' | 'call', string>;
  checks: Record<CheckId, string>;
  devices: { start: string; hint: string; tone: string; heard: string; unheard: string; question: string };
  invitation: { title: string; text: string; field: string; open: string; wrong: string };
  meeting: { title: (room: string) => string; text: string; start: string };
  told: Record<Code, Told>;
}

const askNetwork = 'Ask whoever runs this network to allow it, or try another one: a phone’s hotspot shows at once whether it is the network.';
const askServer = 'Tell whoever runs the server, and send the report along.';

const reasons = {
  page_ok: { reason: () => 'This page is secure, and the browser can make calls.' },
  page_insecure: { reason: () => 'This page did not come over https. Browsers give camera and microphone only to secure pages.', remedy: 'Open the address with https://, or with localhost on the machine itself.' },
  page_no_webrtc: { reason: () => 'This browser makes no calls: WebRTC is missing or switched off.', remedy: 'Use a current Chrome, Edge, Firefox or Safari. Inside another app, choose “Open in browser”; in a locked-down browser, ask whoever manages it.' },
  browser_ok: { reason: (name, version) => `${name} ${version}.` },
  browser_old: { reason: (name, version) => `${name} ${version} is too old: parts of a call may not work.`, remedy: 'Update the browser, or use another one.' },
  browser_unknown: { reason: () => 'The browser does not say which one it is. That need not matter.' },
  device_idle: { reason: () => 'Not asked for yet.' },
  device_allowed: { reason: () => 'The browser allows it already. Not tried yet.' },
  device_blocked: { reason: () => 'The browser does not let this page use it.', remedy: 'Click the icon left of the address and set it to “Allow”, then check again.' },
  device_blocked_system: { reason: () => 'The operating system does not let the browser use it.', remedy: 'Allow it in the system’s privacy settings, and start the browser again.' },
  device_missing: { reason: () => 'The browser finds none.', remedy: 'Plug it in, switch it on, or open its cover.' },
  device_busy: { reason: () => 'Another program holds it.', remedy: 'Close other meetings and camera programs, and check again.' },
  device_insecure: { reason: () => 'The page is not secure.', remedy: 'Open it with https://.' },
  device_unsupported: { reason: () => 'This browser gives no access to it.', remedy: 'Use a current Chrome, Edge, Firefox or Safari.' },
  device_other: { reason: () => 'It did not start, and the browser gave no reason.', remedy: 'Choose another one, or start the browser again.' },
  camera_ok: { reason: (size) => `It gives a picture of ${size}.` },
  microphone_ok: { reason: () => 'It hears you.' },
  microphone_quiet: { reason: () => 'It is open. Say something.' },
  microphone_silent: { reason: () => 'It is open, and gives no signal at all.', remedy: 'Check the switch on the microphone or headset, or choose another one.' },
  speaker_idle: { reason: () => 'Play the tone to try it.' },
  speaker_ok: { reason: () => 'You heard the tone.' },
  speaker_unheard: { reason: () => 'You did not hear the tone.', remedy: 'Turn up the volume, choose another speaker, or look where the system plays its sound.' },
  http_ok: { reason: (rtt) => `The server answers in ${rtt}.` },
  http_slow: { reason: (rtt) => `The server answers only after ${rtt}: the line is slow or busy.`, remedy: 'Stop downloads, move closer to the Wi-Fi, or use a cable.' },
  http_silent: { reason: () => 'The server does not answer.', remedy: 'Check your network. If others have the same trouble, the server is down.' },
  socket_ok: { reason: (took) => `The door for rooms opened in ${took}.` },
  socket_blocked: { reason: () => 'Requests get through, a lasting connection (WebSocket) does not.', remedy: 'A proxy or a filter on the way stops it. Ask whoever runs this network, or the proxy before the server, to let WebSockets through.' },
  socket_refused: { reason: () => 'The server lets nobody in with this.' },
  needs_invitation: { reason: () => 'The server lets people in by invitation only.' },
  not_offered: { reason: () => 'Not offered by this server. A call does without it.' },
  not_offered_missed: { reason: () => 'Not offered by this server. It is what would help here.' },
  stun_answers: { reason: (server) => `${server} answers over UDP.` },
  stun_translated: { reason: (server) => `${server} answers, and sees another address than this device has: a router translates, as almost everywhere.` },
  stun_same: { reason: (server) => `${server} answers, and sees the address that this device has.` },
  stun_silent: { reason: (server) => `${server} does not answer over UDP.`, remedy: 'Usually the same cause as when UDP is blocked: see below.' },
  way_works: { reason: (server, took) => `Connected to ${server} in ${took}.` },
  udp_blocked: { reason: (server) => `Nothing comes back from ${server} over UDP: this network, or a firewall before the server, drops it. Without it, sound and picture find no way.`, remedy: `UDP to this address must be open. ${askNetwork} If it fails for everybody, the server’s own firewall drops it.` },
  udp_detour: { reason: (server) => `Nothing comes back from ${server} over UDP. Calls take a detour, and are a little slower.`, remedy: `It goes without; it is better with. ${askNetwork}` },
  udp_elsewhere: { reason: (server) => `The server answers over UDP, but not at the address it names for media, ${server}.`, remedy: `The server announces an address that cannot be reached from here. ${askServer}` },
  udp_elsewhere_detour: { reason: (server) => `The server answers over UDP, but not at the address it names for media, ${server}. Calls take a detour by the relay.`, remedy: `The server announces an address that cannot be reached from here. ${askServer}` },
  tcp_fails: { reason: (server) => `No connection to ${server} over TCP.`, remedy: 'You need it only where UDP is blocked.' },
  fails_too: { reason: (server) => `No way to ${server} either.` },
  relay_refused: { reason: (server) => `The relay ${server} answers, and refuses.`, remedy: askServer },
  turn_udp_fails: { reason: (server) => `No way over the relay ${server}.`, remedy: 'You need it only where the direct way is blocked.' },
  turn_tcp_fails: { reason: (server) => `No way over the relay ${server}.`, remedy: 'You need it only where UDP is blocked.' },
  turn_tls_fails: { reason: (server) => `No way over the relay ${server}.`, remedy: 'You need it only where all but web pages is blocked. If other ways work, its certificate may not be valid.' },
  call_ok: { reason: (first) => `What was sent came back: the first picture after ${first}, and the tone with it, directly over UDP.` },
  call_ok_toneless: { reason: (first) => `The picture that was sent came back, after ${first}, directly over UDP. (Sound: the browser makes none before you press something; “Check again” includes it.)` },
  call_late: { reason: (first) => `What was sent came back, but the first picture took ${first}.`, remedy: 'The line or this device is busy. Close other programs and tabs, and check again.' },
  call_mute: { reason: (first) => `The picture came back after ${first}, the tone did not.`, remedy: askServer },
  call_relayed: { reason: (first, protocol) => `What was sent came back by way of a relay (${protocol ?? ''}): the first picture after ${first}.`, remedy: 'It works. The direct way is blocked, which costs some time and quality: see above.' },
  call_tcp: { reason: (first) => `What was sent came back over TCP: the first picture after ${first}.`, remedy: 'It works. UDP is blocked, which shows as stutter on a bad line: see above.' },
  call_fails: { reason: () => 'No connection for sound and picture came about.', remedy: 'The cause is above, at the ways.' },
  call_refused: { reason: (sentence) => `The server takes no call: “${sentence}”.`, remedy: askServer },
  call_unseen: { reason: () => 'The connection stands, but no picture came back.', remedy: `Check again. If it stays so, large packets may be lost on the way (a VPN with a wrong MTU does that). ${askServer}` },
  quality_ok: { reason: told },
  quality_loss: { reason: (...values) => `Packets are lost: sound breaks off and pictures freeze. ${told(...values)}`, remedy: 'Move closer to the Wi-Fi or use a cable; stop downloads; leave the VPN.' },
  quality_far: { reason: (...values) => `The way there and back is long: people will talk across each other. ${told(...values)}`, remedy: 'Leave the VPN if there is one. Else the server is far away, or the line is busy.' },
  quality_unsteady: { reason: (...values) => `Packets come unsteadily: sound is held back to stay whole. ${told(...values)}`, remedy: 'Move closer to the Wi-Fi or use a cable.' },
  quality_frames: { reason: (...values) => `Pictures are left out although the line is good: this device is too busy. ${told(...values)}`, remedy: 'Close other programs and tabs, and plug in the charger.' },
  bandwidth_ok: { reason: measured },
  bandwidth_rising: { reason: (...values) => `Not measured to its end: this browser was still speeding up. ${measured(...values)}` },
  bandwidth_small: { reason: (...values) => `Enough for a small picture. ${measured(...values)}`, remedy: 'Stop downloads and other calls on this line.' },
  bandwidth_tiny: { reason: (...values) => `Enough for sound, hardly for a picture. ${measured(...values)}`, remedy: 'Leave the camera off, or use another line.' },
  bandwidth_cpu: { reason: (...values) => `This device was too busy to send more; the line may carry more. ${measured(...values)}`, remedy: 'Close other programs and tabs, and check again.' },
} satisfies Record<string, Told>;

/** Whatever a finding may say. */
export type Code = keyof typeof reasons;

export const en: CheckWords = {
  title: 'Will a call work here?',
  lead: 'This page tries out, from your browser, everything that a call needs. Nothing of it is recorded, and your camera and microphone are not asked for before you say so.',
  running: 'Checking…',
  again: 'Check again',
  copy: 'Copy report',
  copied: 'Report copied.',
  copyFailed: 'Copying was refused. The report is at the end of this page.',
  report: 'Report',
  first: 'First of all',
  verdicts: { ok: 'OK', limits: 'With limits', fault: 'Fault', running: 'Checking', waiting: 'Waiting', skipped: 'Left out' },
  summary: {
    checking: { title: 'Checking the connection…', text: 'This takes about a quarter of a minute, and longer where something is blocked. Keep the page in front.' },
    ready: { title: 'You can be heard and seen from here', text: 'Camera, microphone and the connection work.' },
    network: { title: 'Calls get through from here', text: 'The connection works. Camera and microphone are not checked yet.' },
    limits: { title: 'A call works from here, with limits', text: '' },
    fault: { title: 'A call does not work from here yet', text: '' },
    unheard: { title: 'You cannot be heard from here', text: '' },
    needed: { title: 'The connection cannot be checked without an invitation', text: 'What needs none was checked.' },
  },
  sections: { page: 'This page', devices: 'Camera, microphone, speaker', signalling: 'Server', network: 'Ways for sound and picture', call: 'A call with yourself' },
  checks: {
    page: 'Secure page',
    browser: 'Browser',
    camera: 'Camera',
    microphone: 'Microphone',
    speaker: 'Speaker',
    http: 'Requests',
    socket: 'Signalling',
    stun: 'Own address (STUN)',
    udp: 'Directly, over UDP',
    tcp: 'Directly, over TCP',
    turn_udp: 'Relay over UDP (TURN)',
    turn_tcp: 'Relay over TCP (TURN)',
    turn_tls: 'Relay over TLS (TURN)',
    call: 'Sound and picture',
    quality: 'Quality',
    bandwidth: 'Bandwidth',
  },
  devices: {
    start: 'Check camera and microphone',
    hint: 'The browser will ask you for permission. Nothing is sent anywhere.',
    tone: 'Play a test tone',
    heard: 'I heard it',
    unheard: 'I heard nothing',
    question: 'Did you hear three notes?',
  },
  invitation: {
    title: 'An invitation is needed',
    text: 'This server lets people in by invitation only. Paste the link you were sent; the connection is then checked in its room.',
    field: 'Invitation link',
    open: 'Check with it',
    wrong: 'There is no invitation in this link. It looks like https://…/r/yard#token=…',
  },
  meeting: {
    title: (room) => `The check takes place in the room “${room}”`,
    text: 'Your invitation opens this room and no other. Whoever is in it sees a test picture for half a minute; and if you are in it yourself, in another tab, you lose your seat there.',
    start: 'Check the connection there',
  },
  told: reasons,
};

function told(...[rtt = '', up = '', down = '', jitter = '', frames = '']: string[]): string {
  return `Round trip ${rtt}; lost on the way up ${up}, on the way down ${down}; jitter ${jitter}; pictures lost ${frames}.`;
}

function measured(...[up = '', down = '', ceiling = '', seconds = '']: string[]): string {
  return `At least ${up} up and ${down} down. Measured with a test picture set to ${ceiling} for ${seconds} seconds, as its best two seconds; the line may carry more.`;
}
