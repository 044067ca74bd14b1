/** The frame of a drawing over time: a scale, and the point under the pointer. */
import { type ComponentChildren, createContext, type FunctionComponent } from 'preact';
import { useContext, useState } from 'preact/hooks';
import { momentOf } from './format.ts';

/** The time that a drawing shows, in Unix milliseconds. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

/** One point of a drawing, in words. */
export interface PlotPoint {
  /** Unix milliseconds. */
  readonly at: number;
  readonly told: string;
  /** Its height, from 0 to 1, if it is a point of a line. */
  readonly height?: number;
}

interface PlotProps extends TimeSpan {
  /** What is drawn, for those who cannot see it. */
  readonly name: string;
  /** The oldest first. */
  readonly points: readonly PlotPoint[];
  /** Milliseconds from a point within which it is the one under the pointer. */
  readonly nearMs: number;
  /** What the top of the scale stands for. */
  readonly top: string;
  /** The drawing, {@link WIDTH} wide and {@link HEIGHT} high. */
  readonly children: ComponentChildren;
}

interface Pointer {
  /** Unix milliseconds under the pointer. */
  readonly at: number | undefined;
  readonly move: (at: number | undefined) => void;
}

/** In the units of the drawing, which is stretched to its place. */
export const WIDTH = 1000;
export const HEIGHT = 100;
/** From here on, the words stand left of the pointer. */
const TURN = 0.6;

const PointerContext = createContext<Pointer | undefined>(undefined);

/** Drawings of the same time: the pointer over one of them shows the points of all at that moment. */
export const ChartGroup: FunctionComponent<{ children: ComponentChildren }> = ({ children }) => {
  const [at, move] = useState<number>();
  return <PointerContext.Provider value={{ at, move }}>{children}</PointerContext.Provider>;
};

/** The place of a moment, from 0 to 1. */
export function shareOf(at: number, { from, to }: TimeSpan): number {
  return (at - from) / Math.max(to - from, 1);
}

/** The pointer, or the arrow keys, go from point to point; each point is told in words, too. */
export const Plot: FunctionComponent<PlotProps> = ({ name, points, nearMs, top, from, to, children }) => {
  const [own, moveOwn] = useState<number>();
  const pointer = useContext(PointerContext) ?? { at: own, move: moveOwn };
  const shown = pointer.at === undefined ? undefined : nearest(points, pointer.at, nearMs);
  const last = Math.max(points.length - 1, 0);
  const index = shown ? points.indexOf(shown) : last;
  const x = shown && shareOf(shown.at, { from, to });
  return (
    <div
      class="chart"
      role="slider"
      tabIndex={0}
      aria-label={`${name} over time`}
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={index}
      aria-valuetext={wordsOf(points[index])}
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
        const next = shown ? index + by : last;
        pointer.move(points[Math.min(Math.max(next, 0), last)]?.at);
      }}
    >
      <div class="plot" aria-hidden="true">
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {[0, 0.5, 1].map((y) => (
            <line key={y} class="grid" x1="0" x2={WIDTH} y1={y * HEIGHT} y2={y * HEIGHT} />
          ))}
          {children}
        </svg>
        <span class="most">{top}</span>
        {shown && x !== undefined && (
          <>
            <span class="hair" style={{ left: percent(x) }} />
            {shown.height !== undefined && (
              <span class="spot" style={{ left: percent(x), top: percent(1 - shown.height) }} />
            )}
            <span class={x > TURN ? 'told before' : 'told'} style={{ left: percent(x) }}>
              <strong>{shown.told}</strong> {momentOf(shown.at)}
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

function nearest(points: readonly PlotPoint[], at: number, nearMs: number): PlotPoint | undefined {
  let best: PlotPoint | undefined;
  for (const point of points) {
    if (!best || Math.abs(point.at - at) < Math.abs(best.at - at)) best = point;
  }
  return best && Math.abs(best.at - at) <= nearMs ? best : undefined;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const HALF_DAY_MS = 43_200_000;

/** An end of the scale: the time of day, with the day if both ends are of several, or the day alone. */
function labelOf(at: number, other: number): string {
  const spanMs = Math.abs(at - other);
  if (spanMs < HALF_DAY_MS) return clock.format(at);
  return spanMs > 4 * HALF_DAY_MS ? day.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

function wordsOf(point: PlotPoint | undefined): string {
  return point ? `${point.told} at ${momentOf(point.at)}` : 'nothing is known yet';
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
