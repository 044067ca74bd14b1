import type { FunctionComponent } from 'preact';
import { POINTS } from '../data/series.ts';

const WIDTH = 240;
const HEIGHT = 44;

/** A small line over the last two minutes, the newest point at the right. The number beside it tells screen readers the same. */
export const Chart: FunctionComponent<{ values: readonly number[] }> = ({ values }) => {
  const top = Math.max(1, ...values);
  const step = WIDTH / (POINTS - 1);
  const start = WIDTH - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const x = start + index * step;
    const y = HEIGHT - 1 - (value / top) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const line = points.join(' ');
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <polyline class="base" points={`0,${HEIGHT - 0.5} ${WIDTH},${HEIGHT - 0.5}`} />
      {points.length > 1 && (
        <>
          <polygon points={`${start.toFixed(1)},${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
          <polyline points={line} />
        </>
      )}
    </svg>
  );
};
