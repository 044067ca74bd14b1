import { FIGURES, type Result, type Scenario } from './scenarios.ts';

/** One run of one scenario against one contestant. */
export interface Run {
  readonly scenario: Scenario;
  readonly contestant: string;
  readonly round: number;
  readonly result: Result;
}

/** A Markdown table of medians. Behind each peer's figure stands how many times ours it is, as median of all rounds. */
export function tableOf(runs: readonly Run[]): string {
  const contestants = [...new Set(runs.map(({ contestant }) => contestant))];
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario))];
  const [ours = ''] = contestants;
  const rows = scenarios.flatMap((scenario) =>
    scenario.figures.map((name, index) => {
      const { title, read } = FIGURES[name];
      const valuesOf = (contestant: string) =>
        runs
          .filter((run) => run.scenario === scenario && run.contestant === contestant)
          .map(({ round, result }) => [round, read(result)] as const);
      const base = new Map(valuesOf(ours));
      const cells = contestants.map((contestant) => {
        const values = valuesOf(contestant);
        const figure = format(median(values.map(([, value]) => value)));
        if (contestant === ours) return figure;
        const ratio = median(values.map(([round, value]) => divide(value, base.get(round))));
        return ratio === undefined ? figure : `${figure} (${ratio.toFixed(2)} x)`;
      });
      return [index === 0 ? scenario.name : '', title, ...cells];
    }),
  );
  const faults = contestants.map((contestant) => {
    const results = runs.filter((run) => run.contestant === contestant).map(({ result }) => result);
    const sum = (read: (result: Result) => number | undefined) =>
      results.reduce((total, result) => total + (read(result) ?? 0), 0);
    return `${sum(({ lost }) => lost)} and ${sum(({ out_of_order: count }) => count)}`;
  });
  return [
    ['scenario', 'figure', ...contestants],
    ['---', '---', ...contestants.map(() => '---')],
    ...rows,
    ['all of the above', 'lost and out of order', ...faults],
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

function divide(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || !base ? undefined : value / base;
}

function format(value: number | undefined): string {
  if (value === undefined) return '-';
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
