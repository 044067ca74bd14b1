/** `npm run bench`: drives the built broker and its peers by turns; docs/performance.md says how to read the table. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { changesOf, saveBaseline } from './baseline.ts';
import { CONTESTANTS, type Contestant, parsePeer, RunningServer } from './contestants.ts';
import { Generator } from './generator.ts';
import { replaceBetween } from './page.ts';
import { faultOf, SCENARIOS, type Scenario } from './scenarios.ts';
import { type Run, tableOf } from './table.ts';

const HELP = `Usage: npm run bench -- [options]

  --quick         five scenarios, one round, and the change against the saved baseline: about two minutes
  --save          keeps the figures as the baseline of this machine
  --peer TEXT     one more server, as in 'name=soketi,port=6001,dialect=pusher :: soketi start';
                  dialects: pusher, centrifugo, socketio; {port} in the command is the port; may be repeated
  --only NAME     takes only this contestant and countersign; may be repeated
  --rounds N      default 2, and 1 with --quick
  --minutes N     after them no new round begins; default 10
  --scenario TEXT only those whose name has this text; may be repeated
  --json FILE     writes every raw result
  --write         puts the table into docs/performance.md
`;

const PAGE = new URL('../../../docs/performance.md', import.meta.url);
/** Seconds of load before the measured part, for the first run of a process and for one that is to be warm. */
const [WARMUP_SECONDS, WARM_WARMUP_SECONDS] = [1, 5];

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    peer: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    scenario: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) process.stdout.write(HELP);
else await main();

async function main(): Promise<void> {
  const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 2));
  const [ours, ...others] = [...CONTESTANTS, ...flags.peer.map(parsePeer)];
  const peers = others.filter(({ name }) => flags.only.length === 0 || flags.only.includes(name));
  const contestants = ours ? [ours, ...peers] : [];
  const scenarios = SCENARIOS.filter(
    ({ name, quick }) =>
      (!flags.quick || quick) &&
      (flags.scenario.length === 0 || flags.scenario.some((text) => name.includes(text))),
  );
  const generator = Generator.create();
  const runs: Run[] = [];
  const start = performance.now();
  let done = 0;
  try {
    for (; done < rounds; done += 1) {
      if (performance.now() - start > Number(flags.minutes) * 60_000) {
        note(`stopped after ${done} rounds: the time is up`);
        break;
      }
      // Who came first comes last in the next round, so that nobody always has the warmer or calmer machine.
      const order = done % 2 === 0 ? contestants : contestants.toReversed();
      for (const scenario of scenarios) {
        note(`round ${done + 1} of ${rounds}: ${scenario.name}`);
        for (const contestant of order) runs.push(...(await measure(generator, scenario, contestant, done)));
      }
    }
  } finally {
    generator.close();
  }
  const rank = ({ contestant }: Run) => contestants.findIndex(({ name }) => name === contestant);
  runs.sort((a, b) => rank(a) - rank(b));
  const heading = `Node ${process.version}, generator ${generator.name}, ${done} rounds.`;
  const table = `${heading}\n\n${tableOf(runs)}`;
  process.stdout.write(`\n${table}\n`);
  if (flags.quick) process.stdout.write(`\n${changesOf(runs)}\n`);
  if (flags.save) note(`saved as ${saveBaseline(runs)}`);
  if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(runs, null, 1));
  if (flags.write) writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'bench', table));
  if (runs.some(({ fault }) => fault !== undefined)) process.exitCode = 1;
}

/** A fresh process for each scenario, so that none inherits another's garbage. */
async function measure(
  generator: Generator,
  scenario: Scenario,
  contestant: Contestant,
  round: number,
): Promise<Run[]> {
  const runs: Run[] = [];
  const add = (state: Run['state'], outcome: Pick<Run, 'result' | 'fault'>) => {
    if (outcome.fault !== undefined) note(`${contestant.name}, ${scenario.name}: ${outcome.fault}`);
    runs.push({ scenario, contestant: contestant.name, round, state, ...outcome });
  };
  let server: RunningServer | undefined;
  try {
    server = await RunningServer.start(contestant);
    if (scenario.isColdToo) {
      add('cold', await load(generator, scenario, contestant, server, WARMUP_SECONDS));
      await server.settled();
      add('warm', await load(generator, scenario, contestant, server, WARM_WARMUP_SECONDS));
    } else {
      add('usual', await load(generator, scenario, contestant, server, WARMUP_SECONDS));
    }
  } catch (error) {
    // One contestant that fails does not cost the figures of all others.
    add(scenario.isColdToo ? 'warm' : 'usual', { result: {}, fault: String(error) });
  } finally {
    await server?.stop();
  }
  return runs;
}

async function load(
  generator: Generator,
  scenario: Scenario,
  contestant: Contestant,
  server: RunningServer,
  warmup: number,
): Promise<Pick<Run, 'result' | 'fault'>> {
  const result = await generator.run([
    ...['--port', String(server.port), '--pids', String(server.pid)],
    ...['--drain', '10', '--connect-timeout', '30', '--warmup', String(warmup)],
    ...contestant.dialect(scenario.options),
    ...scenario.options.split(' '),
  ]);
  return { result, fault: faultOf(result) };
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
