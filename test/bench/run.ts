/** `npm run bench`: drives the built broker and its peers by turns; docs/performance.md says how to read the table. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { CONTESTANTS, type Contestant, RunningServer } from './contestants.ts';
import { Generator } from './generator.ts';
import { replaceBetween } from './page.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { type Run, tableOf } from './table.ts';

const HELP = `Usage: npm run bench -- [options]

  --quick         five scenarios, one round: about a minute
  --rounds N      default 3, and 1 with --quick
  --scenario TEXT only those whose name has this text; may be repeated
  --json FILE     writes every raw result
  --write         puts the table into docs/performance.md
`;

/** Seconds after which no new round begins. */
const TIME_LIMIT_SECONDS = 420;
const PAGE = new URL('../../../docs/performance.md', import.meta.url);

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    scenario: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) process.stdout.write(HELP);
else await main();

async function main(): Promise<void> {
  const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3));
  const scenarios = SCENARIOS.filter(
    ({ name, quick }) =>
      (!flags.quick || quick) &&
      (flags.scenario.length === 0 || flags.scenario.some((text) => name.includes(text))),
  );
  const generator = Generator.create();
  const runs: Run[] = [];
  const start = Date.now();
  try {
    for (let round = 0; round < rounds; round += 1) {
      if (Date.now() - start > TIME_LIMIT_SECONDS * 1000) {
        note(`stopped after ${round} rounds: the time is up`);
        break;
      }
      // Who came first comes last in the next round, so that nobody always has the warmer or calmer machine.
      const order = round % 2 === 0 ? CONTESTANTS : CONTESTANTS.toReversed();
      for (const scenario of scenarios) {
        note(`round ${round + 1} of ${rounds}: ${scenario.name}`);
        for (const contestant of order) runs.push(await measure(generator, scenario, contestant, round));
      }
    }
  } finally {
    generator.close();
  }
  runs.sort((a, b) => rank(a) - rank(b));
  const table = `Node ${process.version}, generator ${generator.name}, ${rounds} rounds.\n\n${tableOf(runs)}`;
  process.stdout.write(`\n${table}\n`);
  if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(runs, null, 1));
  if (flags.write) writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'bench', table));
}

/** A fresh process for each run, so that none inherits another's garbage. */
async function measure(
  generator: Generator,
  scenario: Scenario,
  contestant: Contestant,
  round: number,
): Promise<Run> {
  const server = await RunningServer.start(contestant, await freePort());
  try {
    const result = await generator.run([
      ...['--port', String(server.port), '--pids', String(server.pid), '--drain', '10', '--warmup', '1'],
      ...contestant.dialect(scenario.options),
      ...scenario.options.split(' '),
    ]);
    if (result.error) note(`${contestant.name}: ${result.error}`);
    return { scenario, contestant: contestant.name, round, result };
  } finally {
    await server.stop();
  }
}

function rank({ contestant }: Run): number {
  return CONTESTANTS.findIndex(({ name }) => name === contestant);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
