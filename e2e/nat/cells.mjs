// The cells of the matrix: what stands between the two who call and the server, and what is the least that a call between them must cost there.

// Ways from cheap to dear: nobody between, then whoever passes it on, over what the browser reaches it by.
export const WAYS = ['udp', 'tcp', 'turn udp', 'turn tcp', 'turn tls'];

// clients: how the router of each translates (`open`: not at all, and lets everything in; `restricted`: one port for all whom it sends to,
// answers from them alone; `symmetric`: another port for each). pass: what may leave: `all`, no `udp`, or port `443` over TCP alone.
// server: in the `open`, or behind a router that translates one address to one and lets through what comes for it.
export const CELLS = [
  { name: 'open', what: 'nothing in the way', clients: 'open', pass: 'all' },
  { name: 'restricted', what: 'port-restricted NAT before each', clients: 'restricted', pass: 'all' },
  { name: 'symmetric', what: 'symmetric NAT before each', clients: 'symmetric', pass: 'all' },
  { name: 'no-udp', what: 'symmetric NAT before each, UDP is dropped', clients: 'symmetric', pass: 'no-udp' },
  { name: 'only-443', what: 'symmetric NAT before each, only 443/tcp passes', clients: 'symmetric', pass: 'only-443' },
  { name: 'ipv6', what: 'IPv6 only, firewalls that let answers in', clients: 'firewall', pass: 'all', family: 6 },
  { name: 'one-to-one', what: 'the server behind 1:1 NAT, port-restricted NAT before each', clients: 'restricted', pass: 'all', server: 'one-to-one' },
];

// The cheapest way that the network of a cell allows at all. The server takes media over TCP without a relay, a browser listens for nothing.
export const cheapest = ({ clients, pass }, { between }) => {
  if (pass !== 'all' && between === 'the server') return 'tcp';
  if (pass === 'only-443') return 'turn tls';
  if (pass === 'no-udp') return 'turn tcp';
  return between === 'each other' && clients === 'symmetric' ? 'turn udp' : 'udp';
};
