// A small internet out of network namespaces: a server, two who call, a router before each, and what lies between. Nothing of it
// touches this machine's own network, and all of it goes with `close`, or with the process. Needs root.
//
//   alice ── alice-router ──┐
//                          net ── server-router ── server
//   bob ──── bob-router ────┘
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'madang-nat-';
const PLACES = ['net', 'server-router', 'server', 'alice-router', 'alice', 'bob-router', 'bob'];
const END_TRIES = 50;

export const DOMAIN = 'meet.test';

// [address, prefix length]. `inner`: the side of who stands behind the router, there with 2 for its last number.
const LINES = {
  4: {
    'server-router': { wan: ['203.0.113.2', '203.0.113.1', 30], open: ['203.0.113.130', '203.0.113.129', 30], private: ['10.20.0.2', '10.20.0.1', 24] },
    'alice-router': { wan: ['203.0.113.66', '203.0.113.65', 30], open: ['198.51.100.2', '198.51.100.1', 24], private: ['192.168.1.2', '192.168.1.1', 24] },
    'bob-router': { wan: ['203.0.113.70', '203.0.113.69', 30], open: ['192.0.2.2', '192.0.2.1', 24], private: ['192.168.2.2', '192.168.2.1', 24] },
  },
  6: {
    'server-router': { wan: ['2001:db8:1::2', '2001:db8:1::1', 64], open: ['2001:db8:5::2', '2001:db8:5::1', 64] },
    'alice-router': { wan: ['2001:db8:a::2', '2001:db8:a::1', 64], open: ['2001:db8:a1::2', '2001:db8:a1::1', 64] },
    'bob-router': { wan: ['2001:db8:b::2', '2001:db8:b::1', 64], open: ['2001:db8:b1::2', '2001:db8:b1::1', 64] },
  },
};

const run = (...words) => execFileSync(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

export const whyNot = () => {
  if (process.getuid?.() !== 0) return 'needs root, for networks of its own';
  try {
    run('ip', 'netns', 'list');
    run('nft', '--version');
    return false;
  } catch {
    return 'needs `ip` (iproute2) and `nft` (nftables)';
  }
};

// What may pass a router, and how it is translated. Without the rule for `input`, connection tracking takes what comes early from the other side
// for a conversation of the router's own, gives the next packet out another port, and a port-restricted NAT looks symmetric.
const rules = ({ clients, pass }, isOneToOne) => {
  if (isOneToOne) {
    const [[inner], [outer]] = [LINES[4]['server-router'].private, LINES[4]['server-router'].wan];
    return `table ip nat {
      chain pre { type nat hook prerouting priority -100; iifname "wan" dnat to ${inner}; }
      chain post { type nat hook postrouting priority 100; oifname "wan" snat to ${outer}; }
    }`;
  }
  const limits = { 'no-udp': 'meta l4proto udp drop;', 'only-443': 'ct state new meta l4proto != tcp drop; ct state new tcp dport != 443 drop;' };
  const translated = clients === 'restricted' || clients === 'symmetric';
  const closed = clients === 'open' ? '' : 'ct state established,related accept; iifname "wan" drop;';
  const nat = translated ? `table ip nat {
    chain post { type nat hook postrouting priority 100; oifname "wan" masquerade${clients === 'symmetric' ? ' fully-random' : ''}; }
  }` : '';
  return `table inet way {
    chain forward { type filter hook forward priority 0; ${limits[pass] ?? ''} ${closed} }
    chain input { type filter hook input priority 0; ${translated ? 'iifname "wan" ct state new drop;' : ''} }
  }
  ${nat}`;
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
    for (let tries = 0; tries < END_TRIES; tries += 1) {
      const pids = run('ip', 'netns', 'pids', name).split('\n').filter(Boolean).map(Number);
      if (pids.length === 0) break;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended meanwhile.
        }
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
    run('ip', 'netns', 'del', name);
  } catch {
    // It was never made.
  }
  rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
};

export const openNetwork = (cell) => {
  const family = cell.family ?? 4;
  const name = (place) => `${PREFIX}${process.pid}-${place}`;
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    process.removeListener('exit', close);
    for (const place of PLACES) takeDown(name(place));
    try {
      rmdirSync('/etc/netns');
    } catch {
      // There are others.
    }
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', close);

  const at = (place, ...words) => run('ip', family === 6 ? '-6' : '-4', '-n', name(place), ...words);
  const cable = (outer, outerName, inner, innerName, [address, gateway, length]) => {
    run('ip', 'link', 'add', outerName, 'netns', name(outer), 'type', 'veth', 'peer', 'name', innerName, 'netns', name(inner));
    for (const [place, device, own] of [[outer, outerName, gateway], [inner, innerName, address]]) {
      at(place, 'addr', 'add', `${own}/${length}`, 'dev', device, ...(family === 6 ? ['nodad'] : []));
      at(place, 'link', 'set', device, 'up');
    }
    at(inner, 'route', 'add', 'default', 'via', gateway);
  };
  const isHidden = (router) => (router === 'server-router' ? cell.server === 'one-to-one' : ['restricted', 'symmetric'].includes(cell.clients));
  const lan = (router) => LINES[family][router][isHidden(router) ? 'private' : 'open'];
  const address = cell.server === 'one-to-one' ? LINES[4]['server-router'].wan[0] : lan('server-router')[0];

  const connect = (router, inner, device) => {
    const { wan } = LINES[family][router];
    cable('net', device, router, 'wan', wan);
    cable(router, 'lan', inner, 'eth0', lan(router));
    if (!isHidden(router)) at('net', 'route', 'add', `${lan(router)[0]}/${family === 6 ? 128 : 32}`, 'via', wan[0]);
    const isServer = router === 'server-router';
    const text = isServer && cell.server !== 'one-to-one' ? '' : rules(cell, isServer);
    if (text) execFileSync('ip', ['netns', 'exec', name(router), 'nft', '-f', '-'], { input: text, stdio: ['pipe', 'pipe', 'pipe'] });
  };

  try {
    for (const place of PLACES) {
      run('ip', 'netns', 'add', name(place));
      run('ip', '-n', name(place), 'link', 'set', 'lo', 'up');
      if (place === 'net' || place.endsWith('-router')) run('ip', 'netns', 'exec', name(place), 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
      // `ip netns exec` shows this file as /etc/hosts.
      mkdirSync(`/etc/netns/${name(place)}`, { recursive: true });
      writeFileSync(`/etc/netns/${name(place)}/hosts`, `127.0.0.1 localhost\n::1 localhost\n${address} ${DOMAIN}\n`);
      // No name service: who asks one is refused at once instead of waiting for it.
      writeFileSync(`/etc/netns/${name(place)}/resolv.conf`, 'nameserver 127.0.0.1\n');
    }
    connect('server-router', 'server', 'to-server');
    connect('alice-router', 'alice', 'to-alice');
    connect('bob-router', 'bob', 'to-bob');
  } catch (error) {
    close();
    throw new Error(`${cell.name}: ${error.stderr ?? ''}${error.message}`);
  }

  return {
    address,
    folder,
    close,
    // Words to put before a command that is to run there.
    within: (place) => ['ip', 'netns', 'exec', name(place)],
    // A program of the given path that starts there.
    executable: (place) => (path) => {
      const script = join(folder, `start-${place}`);
      writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${name(place)} ${path} "$@"\n`, { mode: 0o755 });
      return script;
    },
  };
};
