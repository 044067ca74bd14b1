import { FIGURES, type Result, type Scenario } from './scenarios.ts';

/** Whose figures all others are compared with. */
export const OURS = 'countersign';

/** One run of one scenario against one contestant. */
export interface Run {
  readonly scenario: Scenario;
  readonly contestant: string;
  readonly round: number;
  /** `cold`: the first load of a process; `warm`: one after it; `usual`: the only one. */
  readonly state: 'cold' | 'warm' | 'usual';
  readonly result: Result;
  /** Why the result does not count. */
  readonly fault: string | undefined;
}

/** What one row of the table is about; a scenario has one for each state. */
interface Row {
  readonly scenario: Scenario;
  readonly state: Run['state'];
  readonly title: string;
}

type Read = (result: Result) => number | undefined;

/** A Markdown table of medians. Behind each peer's figure stands how many times ours it is, as median of all rounds. */
export function tableOf(runs: readonly Run[]): string {
  const contestants = [...new Set(runs.map(({ contestant }) => contestant))];
  const rows = rowsOf(runs).flatMap(({ scenario, state, title }) =>
    scenario.figures.map((name, index) => {
      const { title: figure, read } = FIGURES[name];
      const medians = mediansOf(runs, scenario, state, read);
      const base = valuesOf(runs, scenario, state, OURS, read);
      const cells = contestants.map((contestant) => {
        const value = medians.get(contestant);
        if (value === undefined) return 'failed';
        if (contestant === OURS) return format(value);
        const values = valuesOf(runs, scenario, state, contestant, read);
        const ratio = median([...values].map(([round, other]) => divide(other, base.get(round))));
        return ratio === undefined ? format(value) : `${format(value)} (${ratio.toFixed(2)} x)`;
      });
      return [index === 0 ? title : '', figure, ...cells];
    }),
  );
  const failed = contestants.map((contestant) => {
    const here = runs.filter((run) => run.contestant === contestant);
    return `${here.filter(({ fault }) => fault !== undefined).length} of ${here.length}`;
  });
  return [
    ['scenario', 'figure', ...contestants],
    ['---', '---', ...contestants.map(() => '---')],
    ...rows,
    ['all of the above', 'runs that failed', ...failed],
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** What stands in the first column, in the order of the runs. */
export function rowsOf(runs: readonly Run[]): readonly Row[] {
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario))];
  return scenarios.flatMap((scenario): readonly Row[] =>
    scenario.isColdToo
      ? [
          { scenario, state: 'warm', title: `${scenario.name}, warm` },
          { scenario, state: 'cold', title: `${scenario.name}, first after a start` },
        ]
      : [{ scenario, state: 'usual', title: scenario.name }],
  );
}

/** By contestant; one whose runs have all failed is missing. */
export function mediansOf(
  runs: readonly Run[],
  scenario: Scenario,
  state: Run['state'],
  read: Read,
): ReadonlyMap<string, number> {
  const medians = new Map<string, number>();
  for (const contestant of new Set(runs.map((run) => run.contestant))) {
    const value = median([...valuesOf(runs, scenario, state, contestant, read).values()]);
    if (value !== undefined) medians.set(contestant, value);
  }
  return medians;
}

/** By round. */
function valuesOf(
  runs: readonly Run[],
  scenario: Scenario,
  state: Run['state'],
  contestant: string,
  read: Read,
): ReadonlyMap<number, number> {
  const values = new Map<number, number>();
  for (const run of runs) {
    if (run.scenario !== scenario || run.state !== state || run.contestant !== contestant) continue;
    const value = run.fault === undefined ? read(run.result) : undefined;
    if (value !== undefined) values.set(run.round, value);
  }
  return values;
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

function divide(value: number, base: number | undefined): number | undefined {
  return base ? value / base : undefined;
}

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
