import type { Adapter } from '../adapter/adapter.ts';
import { topicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import type { HistoryRule } from '../apps/history-rule.ts';
import type { HistoryEvent } from '../history/history.ts';

/** What a channel keeps of its events. */
export interface ChannelHistory {
  /** `null`: the channel has no history. */
  readonly rule: HistoryRule | null;
  /** That of the newest event; `null` without a history. */
  readonly position: string | null;
  /** The last events, the newest first. */
  readonly events: readonly KeptEvent[];
}

export interface KeptEvent extends Pick<HistoryEvent, 'position' | 'name' | 'data' | 'userId' | 'atMs'> {
  /** Bytes of the data, all of it. */
  readonly bytes: number;
}

/** Events of one answer, and the characters of the data of each. */
const MAX_EVENTS = 50;
const MAX_DATA = 2000;
/** Bytes of all that is read for one answer. */
const MAX_BYTES = 4_194_304;
const NONE: ChannelHistory = { rule: null, position: null, events: [] };

/** Shows the end of a channel's history. */
export async function showHistory(adapter: Adapter, app: App, name: string): Promise<ChannelHistory> {
  const rule = app.historyOf(name);
  if (!rule) return NONE;
  const page = await adapter.history.read(topicOf(app.id, name), {
    last: MAX_EVENTS,
    limit: MAX_EVENTS,
    bytes: MAX_BYTES,
  });
  // Nothing can be lost without a position to begin after.
  if (typeof page === 'string') return NONE;
  return { rule, position: page.position, events: page.events.map(keptEvent).reverse() };
}

function keptEvent({ position, name, data, userId, atMs }: HistoryEvent): KeptEvent {
  const shown = data.length > MAX_DATA ? `${data.slice(0, MAX_DATA)}…` : data;
  return { position, name, data: shown, userId, atMs, bytes: Buffer.byteLength(data) };
}
