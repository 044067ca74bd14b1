import { useCallback, useMemo } from 'preact/hooks';
import { useAnswer } from '../../data/use-answer.ts';
import { admin } from './admin-api.ts';
import type { AppView, LiveStats } from './wire.ts';

/** Minutes of a sparkline. */
export const SPARK_MINUTES = 40;
const LIVE_MS = 2000;
const SPARK_MS = 30_000;
const MINUTE_MS = 60_000;

export interface AppFigures {
  readonly live: ReadonlyMap<string, LiveStats>;
  /** Delivered messages of each minute, the newest last. */
  readonly minutes: ReadonlyMap<string, readonly number[]>;
}

const NOTHING: AppFigures = { live: new Map(), minutes: new Map() };

/** What happens in the apps of a page now, and in the last minutes. */
export function useAppFigures(apps: readonly AppView[] | undefined): AppFigures {
  const ids = (apps ?? []).map(({ id }) => id).join(',');
  const askLive = useCallback(
    async () =>
      ids === '' ? NOTHING.live : new Map((await admin.liveStats(ids)).map((each) => [each.id, each])),
    [ids],
  );
  const askMinutes = useCallback(
    () => (ids === '' ? Promise.resolve(NOTHING.minutes) : minutesOf(ids)),
    [ids],
  );
  const { value: live = NOTHING.live } = useAnswer(askLive, LIVE_MS);
  const { value: minutes = NOTHING.minutes } = useAnswer(askMinutes, SPARK_MS);
  return useMemo(() => ({ live, minutes }), [live, minutes]);
}

async function minutesOf(ids: string): Promise<ReadonlyMap<string, readonly number[]>> {
  // The minute that is under way has not all its messages yet.
  const end = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const start = end - SPARK_MINUTES * MINUTE_MS;
  const { rows } = await admin.usage(undefined, {
    apps: ids,
    unit: 'minute',
    from: new Date(start).toISOString(),
    to: new Date(end).toISOString(),
    limit: '1000',
  });
  const minutes = new Map(ids.split(',').map((id) => [id, new Array<number>(SPARK_MINUTES).fill(0)]));
  for (const { app, from, messages_delivered: delivered } of rows) {
    const values = minutes.get(app);
    if (values) values[(Date.parse(from) - start) / MINUTE_MS] = delivered;
  }
  return minutes;
}
