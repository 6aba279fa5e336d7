// Two homes, each behind a router of its own, and this machine somewhere in between: namespaces on cables. Needs root.
//
//   this machine ── road ── router a ── home a
//                     └──── router b ── home b
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (...words) => execFileSync(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
const SIDES = ['a', 'b'];
// What a router does to ports: the same one for everybody, as long as it is free, or another one for each destination.
const MASQUERADE = { plain: 'masquerade', symmetric: 'masquerade fully-random' };

// `nats`: of the two routers. `address` is this machine's. `executable` starts a program of the given path in a home.
export const openHomes = ({ nats, dropsUdp = false }) => {
  const number = 16 + (process.pid % 200);
  const folder = mkdtempSync(join(tmpdir(), 'madang-homes-'));
  const space = (of) => `madang-homes-${process.pid}-${of}`;
  const all = ['road', ...SIDES.flatMap((side) => [`router-${side}`, `home-${side}`])].map(space);
  const [ours, address] = [`mdn${process.pid}`, `10.216.${number}.1`];
  const inside = (of, ...words) => run('ip', 'netns', 'exec', space(of), ...words);
  const close = () => {
    // A namespace that is deleted lets go of its cables some time later: this one is in our own.
    for (const words of [['link', 'del', ours], ...all.map((name) => ['netns', 'del', name])]) {
      try {
        run('ip', ...words);
      } catch {
        // Never made, or gone.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
  // A cable from one to the other, with an address at each end.
  const cable = (from, to, network, ends) => {
    run('ip', 'link', 'add', ends[0], 'netns', space(from), 'type', 'veth', 'peer', 'name', ends[1], 'netns', space(to));
    [from, to].forEach((of, end) => {
      inside(of, 'ip', 'addr', 'add', `${network}.${end + 1}/24`, 'dev', ends[end]);
      inside(of, 'ip', 'link', 'set', ends[end], 'up');
    });
  };
  const router = (side, kind) => {
    const of = `router-${side}`;
    inside(of, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    const rules = [
      'add table ip way',
      'add chain ip way leaving { type nat hook postrouting priority 100; }',
      `add rule ip way leaving oifname wan ${MASQUERADE[kind]}`,
      'add chain ip way passing { type filter hook forward priority 0; policy drop; }',
      ...(dropsUdp ? ['add rule ip way passing meta l4proto udp drop'] : []),
      'add rule ip way passing iifname lan accept',
      'add rule ip way passing ct state established,related accept',
      // Else the router itself takes the port that somebody from outside knocks at, and looks symmetric when it is not.
      'add chain ip way coming { type filter hook input priority 0; }',
      'add rule ip way coming iifname wan ct state new drop',
    ];
    for (const rule of rules) inside(of, 'nft', rule);
  };
  try {
    for (const name of all) {
      run('ip', 'netns', 'add', name);
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    }
    inside('road', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    run('ip', 'link', 'add', ours, 'type', 'veth', 'peer', 'name', 'outer', 'netns', space('road'));
    run('ip', 'addr', 'add', `${address}/24`, 'dev', ours);
    run('ip', 'link', 'set', ours, 'up');
    inside('road', 'ip', 'addr', 'add', `10.216.${number}.2/24`, 'dev', 'outer');
    inside('road', 'ip', 'link', 'set', 'outer', 'up');
    SIDES.forEach((side, index) => {
      const [wan, lan] = [`10.${217 + index}.${number}`, `192.168.${217 + index}`];
      cable('road', `router-${side}`, wan, [`to-${side}`, 'wan']);
      cable(`router-${side}`, `home-${side}`, lan, ['lan', 'lan']);
      inside(`router-${side}`, 'ip', 'route', 'add', 'default', 'via', `${wan}.1`);
      inside(`home-${side}`, 'ip', 'route', 'add', 'default', 'via', `${lan}.1`);
      run('ip', 'route', 'add', `${wan}.0/24`, 'via', `10.216.${number}.2`, 'dev', ours);
      router(side, nats[index]);
    });
  } catch (error) {
    close();
    throw error;
  }
  return {
    address,
    close,
    executable: (side, path) => {
      const script = join(folder, `start-${side}`);
      writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${space(`home-${side}`)} ${path} "$@"\n`, { mode: 0o755 });
      return script;
    },
  };
};
