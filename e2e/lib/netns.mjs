// Networks out of network namespaces, and programs in them. All of it goes with `close`, or with the process. Needs root, iproute2 and nftables.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'madang-net-';
const TRIES_MAX = 100;
const PAUSE_MS = 20;
const SAYS_MS_MAX = 20_000;
let opened = 0;

const exec = (words, input) => execFileSync(words[0], words.slice(1), { encoding: 'utf8', input, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
const run = (...words) => exec(words);
const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);

// For node:test's `skip`.
export const skipWithoutNamespaces = () => {
  if (process.getuid?.() !== 0) return 'needs root, for networks of its own';
  try {
    run('ip', 'netns', 'list');
    run('nft', '--version');
    return false;
  } catch {
    return 'needs `ip` (iproute2) and `nft` (nftables)';
  }
};

const isLeft = (name) => {
  if (!name.startsWith(PREFIX)) return false;
  try {
    process.kill(Number(name.slice(PREFIX.length).split('-')[0]), 0);
    return false;
  } catch {
    return true;
  }
};

// Namespaces of processes that are no more: each carries its number.
export const leftBehind = () => run('ip', 'netns', 'list').split('\n').map((line) => line.split(' ')[0]).filter(isLeft);

// Takes down what a process left behind that was killed.
export const sweep = () => {
  for (const name of leftBehind()) takeDown(name);
  for (const name of readdirSync(tmpdir()).filter(isLeft)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
};

const takeDown = (name) => {
  try {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const pids = run('ip', 'netns', 'pids', name).split('\n').filter(Boolean).map(Number);
      if (pids.length === 0) break;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended meanwhile.
        }
      }
      pause();
    }
    run('ip', 'netns', 'del', name);
  } catch {
    // It was never made.
  }
  rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
};

// What a child says, and how it is ended.
const attend = (child, words, children) => {
  children.add(child);
  child.output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (child.output += chunk));
  child.says = (text) =>
    new Promise((done, failed) => {
      const timer = setTimeout(() => end(failed, new Error(`${words.join(' ')} does not say ${text}:\n${child.output}`)), SAYS_MS_MAX);
      const end = (settle, value) => (clearTimeout(timer), settle(value));
      const look = () => child.output.includes(text) && end(done, child);
      child.once('exit', () => end(failed, new Error(`${words.join(' ')} ended:\n${child.output}`)));
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

// A namespace for each place. In a cable's end `place` is one of them, or nothing for this machine.
export const openSpaces = (places) => {
  const own = `${PREFIX}${process.pid}-${(opened += 1)}`;
  const name = (place) => `${own}-${place}`;
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const children = new Set();
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    process.removeListener('exit', close);
    for (const child of children) child.kill('SIGKILL');
    for (const place of places) takeDown(name(place));
    try {
      rmdirSync('/etc/netns');
    } catch {
      // There are others.
    }
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', close);
  const within = (place) => ['ip', 'netns', 'exec', name(place)];
  const inside = (place, ...words) => exec([...within(place), ...words]);
  const at = (place, ...words) => (place ? run('ip', '-n', name(place), ...words) : run('ip', ...words));
  // `ip netns exec` shows these files as those of /etc.
  const etc = (place, file, lines) => {
    mkdirSync(`/etc/netns/${name(place)}`, { recursive: true });
    writeFileSync(`/etc/netns/${name(place)}/${file}`, `${lines.join('\n')}\n`);
  };
  // What names lead to there.
  const hosts = (place, lines) => etc(place, 'hosts', ['127.0.0.1 localhost', '::1 localhost', ...lines]);
  const start = (place, words, env = {}) => {
    const [command, ...args] = [...within(place), ...words];
    return attend(spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }), words, children);
  };
  try {
    for (const place of places) {
      run('ip', 'netns', 'add', name(place));
      at(place, 'link', 'set', 'lo', 'up');
      hosts(place, []);
      // No name service: who asks one is refused at once instead of waiting for it.
      etc(place, 'resolv.conf', ['nameserver 127.0.0.1']);
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    folder,
    close,
    within,
    inside,
    at,
    hosts,
    start,
    // Until it has ended: what it said and how it ended.
    finished: (place, words, env) =>
      new Promise((done) => {
        const child = start(place, words, env);
        let stdout = '';
        child.stdout.on('data', (chunk) => (stdout += chunk));
        child.once('close', (code) => {
          children.delete(child);
          done({ code, stdout, output: child.output });
        });
      }),
    // Between two ends: { place, device, addresses }, each address with the length of its network.
    cable: (...ends) => {
      const [from, to] = ends.map(({ place, device }) => ({ device, netns: place ? ['netns', name(place)] : [] }));
      run('ip', 'link', 'add', from.device, ...from.netns, 'type', 'veth', 'peer', 'name', to.device, ...to.netns);
      for (const [index, { place, device, addresses }] of ends.entries()) {
        // No address that comes by itself, some time later: browsers give up what they were asking for when one does. IPv6 needs one of the link.
        at(place, 'link', 'set', device, 'addrgenmode', 'none');
        const link = addresses.some((address) => address.includes(':')) ? [`fe80::${index + 1}/64`] : [];
        for (const address of [...addresses, ...link]) at(place, 'addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
        at(place, 'link', 'set', device, 'up');
      }
      for (let tries = 0; tries < TRIES_MAX && !ends.every(({ place, device }) => at(place, 'link', 'show', device).includes('state UP')); tries += 1) pause();
    },
    forward: (place) => inside(place, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'),
    rules: (place, text) => exec([...within(place), 'nft', '-f', '-'], text),
    // A program of the given path that starts there.
    executable: (place) => (path) => {
      const script = join(folder, `start-${place}`);
      writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${name(place)} ${path} "$@"\n`, { mode: 0o755 });
      return script;
    },
  };
};

// One place that reaches this machine by a cable, on which the test decides what passes. `address` is this machine's on the cable.
export const openCabled = () => {
  const spaces = openSpaces(['there']);
  const [device, network] = [`mdg${process.pid}`, `10.213.${16 + (process.pid % 200)}`];
  try {
    spaces.cable({ device, addresses: [`${network}.1/24`] }, { place: 'there', device: 'eth0', addresses: [`${network}.2/24`] });
    spaces.at('there', 'route', 'add', 'default', 'via', `${network}.1`);
    spaces.rules('there', 'add table inet way; add chain inet way out { type filter hook output priority 0; }');
  } catch (error) {
    spaces.close();
    throw error;
  }
  return {
    address: `${network}.1`,
    close: () => {
      // A namespace lets go of its cables some time after it was deleted: this end is here.
      spaces.at(null, 'link', 'del', device);
      spaces.close();
    },
    executable: spaces.executable('there'),
    // What leaves the place over UDP is dropped, or not any more.
    dropUdp: (isDropped) => spaces.rules('there', isDropped ? 'add rule inet way out meta l4proto udp drop' : 'flush chain inet way out'),
  };
};
