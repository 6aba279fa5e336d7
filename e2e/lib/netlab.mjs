// A laboratory of network namespaces: a machine `host`, a router `way`, and everybody else, `out`. Needs root, iproute2 and nftables.
//
//   host (eth0) ── lan [way] wan ── eth0 (out)
//
// Without `nat` host has a public address. With it, host is behind address translation: `plain` keeps ports, `fully-random` gives
// each destination another one.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { strict as assert } from 'node:assert';

export const OUT = ['198.51.100.9', '198.51.100.10'];
export const WAY = '198.51.100.1';
let labs = 0;

const run = (...words) => execFileSync(words[0], words.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

// What is missing is said, and fails the test.
export const assertPossible = () => {
  assert.equal(process.getuid(), 0, 'network namespaces need root');
  for (const [program, packet] of [['ip', 'iproute2'], ['nft', 'nftables']])
    assert.doesNotThrow(() => run('sh', '-c', `command -v ${program}`), `${program} is missing: apt-get install ${packet}`);
};

export const openLab = ({ nat, forwardPort } = {}) => {
  assertPossible();
  labs += 1;
  const name = (what) => `madang-${process.pid}-${labs}-${what}`;
  const [host, way, out] = ['host', 'way', 'out'].map(name);
  const children = new Set();
  const lan = nat ? '10.0.0' : '203.0.113';
  const address = `${lan}.5`;
  const inside = (space, ...words) => run('ip', 'netns', 'exec', space, ...words);

  const close = async () => {
    const ended = [...children].map((child) => new Promise((done) => (child.exitCode === null && child.signalCode === null ? child.once('exit', done) : done())));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ended);
    for (const space of [host, way, out]) {
      try {
        run('ip', 'netns', 'del', space);
      } catch {
        // It was not made.
      }
      rmSync(`/etc/netns/${space}`, { recursive: true, force: true });
    }
  };

  try {
    for (const space of [host, way, out]) {
      run('ip', 'netns', 'add', space);
      run('ip', '-n', space, 'link', 'set', 'lo', 'up');
    }
    const link = (space, there, from) => {
      run('ip', 'link', 'add', 'eth0', 'netns', space, 'type', 'veth', 'peer', 'name', there, 'netns', way);
      for (const each of from) run('ip', '-n', space, 'addr', 'add', `${each}/24`, 'dev', 'eth0');
      run('ip', '-n', space, 'link', 'set', 'eth0', 'up');
      run('ip', '-n', way, 'link', 'set', there, 'up');
    };
    link(host, 'lan', [address]);
    link(out, 'wan', OUT);
    run('ip', '-n', way, 'addr', 'add', `${lan}.1/24`, 'dev', 'lan');
    run('ip', '-n', way, 'addr', 'add', `${WAY}/24`, 'dev', 'wan');
    run('ip', '-n', host, 'route', 'add', 'default', 'via', `${lan}.1`);
    if (!nat) run('ip', '-n', out, 'route', 'add', `${lan}.0/24`, 'via', WAY);
    inside(way, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    const rules = ['table ip lab {', 'chain forward { type filter hook forward priority 0; }'];
    if (nat) {
      // Without this a packet that comes in unasked claims the tuple, and a plain NAT looks symmetric.
      rules.push('chain input { type filter hook input priority 0; iifname "wan" ct state new drop; }');
      rules.push(`chain out { type nat hook postrouting priority 100; oifname "wan" masquerade ${nat === 'plain' ? '' : nat}; }`);
      if (forwardPort) rules.push(`chain in { type nat hook prerouting priority -100; iifname "wan" udp dport ${forwardPort} dnat to ${address}; }`);
    }
    rules.push('}');
    inside(way, 'nft', rules.join('\n'));
  } catch (error) {
    close();
    throw error;
  }

  const start = (space, words, env = {}) => {
    const child = spawn('ip', ['netns', 'exec', space, ...words], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    child.output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (child.output += chunk));
    child.says = (text) =>
      new Promise((done, failed) => {
        const look = () => child.output.includes(text) && done(child);
        const timer = setTimeout(() => failed(new Error(`${words.join(' ')} does not say ${text}:\n${child.output}`)), 20_000);
        const finish = (end) => (value) => (clearTimeout(timer), end(value));
        [done, failed] = [finish(done), finish(failed)];
        child.once('exit', () => failed(new Error(`${words.join(' ')} ended:\n${child.output}`)));
        for (const stream of [child.stdout, child.stderr]) stream.on('data', look);
        look();
      });
    child.stop = () =>
      new Promise((done) => {
        children.delete(child);
        if (child.exitCode !== null || child.signalCode !== null) return done();
        child.once('exit', done);
        child.kill('SIGTERM');
      });
    return child;
  };

  // Until it has ended: what it said and how it ended.
  const finished = (space, words, env) =>
    new Promise((done) => {
      const child = start(space, words, env);
      let stdout = '';
      child.stdout.on('data', (chunk) => (stdout += chunk));
      child.once('close', (code) => {
        children.delete(child);
        done({ code, stdout, output: child.output });
      });
    });

  return {
    host,
    way,
    out,
    address,
    inside,
    start,
    finished,
    close,
    // A rule of the router, until the returned function is called.
    rule: (text) => {
      inside(way, 'nft', `add rule ip lab forward ${text}`);
      return () => inside(way, 'nft', 'flush chain ip lab forward');
    },
    // What names lead to in that namespace.
    hosts: (space, lines) => {
      mkdirSync(`/etc/netns/${space}`, { recursive: true });
      writeFileSync(`/etc/netns/${space}/hosts`, `127.0.0.1 localhost\n${lines.join('\n')}\n`);
    },
  };
};
