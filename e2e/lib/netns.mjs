// A network of its own for a browser: a namespace that reaches this machine by one cable, on which the test decides what passes. Needs root.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (...words) => execFileSync(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });

// For node:test's `skip`.
export const skipWithoutNamespaces = () => {
  if (process.getuid?.() !== 0) return 'needs root, for a network of its own';
  try {
    run('ip', 'netns', 'list');
    run('nft', '--version');
    return false;
  } catch {
    return 'needs `ip` and `nft`';
  }
};

// `address` is this machine's on the cable. `executable` starts a program of the given path in the namespace.
export const openNetwork = () => {
  const number = 16 + (process.pid % 200);
  const [name, ours, theirs] = [`madang-e2e-${process.pid}`, `mdg${process.pid}`, `mdp${process.pid}`];
  const address = `10.213.${number}.1`;
  const folder = mkdtempSync(join(tmpdir(), 'madang-netns-'));
  const inside = (...words) => run('ip', 'netns', 'exec', name, ...words);
  const close = () => {
    try {
      run('ip', 'netns', 'del', name);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  run('ip', 'netns', 'add', name);
  try {
    run('ip', 'link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs, 'netns', name);
    run('ip', 'addr', 'add', `${address}/24`, 'dev', ours);
    run('ip', 'link', 'set', ours, 'up');
    inside('ip', 'link', 'set', 'lo', 'up');
    inside('ip', 'addr', 'add', `10.213.${number}.2/24`, 'dev', theirs);
    inside('ip', 'link', 'set', theirs, 'up');
    inside('ip', 'route', 'add', 'default', 'via', address);
    inside('nft', 'add table inet way; add chain inet way out { type filter hook output priority 0; }');
  } catch (error) {
    close();
    throw error;
  }
  return {
    address,
    close,
    executable: (path) => {
      const script = join(folder, 'start');
      writeFileSync(script, `#!/bin/sh\nexec ip netns exec ${name} ${path} "$@"\n`, { mode: 0o755 });
      return script;
    },
    // What leaves the namespace over UDP is dropped, or not any more.
    dropUdp: (isDropped) => inside('nft', isDropped ? 'add rule inet way out meta l4proto udp drop' : 'flush chain inet way out'),
  };
};
