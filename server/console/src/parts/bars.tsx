import type { FunctionComponent } from 'preact';
import { count } from './format.ts';
import { HEIGHT, Plot, shareOf, type TimeSpan, WIDTH } from './plot.tsx';
import { topOf } from './scale.ts';

/** What went well and what failed in one step of time, which begins at `at`. */
export interface Bar {
  readonly at: number;
  readonly good: number;
  readonly bad: number;
}

interface BarsProps extends TimeSpan {
  readonly name: string;
  /** The oldest first. */
  readonly bars: readonly Bar[];
  readonly stepMs: number;
}

/** A bar for each step of time, the failures on top. */
export const Bars: FunctionComponent<BarsProps> = ({ bars, stepMs, ...plot }) => {
  const top = topOf(Math.max(0, ...bars.map(({ good, bad }) => good + bad)), 5);
  const width = (stepMs / (plot.to - plot.from)) * WIDTH;
  const points = bars.map(({ at, good, bad }) => ({
    at: at + stepMs / 2,
    told: `${count(good)} delivered, ${count(bad)} failed`,
  }));
  return (
    <Plot {...plot} points={points} nearMs={stepMs / 2} top={count(top)}>
      {bars.map(({ at, good, bad }) => {
        const [x, goodHeight, badHeight] = [shareOf(at, plot) * WIDTH, good / top, bad / top];
        return [
          <rect
            key={`good ${at}`}
            class="good"
            x={x + width * 0.1}
            width={width * 0.8}
            y={(1 - goodHeight) * HEIGHT}
            height={goodHeight * HEIGHT}
          />,
          <rect
            key={`bad ${at}`}
            class="bad"
            x={x + width * 0.1}
            width={width * 0.8}
            y={(1 - goodHeight - badHeight) * HEIGHT}
            height={badHeight * HEIGHT}
          />,
        ];
      })}
    </Plot>
  );
};
