/**
 * `npm run bench:grants`: what it costs that grants end. 100,000 grants live in one process, each is announced and renewed,
 * and then all end within some seconds. Figures of the room `access/` alone: no sockets, no adapter.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Term } from '../../server/dist/access/term.js';
import { replaceBetween } from './page.ts';

const access = new URL('../../../server/dist/access/', import.meta.url);
const { DeadlineQueue } = (await import(
  new URL('deadline-queue.js', access).href
)) as typeof import('../../server/dist/access/deadline-queue.js');
const terms = (await import(
  new URL('term.js', access).href
)) as typeof import('../../server/dist/access/term.js');
const PAGE = new URL('../../../docs/performance.md', import.meta.url);

const GRANTS = 100_000;
/** Seconds for which grants are signed by default. */
const LIFE_SECONDS = 900;
/** Seconds in which the grants of the run end. */
const END_WITHIN = 10;

let latest = 0;
let ended = 0;
let done = (): void => {};

class BenchTerm extends terms.Term {
  protected override readonly socketId: string;
  protected override readonly isAnnounced = true;
  protected override readonly reconnects = false;
  protected override readonly renewal = undefined;

  constructor(life: ConstructorParameters<typeof terms.Term>[0], socketId: string) {
    super(life);
    this.socketId = socketId;
  }

  override stop(): void {}
  override close(): void {}
  protected override announce(): void {}
  protected override askBackend(): void {}
  protected override reconnect(): void {}
  protected override end(): void {
    latest = Math.max(latest, performance.now() - this.endsAt);
    ended += 1;
    if (ended === GRANTS) done();
  }
}

const socketIds = Array.from({ length: GRANTS }, (_, n) => `${n}.${n * 7919}`);
const queue = new DeadlineQueue(() => performance.now());

function begin(lifeMs: (n: number) => number): Term[] {
  const startedAt = Math.floor(performance.now());
  return socketIds.map((socketId, n) => {
    const endsAt = startedAt + Math.floor(lifeMs(n));
    const term = new BenchTerm({ startedAt, endsAt, expiresAt: Math.ceil(endsAt / 1000) }, socketId);
    queue.set(term, term.nextMoment);
    return term;
  });
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const before = heapUsed();
const long = begin(() => LIFE_SECONDS * 1000);
const bytes = Math.round((heapUsed() - before) / GRANTS);

// What one life costs: its announcement, and the renewal in place of it.
const cpuBefore = process.cpuUsage();
const now = performance.now() + LIFE_SECONDS * 1000 * 0.86;
for (const term of long) {
  queue.delete(term);
  const next = term.meet(now);
  if (next !== undefined) queue.set(term, next);
  term.cancel();
  queue.delete(term);
}
begin(() => LIFE_SECONDS * 1000).forEach((term) => {
  queue.delete(term);
});
const { user, system } = process.cpuUsage(cpuBefore);
const microsecondsEach = (user + system) / GRANTS;
const share = (microsecondsEach * GRANTS) / (LIFE_SECONDS * 0.8 * 1e6);

const allEnded = new Promise<void>((resolve) => {
  done = resolve;
});
const running = process.cpuUsage();
begin((n) => 2000 + (n / GRANTS) * END_WITHIN * 1000);
// The timer of the queue lets the process end.
const alive = setInterval(() => {}, 1000);
await allEnded;
clearInterval(alive);
const cost = process.cpuUsage(running);

const text = `Node ${process.version}, ${GRANTS.toLocaleString('en')} grants in one process.

| figure | |
| --- | --- |
| bytes of a grant's end | ${bytes} |
| CPU us for a life (announced, renewed) | ${microsecondsEach.toFixed(1)} |
| share of a core, lives of ${LIFE_SECONDS / 60} minutes | ${(share * 100).toFixed(2)} % |
| all announced and ended within ${END_WITHIN} seconds: share of a core | ${((cost.user + cost.system) / ((END_WITHIN + 2) * 1e4)).toFixed(1)} % |
| the latest end, ms | ${latest.toFixed(0)} |`;
console.log(text);
if (process.argv.includes('--write')) {
  writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'grants', text));
}
