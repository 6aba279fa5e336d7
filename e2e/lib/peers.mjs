// Participants on three SDKs with one face: the browser page, a Node process and a Python process.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { openChromium, openFirefox, sdkPage } from './browsers.mjs';
import { audioClip, videoClip } from './clips.mjs';

const HERE = import.meta.dirname;
const CALL_MS_MAX = 60_000;

const pythonPath = (environment = '.venv') => {
  const path = resolve(HERE, `../${environment}/bin/python`);
  if (!existsSync(path)) throw new Error('no Python environment: run e2e/setup.sh');
  return path;
};

const commands = {
  node: () => [process.execPath, [resolve(HERE, '../peers/node_peer.mjs')]],
  python: () => [pythonPath(), [resolve(HERE, '../peers/python_peer.py')]],
  // Programs of the doors for older programs; `environment` names one with older packages.
  spider: ({ environment }) => [pythonPath(environment), [resolve(HERE, '../peers/door_spider.py')]],
  many: () => [process.execPath, [resolve(HERE, '../peers/door_many.mjs')]],
  peers: () => [process.execPath, [resolve(HERE, '../peers/door_signalling.mjs')]],
  signalling: () => [pythonPath(), [resolve(HERE, '../peers/door_signalling.py')]],
  mesh: () => [pythonPath(), [resolve(HERE, '../peers/door_mesh.py')]],
  whip: () => [pythonPath(), [resolve(HERE, '../peers/door_whip.py')]],
  relay: () => [pythonPath(), [resolve(HERE, '../peers/turn_client.py')]],
  pythonApi: ({ server }) => [pythonPath(), [resolve(HERE, '../peers/python_api.py'), server.url, server.key, server.secret]],
};

// `within`: words to put before the command, for who is to run elsewhere. `env`: variables besides ours.
export class ProcessPeer {
  constructor(kind, traits = {}) {
    Object.assign(this, { kind, name: kind, identity: kind, ...traits });
    const [command, args] = commands[kind](traits);
    const [first, ...words] = [...(traits.within ?? []), command, ...args];
    this.child = spawn(first, words, { env: { ...process.env, ...traits.env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.calls = new Map();
    this.log = [];
    this.ended = new Promise((done) => this.child.once('exit', (code, signal) => done({ code, signal })));
    this.ended.then((how) => {
      for (const { failed } of this.calls.values()) failed(new Error(`the ${kind} peer ended (${JSON.stringify(how)}):\n${this.log.join('').slice(-3000)}`));
    });
    this.killAtExit = () => this.child.kill('SIGKILL');
    process.once('exit', this.killAtExit);
    this.child.stderr.on('data', (chunk) => this.log.push(String(chunk)));
    this.ready = new Promise((done, failed) => {
      this.calls.set('ready', { done, failed });
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        this.log.push(`${line}\n`);
        return;
      }
      const call = this.calls.get(message.ready ? 'ready' : message.id);
      this.calls.delete(message.ready ? 'ready' : message.id);
      if (message.error) call?.failed(new Error(`${kind}: ${message.error}`));
      else call?.done(message.ok);
    });
    this.last = 0;
  }

  async call(verb, args) {
    await this.ready;
    this.last += 1;
    const id = this.last;
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`${this.kind}: ${verb} took longer than ${CALL_MS_MAX} ms\n${this.log.join('').slice(-2000)}`)), CALL_MS_MAX);
      const settled = (work) => (value) => {
        clearTimeout(timer);
        work(value);
      };
      this.calls.set(id, { done: settled(done), failed: settled(failed) });
      this.child.stdin.write(`${JSON.stringify({ id, verb, args })}\n`);
    });
  }

  connect({ url, token, single }) {
    return this.call('connect', { url, token, single });
  }

  async publish({ width, height, fps }) {
    await this.call('publishMicrophone', { frequencyHz: this.frequencyHz });
    await this.call('publishCamera', { sender: this.sender, width, height, fps });
  }

  frames(identity, since) {
    return this.call('frames', { identity, since });
  }

  sent() {
    return this.call('sent', {});
  }

  hear(identity, frequencies, ms = 1500) {
    return this.call('hear', { identity, frequencies, ms });
  }

  sendData(text, reliable, to) {
    return this.call('sendData', { text, reliable, ...(to ? { to } : {}) });
  }

  sendText(text) {
    return this.call('sendText', { text });
  }

  rpc(to, method, payload) {
    return this.call('rpc', { to, method, payload });
  }

  simulate(scenario) {
    return this.call('simulate', { scenario });
  }

  received() {
    return this.call('received');
  }

  participants() {
    return this.call('participants');
  }

  leave() {
    return this.call('leave');
  }

  async close() {
    process.removeListener('exit', this.killAtExit);
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    await this.ended;
    clearTimeout(timer);
  }
}

class BrowserPeer {
  constructor(visitor, traits) {
    Object.assign(this, { kind: 'chromium', name: 'chromium', identity: 'chromium', visitor, ...traits });
    visitor.identity = this.identity;
  }

  async connect({ url, token, single, options, connectOptions }) {
    await this.visitor.goto(await sdkPage());
    return this.visitor.sdk('connect', { url, token, single, options, connectOptions });
  }

  async publish({ width, height, fps }) {
    await this.visitor.sdk('publishMicrophone');
    await this.visitor.sdk('publishCamera', { width, height, fps });
  }

  frames(identity, since) {
    return this.visitor.frames(identity, since);
  }

  sent() {
    return this.visitor.sent(this.identity);
  }

  hear(identity, frequencies, ms) {
    return this.visitor.hear(identity, frequencies, ms);
  }

  sendData(text, reliable, to) {
    return this.visitor.sdk('sendData', text, reliable, to);
  }

  sendText(text) {
    return this.visitor.sdk('sendText', text);
  }

  rpc(to, method, payload) {
    return this.visitor.sdk('rpc', to, method, payload);
  }

  simulate(scenario) {
    return this.visitor.sdk('simulate', scenario);
  }

  received() {
    return this.visitor.evaluate(() => window.sdk.received);
  }

  async participants() {
    return (await this.visitor.sdk('participants')).map(({ identity }) => identity);
  }

  leave() {
    return this.visitor.sdk('leave');
  }

  close() {
    return this.visitor.close();
  }
}

export const openPeer = async (kind, traits = {}, { width, height, fps, recordSignals } = {}) => {
  if (kind === 'firefox') {
    const visitor = await openFirefox({ name: kind, ...traits, width, height, fps, recordSignals });
    return new BrowserPeer(visitor, { kind, ...traits });
  }
  if (kind !== 'chromium') {
    const peer = new ProcessPeer(kind, traits);
    await peer.ready;
    return peer;
  }
  const visitor = await openChromium({ name: kind, ...traits, video: videoClip({ sender: traits.sender, width, height, fps }), audio: audioClip({ frequencyHz: traits.frequencyHz }), recordSignals });
  return new BrowserPeer(visitor, traits);
};
