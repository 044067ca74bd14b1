/** Charts over time, with a scale and the value under the pointer. */
import { type ComponentChildren, createContext, type FunctionComponent } from 'preact';
import { useContext, useState } from 'preact/hooks';
import { momentOf } from './format.ts';
import { topOf } from './scale.ts';

/** A value at one moment, in Unix milliseconds. */
export interface ChartPoint {
  readonly at: number;
  readonly value: number;
}

interface ChartProps {
  /** What the values are, for those who cannot see the chart. */
  readonly name: string;
  /** The oldest first. Those before `from` are left out. */
  readonly points: readonly ChartPoint[];
  /** The shown time, in Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  /** Milliseconds between two points above which the line is broken: nothing is known of the time between them. */
  readonly gapMs: number;
  readonly print: (value: number) => string;
  /** The lowest top of the scale, so that a change from 0 to 1 looks small. @default 5 */
  readonly least?: number;
}

interface Pointer {
  /** Unix milliseconds under the pointer. */
  readonly at: number | undefined;
  readonly move: (at: number | undefined) => void;
}

/** In the units of the drawing, which is stretched to its place. */
const WIDTH = 1000;
const HEIGHT = 100;
/** From here on, the value stands left of the pointer. */
const TURN = 0.6;

const PointerContext = createContext<Pointer | undefined>(undefined);

/** Charts of the same time: the pointer over one of them shows the values of all at that moment. */
export const ChartGroup: FunctionComponent<{ children: ComponentChildren }> = ({ children }) => {
  const [at, move] = useState<number>();
  return <PointerContext.Provider value={{ at, move }}>{children}</PointerContext.Provider>;
};

/**
 * A line over time above its scale. The pointer, or the arrow keys, go from point to point; each point is told in words, too.
 */
export const Chart: FunctionComponent<ChartProps> = ({
  name,
  points: all,
  from,
  to,
  gapMs,
  print,
  least = 5,
}) => {
  const [own, moveOwn] = useState<number>();
  const pointer = useContext(PointerContext) ?? { at: own, move: moveOwn };
  const points = all.filter(({ at }) => at >= from && at <= to);
  const top = topOf(Math.max(0, ...points.map(({ value }) => value)), least);
  const xOf = (at: number) => (at - from) / Math.max(to - from, 1);
  const yOf = (value: number) => 1 - value / top;
  const shown = pointer.at === undefined ? undefined : nearest(points, pointer.at, gapMs);
  const last = points.at(-1);
  const step = (by: number) => {
    const index = shown ? points.indexOf(shown) : points.length - (by < 0 ? 0 : 1);
    pointer.move(points[Math.min(Math.max(index + by, 0), points.length - 1)]?.at);
  };
  return (
    <div
      class="chart"
      role="slider"
      tabIndex={0}
      aria-label={`${name} over time`}
      aria-valuemin={0}
      aria-valuemax={Math.max(points.length - 1, 0)}
      aria-valuenow={shown ? points.indexOf(shown) : Math.max(points.length - 1, 0)}
      aria-valuetext={wordsOf(shown ?? last, print)}
      onPointerMove={(event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect();
        pointer.move(from + ((event.clientX - left) / width) * (to - from));
      }}
      onPointerLeave={() => pointer.move(undefined)}
      onBlur={() => pointer.move(undefined)}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        step(by);
      }}
    >
      <div class="plot" aria-hidden="true">
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {[0, 0.5, 1].map((y) => (
            <line key={y} class="grid" x1="0" x2={WIDTH} y1={y * HEIGHT} y2={y * HEIGHT} />
          ))}
          {runsOf(points, gapMs).map((run) => {
            const line = run
              .map(({ at, value }) => `${(xOf(at) * WIDTH).toFixed(1)},${(yOf(value) * HEIGHT).toFixed(1)}`)
              .join(' ');
            const [first, end] = [run[0]!, run.at(-1)!].map(({ at }) => (xOf(at) * WIDTH).toFixed(1));
            return [
              <polygon key={`area ${first}`} points={`${first},${HEIGHT} ${line} ${end},${HEIGHT}`} />,
              <polyline key={`line ${first}`} points={run.length === 1 ? `${line} ${line}` : line} />,
            ];
          })}
        </svg>
        <span class="most">{print(top)}</span>
        {shown && (
          <>
            <span class="hair" style={{ left: percent(xOf(shown.at)) }} />
            <span class="spot" style={{ left: percent(xOf(shown.at)), top: percent(yOf(shown.value)) }} />
            <span
              class={xOf(shown.at) > TURN ? 'told before' : 'told'}
              style={{ left: percent(xOf(shown.at)) }}
            >
              <strong>{print(shown.value)}</strong> {momentOf(shown.at)}
            </span>
          </>
        )}
      </div>
      <div class="times" aria-hidden="true">
        <span>{labelOf(from, to)}</span>
        <span>{labelOf(to, from)}</span>
      </div>
    </div>
  );
};

/** The point at a moment, if one is near. */
function nearest(points: readonly ChartPoint[], at: number, gapMs: number): ChartPoint | undefined {
  let best: ChartPoint | undefined;
  for (const point of points) {
    if (!best || Math.abs(point.at - at) < Math.abs(best.at - at)) best = point;
  }
  return best && Math.abs(best.at - at) <= gapMs ? best : undefined;
}

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

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const DAY_MS = 86_400_000;

/** An end of the scale: the time of day, or the day if there are several. */
function labelOf(at: number, other: number): string {
  return Math.abs(at - other) > 2 * DAY_MS ? day.format(at) : clock.format(at);
}

function wordsOf(point: ChartPoint | undefined, print: ChartProps['print']): string {
  return point ? `${print(point.value)} at ${momentOf(point.at)}` : 'nothing is known yet';
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
