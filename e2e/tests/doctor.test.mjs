// `madang doctor` in networks with one fault each, made of network namespaces: it names that fault, and finds none where there is none.
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { OUT, WAY, assertPossible, openLab } from '../lib/netlab.mjs';
import { binary, skipUnlessOwned } from '../lib/server.mjs';

const HERE = import.meta.dirname;
const PYTHON = resolve(HERE, '../.venv/bin/python');
const CLOCK_SOURCE = resolve(HERE, '../lib/clock_source.mjs');
const HELPER = OUT[0];
const SERVE = ['--bind', '0.0.0.0', '--dev'];
// Beside them the environment of whoever runs the tests is nothing to the program.
const plain = Object.fromEntries(Object.keys(process.env).filter((name) => name.startsWith('MADANG_')).map((name) => [name, undefined]));

const doctor = async (lab, args = [], { serve = SERVE, prefix = [] } = {}) => {
  const { code, stdout, output } = await lab.finished(lab.host, [...prefix, binary(), 'doctor', ...serve, '--lang', 'en', '--json', ...args], plain);
  let report;
  assert.doesNotThrow(() => (report = JSON.parse(stdout)), `no JSON:\n${output}`);
  const faults = report.findings.filter(({ verdict }) => verdict === 'fault');
  assert.equal(code, faults.length > 0 ? 1 : 0, 'the exit code says whether there is a fault');
  for (const { code: what, remedy } of faults) assert.ok(remedy, `${what} has a remedy`);
  for (const { reason } of report.findings) assert.doesNotMatch(reason, /asked too often/);
  return { ...report, faults, codes: report.findings.map((finding) => finding.code), of: (check) => report.findings.filter((finding) => finding.check === check) };
};

// This fault and no other.
const assertOnly = (report, code, count = 1) => {
  assert.deepEqual(report.faults.map((fault) => fault.code), Array(count).fill(code), JSON.stringify(report.faults, null, 1));
  return report.faults[0];
};

const startServer = (lab, args = SERVE) => lab.start(lab.host, [binary(), 'serve', ...args], { ...plain, LANG: 'C', NO_COLOR: '1' }).says('DEVELOPMENT MODE');
const startHelper = (lab) => lab.start(lab.out, [binary(), 'doctor', '--listen', '--lang', 'en'], plain).says('Helping');
const startClock = (lab, seconds) => lab.start(lab.out, [process.execPath, CLOCK_SOURCE, String(seconds)]).says('ready');

const CERTIFICATE = `
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
start, end, name, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
now, key, maker = datetime.datetime.utcnow(), ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
called = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
made = (x509.CertificateBuilder().subject_name(called(name)).issuer_name(called("an authority")).public_key(key.public_key())
    .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=start)).not_valid_after(now + datetime.timedelta(days=end))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False).sign(maker, hashes.SHA256()))
open(folder + "/cert.pem", "wb").write(made.public_bytes(serialization.Encoding.PEM))
open(folder + "/key.pem", "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
`;

test('this machine can make network namespaces', { skip: skipUnlessOwned() }, assertPossible);

describe('the doctor, with a public address', { skip: skipUnlessOwned() }, () => {
  let lab;
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'madang-doctor-'));
    lab = openLab();
  });
  // One for each test: it looks at an address four times at once, and then once in five seconds.
  let helper;
  beforeEach(async () => (helper = await startHelper(lab)));
  afterEach(() => helper.stop());
  after(async () => {
    await lab?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const withCertificate = (start, end, name) => {
    execFileSync(PYTHON, ['-W', 'ignore', '-c', CERTIFICATE, String(start), String(end), name, folder]);
    return ['--certificate', join(folder, 'cert.pem')];
  };

  test('finds nothing where nothing is wrong, beside the server and alone', async () => {
    const clock = await startClock(lab, 0);
    lab.hosts(lab.host, [`${lab.address} meet.example.test`]);
    const all = ['--helper', HELPER, '--stun', `${OUT[1]}:7884`, '--time', OUT[0], '--domain', 'meet.example.test', '--tls', 'off', ...withCertificate(-1, 60, 'meet.example.test')];
    const expected = ['addresses_told', 'reached', 'public_address_told', 'no_nat', 'mtu_full', 'clock_right', 'certificate_valid', 'dns_here'];
    const alone = await doctor(lab, all);
    assert.deepEqual(alone.faults, []);
    for (const code of ['port_free', ...expected]) assert.ok(alone.codes.includes(code), `${code} is not in ${alone.codes}`);
    const server = await startServer(lab);
    const beside = await doctor(lab, all);
    assert.deepEqual(beside.faults, []);
    for (const code of ['port_ours', ...expected]) assert.ok(beside.codes.includes(code), `${code} is not in ${beside.codes}`);
    assert.ok(!beside.codes.includes('port_free'));
    const korean = await lab.finished(lab.host, [binary(), 'doctor', ...SERVE, '--lang', 'ko', ...all], plain);
    assert.equal(korean.code, 0);
    assert.match(korean.stdout, /정상 +UDP 도달 +198\.51\.100\.9:7884에서 203\.0\.113\.5:7882에 보낸 요청에 \d+ms 만에 답했습니다/);
    console.log(korean.stdout);
    await server.stop();
    await clock.stop();
  });

  test('says what it did not check where nobody is named', async () => {
    const report = await doctor(lab);
    assert.deepEqual(report.faults, []);
    const skipped = report.findings.filter(({ verdict }) => verdict === 'not_checked').map(({ check }) => check);
    assert.deepEqual(skipped, ['reach', 'public_address', 'nat', 'mtu', 'clock', 'certificate', 'dns']);
  });

  test('a port that another program took', async () => {
    const holding = "require('net').createServer().listen(7880, '0.0.0.0'); const s = require('dgram').createSocket('udp4'); s.bind(7882, '0.0.0.0', () => console.log('held'))";
    const other = await lab.start(lab.host, [process.execPath, '-e', holding]).says('held');
    const report = await doctor(lab, ['--helper', HELPER]);
    const fault = assertOnly(report, 'port_taken', 2);
    assert.match(fault.reason, new RegExp(`: node \\(pid ${other.pid}\\)`));
    assert.deepEqual(report.of('ports').map(({ subject }) => subject), ['port 7880/tcp', 'port 7882/udp', 'port 3478/udp', 'port 7882/tcp']);
    assert.equal(report.of('reach')[0].verdict, 'not_checked');
    await other.stop();
  });

  test('the usual port of STUN and TURN that another program has is done without', async () => {
    const holding = "const s = require('dgram').createSocket('udp4'); s.bind(3478, '0.0.0.0', () => console.log('held'))";
    const other = await lab.start(lab.host, [process.execPath, '-e', holding]).says('held');
    const server = await startServer(lab);
    const report = await doctor(lab);
    assert.deepEqual(report.faults, []);
    assert.deepEqual(report.of('ports').map(({ code }) => code), ['port_ours', 'port_ours', 'port_done_without', 'port_ours']);
    await server.stop();
    await other.stop();
  });

  test('a server that runs with other settings', async () => {
    const server = await startServer(lab, [...SERVE, '--udp-port', '7999']);
    const report = await doctor(lab);
    assert.deepEqual(report.of('ports').map(({ code }) => code), ['port_ours', 'port_not_used', 'port_ours', 'port_not_used']);
    await server.stop();
  });

  for (const [seconds, way] of [[600, 'behind'], [-600, 'ahead']])
    test(`a clock that is ten minutes ${way}`, async () => {
      const clock = await startClock(lab, seconds);
      for (const source of [OUT[0], `http://${OUT[0]}/`]) {
        const fault = assertOnly(await doctor(lab, ['--time', source]), 'clock_wrong');
        const [, off] = /^(\d+)\.\d s (?:behind|ahead)/.exec(fault.reason);
        assert.ok(Math.abs(Number(off) - 600) <= 2, fault.reason);
        assert.ok(fault.reason.includes(way), fault.reason);
      }
      await clock.stop();
    });

  test('a clock that nobody answers for is no fault of the machine', async () => {
    const report = await doctor(lab, ['--time', OUT[0]]);
    assert.deepEqual(report.faults, []);
    assert.equal(report.of('clock')[0].code, 'no_time');
  });

  // The limits belong to the whole machine: here the files that say them are others, in a mount namespace of its own.
  test('small UDP buffers', async () => {
    const file = join(folder, 'limit');
    const small = (bytes) => {
      writeFileSync(file, `${bytes}\n`);
      const mount = ['rmem_max', 'wmem_max'].map((name) => `mount --bind ${file} /proc/sys/net/core/${name}`).join(' && ');
      return { prefix: ['unshare', '--mount', 'sh', '-c', `${mount} && exec "$0" "$@"`] };
    };
    const fault = assertOnly(await doctor(lab, [], small(65_536)), 'udp_buffers_small');
    assert.match(fault.remedy, /^sudo sysctl -w net\.core\.rmem_max=4194304 net\.core\.wmem_max=4194304\n/);
    const usual = await doctor(lab, [], small(212_992));
    assert.deepEqual(usual.faults, []);
    assert.equal(usual.of('udp_buffers')[0].code, 'udp_buffers_usual');
  });

  test('few open files', async () => {
    const limited = (count) => ({ prefix: ['sh', '-c', `ulimit -n ${count} && exec "$0" "$@"`] });
    assertOnly(await doctor(lab, [], limited(200)), 'open_files_few');
    const report = await doctor(lab, [], limited(1024));
    assert.equal(report.of('open_files')[0].code, 'open_files_limited');
  });

  test('certificates that browsers do not take', async () => {
    const domain = ['--domain', 'meet.example.test', '--tls', 'off'];
    lab.hosts(lab.host, [`${lab.address} meet.example.test`]);
    const fault = assertOnly(await doctor(lab, [...withCertificate(-90, -3, 'meet.example.test'), ...domain]), 'certificate_expired');
    assert.match(fault.reason, /^expired 3 days ago/);
    assertOnly(await doctor(lab, [...withCertificate(1, 90, 'meet.example.test'), ...domain]), 'certificate_not_yet_valid');
    assertOnly(await doctor(lab, [...withCertificate(-1, 90, 'other.example.test'), ...domain]), 'certificate_name');
    const soon = await doctor(lab, [...withCertificate(-80, 7, 'meet.example.test'), ...domain]);
    assert.equal(soon.of('certificate')[0].code, 'certificate_ends_soon');
    assertOnly(await doctor(lab, ['--certificate', join(folder, 'nothing.pem')]), 'certificate_unusable');
    // From the settings, with a key of another certificate.
    withCertificate(-1, 90, 'meet.example.test');
    execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(folder, 'other.pem')]);
    const config = join(folder, 'madang.toml');
    writeFileSync(config, `[tls]\ncertificate = "${folder}/cert.pem"\nprivate_key = "${folder}/other.pem"\n`);
    assertOnly(await doctor(lab, ['--config', config]), 'certificate_unusable');
  });

  test('a wrong public address is announced', async () => {
    const serve = [...SERVE, '--announce', '203.0.113.77'];
    const fault = assertOnly(await doctor(lab, ['--helper', HELPER], { serve }), 'public_address_wrong');
    assert.match(fault.reason, /203\.0\.113\.77.*203\.0\.113\.5/);
    assert.match(fault.remedy, /^announce = \["203\.0\.113\.5"\]/);
  });

  test('UDP that is blocked on the way, beside the server and alone', async () => {
    const server = await startServer(lab);
    const open = lab.rule('udp dport 7882 drop');
    const beside = assertOnly(await doctor(lab, ['--helper', HELPER]), 'udp_blocked');
    assert.match(beside.remedy, /ufw allow 7882\/udp/);
    await server.stop();
    assertOnly(await doctor(lab, ['--helper', HELPER]), 'udp_blocked');
    open();
    const closed = lab.rule('iifname "lan" udp sport 7882 drop');
    assertOnly(await doctor(lab, ['--helper', HELPER]), 'answers_blocked');
    closed();
    const nothing = lab.rule('meta l4proto udp drop');
    const none = await doctor(lab, ['--helper', HELPER, '--stun', OUT[1]]);
    assert.deepEqual(none.faults.map(({ code }) => code), ['udp_blocked', 'udp_blocked_out']);
    nothing();
    assert.deepEqual((await doctor(lab, ['--helper', HELPER])).faults, []);
  });

  test('a way that loses large packets', async () => {
    // No word of it is sent back, as where somebody filters ICMP.
    const open = lab.rule('iifname "lan" udp length > 1100 drop');
    assertOnly(await doctor(lab, ['--helper', HELPER]), 'mtu_small');
    open();
    const tunnel = lab.rule('iifname "lan" udp length > 1400 drop');
    const report = await doctor(lab, ['--helper', HELPER]);
    assert.equal(report.of('mtu')[0].code, 'mtu_enough');
    tunnel();
  });

  test("a Docker bridge's address is announced, and never by itself", async () => {
    lab.inside(lab.host, 'ip', 'link', 'add', 'docker0', 'type', 'bridge');
    lab.inside(lab.host, 'ip', 'link', 'add', 'veth0123456', 'type', 'veth', 'peer', 'name', 'inside');
    lab.inside(lab.host, 'ip', 'link', 'set', 'veth0123456', 'master', 'docker0');
    for (const link of ['docker0', 'veth0123456', 'inside']) lab.inside(lab.host, 'ip', 'link', 'set', link, 'up');
    lab.inside(lab.host, 'ip', 'addr', 'add', '172.17.0.1/16', 'dev', 'docker0');
    try {
      const fault = assertOnly(await doctor(lab, [], { serve: [...SERVE, '--announce', '172.17.0.1'] }), 'bridge_announced');
      assert.match(fault.reason, /172\.17\.0\.1.*docker0/);
      const config = join(folder, 'bridge.toml');
      writeFileSync(config, '[interfaces]\ninclude = ["docker0"]\n');
      assertOnly(await doctor(lab, ['--config', config]), 'bridge_announced');
      writeFileSync(config, '[interfaces]\ninclude = ["docker0", "eth*"]\n');
      assert.ok((await doctor(lab, ['--config', config])).codes.includes('bridge_told'));

      assert.deepEqual((await doctor(lab)).of('addresses').map(({ reason }) => reason), [`clients are told ${lab.address}, 127.0.0.1`]);
      const server = await startServer(lab);
      await server.says('docker0=172.17.0.1');
      assert.match(server.output, /candidates=203\.0\.113\.5:7882 127\.0\.0\.1:7882/, server.output);
      await server.stop();
    } finally {
      lab.inside(lab.host, 'ip', 'link', 'del', 'docker0');
      lab.inside(lab.host, 'ip', 'link', 'del', 'veth0123456');
    }
  });

  test('announced outside, and bound to this machine', async () => {
    assertOnly(await doctor(lab, [], { serve: ['--bind', '127.0.0.1', '--announce', lab.address] }), 'bound_to_loopback');
    assertOnly(await doctor(lab, [], { serve: [...SERVE, '--announce', '2001:db8::5'] }), 'family_not_bound');
  });

  test('names that lead elsewhere', async () => {
    lab.hosts(lab.host, ['198.51.100.200 proxy.example.test', '10.1.2.3 private.example.test']);
    const named = (name, ...more) => doctor(lab, ['--domain', name, ...more]);
    assert.ok((await named('proxy.example.test', '--tls', 'off')).codes.includes('dns_elsewhere'));
    assertOnly(await named('private.example.test', '--tls', 'off'), 'dns_private');
    assertOnly(await named('nowhere.example.test', '--tls', 'off'), 'dns_nothing');
    // One for which the server gets a certificate by itself: it has none yet, and its ports are looked at, too.
    const own = await named('proxy.example.test');
    assert.deepEqual(own.of('ports').map(({ subject }) => subject), ['port 7880/tcp', 'port 7882/udp', 'port 3478/udp', 'port 7882/tcp', 'port 443/tcp', 'port 80/tcp']);
    assert.equal(own.of('certificate')[0].verdict, 'not_checked');
  });

  test('settings that the server refuses', async () => {
    const fault = assertOnly(await doctor(lab, [], { serve: ['--bind', '0.0.0.0'] }), 'settings_refused');
    assert.match(fault.reason, /no keys are set/);
  });

  test('a helper that is not there', async () => {
    assertOnly(await doctor(lab, ['--helper', `${OUT[0]}:9`]), 'helper_unreachable');
  });
});

describe('the doctor, behind address translation', { skip: skipUnlessOwned() }, () => {
  const cell = async (options, look) => {
    const lab = openLab(options);
    try {
      await startHelper(lab);
      await look(lab);
    } finally {
      await lab.close();
    }
  };

  test('a router that forwards nothing', () =>
    cell({ nat: 'plain' }, async (lab) => {
      const report = await doctor(lab, ['--helper', HELPER]);
      assertOnly(report, 'udp_blocked');
      for (const code of ['private_only', 'public_address_not_told', 'nat_port_kept']) assert.ok(report.codes.includes(code), `${code} is not in ${report.codes}`);
    }));

  test('a router that forwards the port: announced by hand, or found by STUN', () =>
    cell({ nat: 'plain', forwardPort: 7882 }, async (lab) => {
      const announced = [...SERVE, '--announce', WAY];
      const report = await doctor(lab, ['--helper', HELPER], { serve: announced });
      assert.deepEqual(report.faults, []);
      for (const code of ['reached', 'public_address_told']) assert.ok(report.codes.includes(code), `${code} is not in ${report.codes}`);
      const asking = [...SERVE, '--stun-server', `${HELPER}:7884`];
      const server = await startServer(lab, asking);
      assert.match(server.output, new RegExp(`candidates=${WAY.replaceAll('.', '\\.')}:7882 10\\.0\\.0\\.5:7882`), server.output);
      const found = await doctor(lab, ['--helper', HELPER], { serve: asking });
      assert.deepEqual(found.faults, []);
      for (const code of ['port_ours', 'reached', 'public_address_found']) assert.ok(found.codes.includes(code), `${code} is not in ${found.codes}`);
    }));

  test('a symmetric NAT', () =>
    cell({ nat: 'fully-random' }, async (lab) => {
      const report = await doctor(lab, ['--helper', HELPER]);
      assertOnly(report, 'udp_blocked');
      assert.equal(report.of('nat')[0].code, 'nat_symmetric');
      assert.equal(report.of('nat')[0].verdict, 'warning');
    }));

  test('a symmetric NAT that forwards the port', () =>
    cell({ nat: 'fully-random', forwardPort: 7882 }, async (lab) => {
      const report = await doctor(lab, ['--helper', HELPER, '--stun', `${OUT[1]}:7884`], { serve: [...SERVE, '--announce', WAY] });
      assert.deepEqual(report.faults, []);
      assert.equal(report.of('nat')[0].verdict, 'ok');
    }));
});
