/** The figures of an earlier run on this machine, and what has changed since. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, hostname } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FIGURES } from './scenarios.ts';
import { mediansOf, OURS, type Run, rowsOf } from './table.ts';

const FILE = fileURLToPath(new URL('../../../node_modules/.cache/countersign-bench.json', import.meta.url));
/** What a drift of the whole machine changes as well. */
const YARDSTICK = 'bare';

interface Baseline {
  readonly machine: string;
  readonly savedAt: string;
  /** By row of the table and contestant. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const machine = () => `${hostname()}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}, Node ${process.version}`;

/** @returns the file that it is in */
export function saveBaseline(runs: readonly Run[]): string {
  const baseline: Baseline = {
    machine: machine(),
    savedAt: new Date().toISOString(),
    figures: figuresOf(runs),
  };
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(baseline, null, 1));
  return FILE;
}

/** A Markdown table: each first figure then and now, and the change of its ratio to a server that never changes. */
export function changesOf(runs: readonly Run[]): string {
  const baseline = readBaseline();
  if (baseline === undefined)
    return 'No baseline of this machine yet: `npm run bench -- --quick --save` keeps one.';
  const now = figuresOf(runs);
  const rows = Object.entries(now).map(([row, figures]) => {
    const before = new Map(Object.entries(baseline.figures)).get(row) ?? {};
    const change = relative(figures[OURS], before[OURS]);
    const paired = relative(
      relative(figures[OURS], figures[YARDSTICK]),
      relative(before[OURS], before[YARDSTICK]),
    );
    return [row, number(before[OURS]), number(figures[OURS]), percent(change), percent(paired)];
  });
  return [
    [
      'figure',
      `baseline of ${baseline.savedAt.slice(0, 16)}Z`,
      'now',
      'change',
      `change against ${YARDSTICK}`,
    ],
    ['---', '---', '---', '---', '---'],
    ...rows,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function figuresOf(runs: readonly Run[]): Record<string, Record<string, number>> {
  return Object.fromEntries(
    rowsOf(runs).map(({ scenario, state, title }) => {
      const name = scenario.figures[0]!;
      const medians = mediansOf(runs, scenario, state, FIGURES[name].read);
      return [`${title}, ${FIGURES[name].title}`, Object.fromEntries(medians)];
    }),
  );
}

function readBaseline(): Baseline | undefined {
  try {
    const baseline = JSON.parse(readFileSync(FILE, 'utf8')) as Baseline;
    return baseline.machine === machine() ? baseline : undefined;
  } catch {
    return undefined;
  }
}

function relative(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || !base ? undefined : value / base;
}

const number = (value: number | undefined) =>
  value === undefined ? '-' : String(Number(value.toPrecision(3)));

function percent(ratio: number | undefined): string {
  if (ratio === undefined) return '-';
  const change = Math.round((ratio - 1) * 100);
  return `${change > 0 ? '+' : ''}${change} %`;
}
