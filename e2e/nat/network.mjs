// A small internet out of network namespaces: a server, two who call, a router before each, and what lies between. Nothing of it
// touches this machine's own network.
//
//   alice ── alice-router ──┐
//                          net ── server-router ── server
//   bob ──── bob-router ────┘
import { openSpaces } from '../lib/netns.mjs';

const PLACES = ['net', 'server-router', 'server', 'alice-router', 'alice', 'bob-router', 'bob'];

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

const HIDING = ['restricted', 'symmetric', 'one-to-one'];

// What may pass a router, and how it is translated. Without the rule for `input`, connection tracking takes what comes early from the other side
// for a conversation of the router's own, gives the next packet out another port, and a port-restricted NAT looks symmetric.
const rules = ({ kind, pass }) => {
  if (kind === 'one-to-one') {
    const [[inner], [outer]] = [LINES[4]['server-router'].private, LINES[4]['server-router'].wan];
    return `table ip nat {
      chain pre { type nat hook prerouting priority -100; iifname "wan" dnat to ${inner}; }
      chain post { type nat hook postrouting priority 100; oifname "wan" snat to ${outer}; }
    }`;
  }
  const limits = { 'no-udp-in': 'iifname "wan" ct state new meta l4proto udp drop;', 'no-udp': 'meta l4proto udp drop;', 'only-443': 'ct state new meta l4proto != tcp drop; ct state new tcp dport != 443 drop;' };
  const translated = HIDING.includes(kind);
  const closed = kind === 'open' || kind === 'firewall-udp' ? '' : 'ct state established,related accept; iifname "wan" drop;';
  const nat = translated ? `table ip nat {
    chain post { type nat hook postrouting priority 100; oifname "wan" masquerade${kind === 'symmetric' ? ' fully-random' : ''}; }
  }` : '';
  return `table inet way {
    chain forward { type filter hook forward priority 0; ${limits[pass] ?? ''} ${closed} }
    chain input { type filter hook input priority 0; ${translated ? 'iifname "wan" ct state new drop;' : ''} }
  }
  ${nat}`;
};

// `clients`: one kind of router for both, or one for each (cells.mjs).
export const openNetwork = (cell) => {
  const family = cell.family ?? 4;
  const [alice, bob] = Array.isArray(cell.clients) ? cell.clients : [cell.clients, cell.clients];
  const routers = { 'server-router': { kind: cell.server ?? 'open', pass: cell.server === 'firewall-udp' ? 'no-udp-in' : 'all' }, 'alice-router': { kind: alice, pass: cell.pass }, 'bob-router': { kind: bob, pass: cell.pass } };
  const isHidden = (router) => HIDING.includes(routers[router].kind);
  const lan = (router) => LINES[family][router][isHidden(router) ? 'private' : 'open'];
  const address = (isHidden('server-router') ? LINES[family]['server-router'].wan : lan('server-router'))[0];
  const spaces = openSpaces(PLACES);

  const cable = (outer, outerName, inner, innerName, [own, gateway, length]) => {
    spaces.cable({ place: outer, device: outerName, addresses: [`${gateway}/${length}`] }, { place: inner, device: innerName, addresses: [`${own}/${length}`] });
    spaces.at(inner, 'route', 'add', 'default', 'via', gateway);
  };
  const connect = (router, inner, device) => {
    const { wan } = LINES[family][router];
    cable('net', device, router, 'wan', wan);
    cable(router, 'lan', inner, 'eth0', lan(router));
    if (!isHidden(router)) spaces.at('net', 'route', 'add', `${lan(router)[0]}/${family === 6 ? 128 : 32}`, 'via', wan[0]);
    if (router !== 'server-router' || isHidden(router) || routers[router].pass !== 'all') spaces.rules(router, rules(routers[router]));
  };

  try {
    for (const place of PLACES) {
      spaces.hosts(place, [`${address} ${DOMAIN}`]);
      if (place === 'net' || place.endsWith('-router')) spaces.forward(place);
    }
    connect('server-router', 'server', 'to-server');
    connect('alice-router', 'alice', 'to-alice');
    connect('bob-router', 'bob', 'to-bob');
  } catch (error) {
    spaces.close();
    throw new Error(`${cell.name}: ${error.stderr ?? ''}${error.message}`);
  }
  // Of somebody in between, as the server sees it.
  return { ...spaces, address, outside: LINES[family]['server-router'].wan[1] };
};
