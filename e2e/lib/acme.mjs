// A certificate authority on this machine: pebble, Let's Encrypt's own server for tests, and a name service that knows one address.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { eventually } from './measure.mjs';
import { freeTcpPort } from './server.mjs';

const get = (url) =>
  new Promise((done, failed) => {
    const asked = request(url, { rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.once('end', () => done(text));
    });
    asked.once('error', failed);
    asked.end();
  });

// The authority's own certificate is no authority's: whoever trusts it trusts this one server.
const OPENSSL = `[req]
distinguished_name = name
x509_extensions = own
prompt = no
[name]
CN = pebble
[own]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
`;

const run = (command, args, env = {}) => {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => log.push(String(chunk)));
  const exited = new Promise((done) => child.once('exit', done));
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
    process.removeListener('exit', killAtExit);
  };
  return { log, stop };
};

// Names lead to 127.0.0.1, where the authority asks `httpPort` and `tlsPort`.
export const startAuthority = async ({ folder, httpPort, tlsPort, validSeconds = 86_400, env = {}, ports }) => {
  const [port, managementPort] = ports ?? [await freeTcpPort(), await freeTcpPort()];
  const [dnsPort, dnsManagementPort] = [await freeTcpPort(), await freeTcpPort()];
  const ca = join(folder, 'pebble-cert.pem');
  const key = join(folder, 'pebble-key.pem');
  if (!ports) {
    writeFileSync(join(folder, 'openssl.cnf'), OPENSSL);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-config', join(folder, 'openssl.cnf'), '-keyout', key, '-out', ca], { stdio: 'pipe' });
  }
  const config = join(folder, 'pebble.json');
  writeFileSync(
    config,
    JSON.stringify({
      pebble: { listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${managementPort}`, certificate: ca, privateKey: key, httpPort, tlsPort, ocspResponderURL: '', externalAccountBindingRequired: false, certificateValidityPeriod: validSeconds },
    }),
  );
  const names = run('pebble-challtestsrv', ['-dns01', `127.0.0.1:${dnsPort}`, '-http01', '', '-https01', '', '-tlsalpn01', '', '-management', `127.0.0.1:${dnsManagementPort}`, '-defaultIPv4', '127.0.0.1', '-defaultIPv6', '']);
  const pebble = run('pebble', ['-strict', '-config', config, '-dnsserver', `127.0.0.1:${dnsPort}`], { PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0', ...env });
  const root = await eventually('pebble answers', () => get(`https://127.0.0.1:${managementPort}/roots/0`).catch(() => false), { ms: 10_000 });
  const stop = async () => {
    await pebble.stop();
    await names.stop();
  };
  return { directory: `https://127.0.0.1:${port}/dir`, ca, root, log: pebble.log, ports: [port, managementPort], stop };
};
