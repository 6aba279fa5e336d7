// A laboratory: a machine `host`, a router `way`, and everybody else, `out`.
//
//   host (eth0) ── lan [way] wan ── eth0 (out)
//
// Without `nat` host has a public address. With it, host is behind address translation: `plain` keeps ports, `fully-random` gives
// each destination another one.
import { strict as assert } from 'node:assert';
import { openSpaces, skipWithoutNamespaces } from './netns.mjs';

export const OUT = ['198.51.100.9', '198.51.100.10'];
export const WAY = '198.51.100.1';

// What is missing is said, and fails the test.
export const assertPossible = () => assert.equal(skipWithoutNamespaces(), false);

export const openLab = ({ nat, forwardPort } = {}) => {
  assertPossible();
  const [host, way, out] = ['host', 'way', 'out'];
  const lan = nat ? '10.0.0' : '203.0.113';
  const address = `${lan}.5`;
  const spaces = openSpaces([host, way, out]);
  try {
    spaces.cable({ place: host, device: 'eth0', addresses: [`${address}/24`] }, { place: way, device: 'lan', addresses: [`${lan}.1/24`] });
    spaces.cable({ place: out, device: 'eth0', addresses: OUT.map((each) => `${each}/24`) }, { place: way, device: 'wan', addresses: [`${WAY}/24`] });
    spaces.at(host, 'route', 'add', 'default', 'via', `${lan}.1`);
    if (!nat) spaces.at(out, 'route', 'add', `${lan}.0/24`, 'via', WAY);
    spaces.forward(way);
    const rules = ['table ip lab {', 'chain forward { type filter hook forward priority 0; }'];
    if (nat) {
      // Without this a packet that comes in unasked claims the tuple, and a plain NAT looks symmetric.
      rules.push('chain input { type filter hook input priority 0; iifname "wan" ct state new drop; }');
      rules.push(`chain out { type nat hook postrouting priority 100; oifname "wan" masquerade ${nat === 'plain' ? '' : nat}; }`);
      if (forwardPort) rules.push(`chain in { type nat hook prerouting priority -100; iifname "wan" udp dport ${forwardPort} dnat to ${address}; }`);
    }
    rules.push('}');
    spaces.rules(way, rules.join('\n'));
  } catch (error) {
    spaces.close();
    throw error;
  }
  return {
    ...spaces,
    host,
    way,
    out,
    address,
    // A rule of the router, until the returned function is called.
    rule: (text) => {
      spaces.rules(way, `add rule ip lab forward ${text}`);
      return () => spaces.rules(way, 'flush chain ip lab forward');
    },
  };
};
