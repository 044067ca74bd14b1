import type { FunctionComponent } from 'preact';

const WIDTH = 96;
const HEIGHT = 24;

/** A line without axes beside a number. Its words are for those who cannot see it. */
export const Sparkline: FunctionComponent<{ values: readonly number[]; label: string }> = ({
  values,
  label,
}) => {
  const top = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const line = values
    .map(
      (value, index) =>
        `${(index * step).toFixed(1)},${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`,
    )
    .join(' ');
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <polyline points={line} />
    </svg>
  );
};
