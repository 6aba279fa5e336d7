// What is said of each cell by those whom people ask when they do not connect: `madang doctor` where the server is, and the page `/check` where one
// who calls is. Who is to know what: the doctor all that is at the server's side, the page what is on the way from the client.
import { openChromium } from '../lib/browsers.mjs';
import { audioClip, videoClip } from '../lib/clips.mjs';
import { joinToken } from '../lib/tokens.mjs';
import { binary } from '../lib/server.mjs';
import { CELLS } from './cells.mjs';
import { DOMAIN, openNetwork } from './network.mjs';
import { startServer } from './server.mjs';

const CHECK_MS_MAX = 60_000;
const SEEN_BY_DOCTOR = ['reach', 'public_address', 'addresses', 'nat', 'mtu', 'ports', 'dns'];

// Of the doctor these faults and warnings and no other, of the checks above; of the page these lines.
const NOTHING = { faults: [], warnings: [] };
const FINE = { udp: 'ok way_works' };
const EXPECTED = {
  open: { doctor: NOTHING, page: FINE },
  restricted: { doctor: NOTHING, page: FINE },
  symmetric: { doctor: NOTHING, page: FINE },
  'no-udp': { doctor: NOTHING, page: { udp: 'limits udp_detour', turn_tcp: 'ok way_works' } },
  'only-443': { doctor: NOTHING, page: { udp: 'limits udp_detour', turn_tls: 'ok way_works' } },
  ipv6: { doctor: NOTHING, page: FINE },
  'one-to-one': { doctor: NOTHING, page: FINE },
  // The page is told private addresses alone, and cannot know that there is another one.
  'one-to-one-silent': { doctor: { faults: [], warnings: ['private_only', 'public_address_not_told'] }, page: { udp: 'limits udp_detour', turn_tls: 'ok way_works' } },
  'server-closed': { doctor: { faults: ['udp_blocked'], warnings: [] }, page: { udp: 'limits udp_detour', turn_tcp: 'ok way_works' } },
};

// Two faults at the server's side, which no call needs to try.
export const LOOKED_AT = [
  ...CELLS,
  { name: 'one-to-one-silent', what: 'the server behind 1:1 NAT, its public address not announced', clients: 'restricted', pass: 'all', server: 'one-to-one', isSilent: true },
  { name: 'server-closed', what: 'a firewall before the server lets no UDP in', clients: 'restricted', pass: 'all', server: 'firewall-udp' },
];

const askDoctor = async (network, server) => {
  const helper = await network.start('net', [binary(), 'doctor', '--listen', '--lang', 'en'], server.env).says('Helping');
  try {
    const host = network.outside.includes(':') ? `[${network.outside}]` : network.outside;
    const { stdout, output } = await network.finished('server', [binary(), 'doctor', ...server.flags, '--lang', 'en', '--json', '--helper', host], server.env);
    if (!stdout.startsWith('{')) throw new Error(`the doctor says no JSON:\n${output}`);
    return JSON.parse(stdout).findings;
  } finally {
    await helper.stop();
  }
};

const askPage = async (network, server) => {
  const person = { name: 'alice', sender: 71, frequencyHz: 500 };
  const browser = await openChromium({ ...person, video: videoClip({ width: 480, height: 270, fps: 15, sender: person.sender }), audio: audioClip(person), executable: network.executable(person.name), flags: ['--ignore-certificate-errors'] });
  try {
    const room = `check-${process.pid}`;
    await browser.goto(`https://${DOMAIN}/check#token=${await joinToken(server, { room, identity: person.name })}`);
    await browser.page.locator('[data-testid="check"][data-state="done"]').waitFor({ timeout: CHECK_MS_MAX });
    return await browser.evaluate(() => {
      const rows = [...document.querySelectorAll('.check-row')].map(({ dataset }) => [dataset.testid.slice('check-'.length), `${dataset.verdict} ${dataset.code}`]);
      const { tone, first } = document.querySelector('[data-testid="check-summary"]').dataset;
      return { lines: Object.fromEntries(rows), tone, first };
    });
  } finally {
    await browser.close();
  }
};

const isSame = (one, other) => JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());

export const look = async (cell, { verbose }) => {
  const network = openNetwork(cell);
  let server;
  try {
    server = await startServer(network, cell);
    const findings = await askDoctor(network, server);
    const of = (verdict) => [...new Set(findings.filter((finding) => finding.verdict === verdict && SEEN_BY_DOCTOR.includes(finding.check)).map(({ code }) => code))];
    const page = await askPage(network, server);
    const expected = EXPECTED[cell.name];
    const [faults, warnings] = [of('fault'), of('warning')];
    const isDoctorRight = isSame(faults, expected.doctor.faults) && isSame(warnings, expected.doctor.warnings);
    const isPageRight = Object.entries(expected.page).every(([line, said]) => page.lines[line] === said);
    if (verbose) console.error(JSON.stringify({ findings, page }, null, 1), server.log.join(''));
    return { cell: cell.name, doctor: { faults, warnings, isRight: isDoctorRight }, page: { ...page, isRight: isPageRight }, expected };
  } finally {
    await server?.stop();
    network.close();
  }
};

const words = (codes) => (codes.length === 0 ? 'nothing wrong' : codes.map((code) => `\`${code}\``).join(', '));
const right = ({ isRight }) => (isRight ? '' : ' (**wrong**)');

// As columns: the cell, what the doctor says, what the page says of UDP, which ways it found to work.
export const told = ({ cell, doctor, page }) => {
  const ways = ['udp', 'tcp', 'turn_udp', 'turn_tcp', 'turn_tls'].filter((way) => page.lines[way]?.startsWith('ok '));
  const [, code] = (page.lines[page.first] ?? '').split(' ');
  return [
    LOOKED_AT.find(({ name }) => name === cell).what,
    words([...doctor.faults, ...doctor.warnings]) + right(doctor),
    (page.tone === 'ok' ? 'nothing wrong' : `\`${code}\``) + right(page),
    ways.join(', '),
  ];
};
