import type { ComponentChildren, FunctionComponent } from 'preact';
import { useCallback } from 'preact/hooks';
import { useAnswer } from '../../data/use-answer.ts';
import { Chart } from '../../parts/chart.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Failure } from '../../parts/failure.tsx';
import { exportOf } from '../data/admin-api.ts';
import { askUsage, FIELDS, RANGES, type Range, spanOf, type UsageAnswer } from '../data/usage.ts';
import type { UsageField } from '../data/wire.ts';

const REFRESH_MS = 30_000;
const FORMATS = { csv: 'CSV', ndjson: 'NDJSON', cloudevents: 'CloudEvents' } as const;

/** What is shown, and of which time. */
export interface Chosen {
  readonly range: Range;
  readonly field: UsageField;
}

/** What an address says. */
export function readChosen(query: URLSearchParams): Chosen {
  const range = (Object.keys(RANGES) as Range[]).find((each) => each === query.get('range')) ?? 'day';
  const fields = Object.keys(FIELDS) as UsageField[];
  return { range, field: fields.find((each) => each === query.get('by')) ?? 'messages_delivered' };
}

interface UsagePanelProps {
  /** `undefined`: all apps together. */
  readonly app?: string;
  readonly chosen: Chosen;
  readonly onChoose: (chosen: Chosen) => void;
  /** What stands below the chart. */
  readonly children?: (answer: UsageAnswer) => ComponentChildren;
}

/** Usage over time, as a chart and as files. */
export const UsagePanel: FunctionComponent<UsagePanelProps> = ({ app, chosen, onChoose, children }) => {
  const { range, field } = chosen;
  const question = useCallback(() => askUsage(app, range, field), [app, range, field]);
  const { value, failure } = useAnswer(question, REFRESH_MS);
  const { unit, stepMs } = RANGES[range];
  const { title, print } = FIELDS[field];
  const isPeak = field.endsWith('_peak');
  const total =
    value && (isPeak ? Math.max(...valuesOf(value)) : valuesOf(value).reduce((sum, each) => sum + each, 0));
  return (
    <>
      <section class={failure ? 'panel stale' : 'panel'} aria-label={title}>
        <div class="tools">
          {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot scroll sideways */}
          <div class="chips" role="group" aria-label="Time">
            {(Object.keys(RANGES) as Range[]).map((each) => (
              <button
                key={each}
                type="button"
                class="plain"
                aria-pressed={each === range}
                onClick={() => onChoose({ ...chosen, range: each })}
              >
                {RANGES[each].title}
              </button>
            ))}
          </div>
          <label class="inline end">
            <span class="unseen">What</span>
            <select
              value={field}
              onChange={(event) => onChoose({ ...chosen, field: event.currentTarget.value as UsageField })}
            >
              {Object.entries(FIELDS).map(([name, { title }]) => (
                <option key={name} value={name}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        </div>
        <Failure failure={failure} />
        {value && total !== undefined && (
          <>
            <p class="figure">
              {print(total)}
              <small>
                {title}, by {unit}
                {isPeak && app === undefined && '; the sum of the peaks of the apps'}
              </small>
            </p>
            <div class="tall">
              <Chart
                name={title}
                from={value.from}
                to={value.to}
                points={value.points}
                gapMs={2 * stepMs}
                print={print}
              />
            </div>
            {value.isEmpty && (
              <Empty title="Nothing was used in this time">
                Numbers are here some ten seconds after a client has connected or an event was published.
              </Empty>
            )}
            {value.isIncomplete && (
              <p class="notice">
                A node died in this time: up to ten seconds of what it counted are missing.
              </p>
            )}
          </>
        )}
        <p class="actions">
          <span class="quiet">
            Export {app === undefined ? 'all apps' : 'this app'}, by {unit}:
          </span>
          {Object.entries(FORMATS).map(([format, name]) => (
            <a
              key={format}
              class="button plain"
              download={`usage-${range}.${format === 'csv' ? 'csv' : format === 'ndjson' ? 'ndjson' : 'json'}`}
              href={exportOf(app, {
                unit,
                format,
                from: new Date(spanOf(range, Date.now()).from).toISOString(),
              })}
            >
              {name}
            </a>
          ))}
        </p>
      </section>
      {value && children?.(value)}
    </>
  );
};

function valuesOf({ points }: UsageAnswer): readonly number[] {
  return points.map(({ value }) => value);
}
