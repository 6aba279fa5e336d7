// The program's own clients: `madang publish` and `madang subscribe`.
import { spawn } from 'node:child_process';
import { binary } from './server.mjs';

const environment = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MADANG_')));

export class Program {
  constructor(args, { env = {} } = {}) {
    this.args = args;
    this.out = '';
    this.err = '';
    this.child = spawn(binary(), args, { env: { ...environment(), ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (chunk) => {
      this.out += chunk;
    });
    this.child.stderr.on('data', (chunk) => {
      this.err += chunk;
    });
    this.ended = new Promise((done) => this.child.once('close', (code, signal) => done({ code, signal })));
    this.killAtExit = () => this.child.kill('SIGKILL');
    process.once('exit', this.killAtExit);
    this.ended.then(() => process.removeListener('exit', this.killAtExit));
  }

  lines() {
    return this.out.split('\n').slice(0, -1);
  }

  // How often standard error has said so.
  count(text) {
    return this.err.split(text).length - 1;
  }

  say(line) {
    this.child.stdin.write(`${line}\n`);
  }

  async stop(signal = 'SIGINT') {
    if (this.child.exitCode === null) this.child.kill(signal);
    return this.ended;
  }
}

// To the end.
export const run = async (args, options) => {
  const program = new Program(args, options);
  program.child.stdin.end();
  const how = await program.ended;
  return { ...how, out: program.out, err: program.err };
};
