/** `npm run bench:neighbours`: what a quiet app notices while another one on the same broker does all that it may. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { APPS, HOST } from './apps.js';
import { allowed, measure, quantile, WAYS } from './measure.js';

const CLI = fileURLToPath(new URL('../../../server/dist/cli/main.js', import.meta.url));
const EXTENT = { rounds: 5, publishes: 40, subscribers: 5000 };
const CLOCKS = /** @type {const} */ (['wall', 'cpu']);

/** @param {(typeof WAYS)[number]} way */
async function measureBroker(way) {
  const child = spawn(process.execPath, ['--max-semi-space-size=4', CLI, 'start', '--port', '0'], {
    env: { PATH: process.env['PATH'], COUNTERSIGN_APPS: JSON.stringify(APPS), COUNTERSIGN_HOST: HOST },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error('The broker has ended')));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const entry = JSON.parse(line);
        if (entry.msg === 'listening') resolve(entry.port);
      });
    });
    return await measure({ port, pid: child.pid ?? 0 }, way, EXTENT);
  } finally {
    child.removeAllListeners('exit').kill('SIGKILL');
    await once(child, 'close');
  }
}

console.log(`Node ${process.version}, milliseconds from a publish to its last of 5 deliveries.\n`);
console.log('| the other app | clock | alone: p50, p99 | beside it: p50, p99 | p99 at most |  |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const way of WAYS) {
  const { alone, beside } = await measureBroker(way);
  for (const clock of CLOCKS) {
    const [before, after] = [alone[clock], beside[clock]].map((times) =>
      [0.5, 0.99].map((share) => quantile(times, share).toFixed(1)).join(', '),
    );
    const most = allowed(alone[clock]);
    const isFair = quantile(beside[clock], 0.99) <= most;
    if (clock === 'cpu' && !isFair) process.exitCode = 1;
    console.log(
      `| ${way} | ${clock} | ${before} | ${after} | ${most.toFixed(1)} | ${isFair ? 'fair' : 'not fair'} |`,
    );
  }
}
