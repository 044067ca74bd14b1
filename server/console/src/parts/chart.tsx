import type { FunctionComponent } from 'preact';
import { HEIGHT, Plot, shareOf, type TimeSpan, WIDTH } from './plot.tsx';
import { topOf } from './scale.ts';

export { ChartGroup } from './plot.tsx';

/** A value at one moment, in Unix milliseconds. */
export interface ChartPoint {
  readonly at: number;
  readonly value: number;
}

interface ChartProps extends TimeSpan {
  /** What the values are, for those who cannot see the chart. */
  readonly name: string;
  /** The oldest first. Those outside of the shown time are left out. */
  readonly points: readonly ChartPoint[];
  /** Milliseconds between two points above which the line is broken: nothing is known of the time between them. */
  readonly gapMs: number;
  readonly print: (value: number) => string;
  /** The lowest top of the scale, so that a change from 0 to 1 looks small. @default 5 */
  readonly least?: number;
}

/** A line over time. */
export const Chart: FunctionComponent<ChartProps> = ({ points: all, gapMs, print, least = 5, ...plot }) => {
  const points = all.filter(({ at }) => at >= plot.from && at <= plot.to);
  const top = topOf(Math.max(0, ...points.map(({ value }) => value)), least);
  const x = (at: number) => (shareOf(at, plot) * WIDTH).toFixed(1);
  const y = (value: number) => ((1 - value / top) * HEIGHT).toFixed(1);
  const told = points.map(({ at, value }) => ({ at, told: print(value), height: value / top }));
  return (
    <Plot {...plot} points={told} nearMs={gapMs} top={print(top)}>
      {runsOf(points, gapMs).map((run) => {
        const line = run.map(({ at, value }) => `${x(at)},${y(value)}`).join(' ');
        const [first, end] = [x(run[0]!.at), x(run.at(-1)!.at)];
        return [
          <polygon key={`area ${first}`} points={`${first},${HEIGHT} ${line} ${end},${HEIGHT}`} />,
          <polyline
            key={`line ${first}`}
            class={run.length === 1 ? 'alone' : undefined}
            points={run.length === 1 ? `${line} ${line}` : line}
          />,
        ];
      })}
    </Plot>
  );
};

/** The parts of a line between its gaps. */
function runsOf(points: readonly ChartPoint[], gapMs: number): readonly (readonly ChartPoint[])[] {
  const runs: ChartPoint[][] = [];
  for (const point of points) {
    const before = runs.at(-1)?.at(-1);
    if (before && point.at - before.at <= gapMs) runs.at(-1)?.push(point);
    else runs.push([point]);
  }
  return runs;
}
