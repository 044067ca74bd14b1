import type { HistoryStore, Note, SavedChannel } from '../history/durable.ts';
import type { DataThread } from './data-thread.ts';

/** Bytes of one event while it waits for the thread, beside its texts, about. */
const EVENT_BYTES = 200;

/** Histories in the data file, for those who are not in the thread that has it open. */
export class StoreHistory implements HistoryStore {
  run = '';
  readonly #thread: () => DataThread;

  constructor(thread: () => DataThread) {
    this.#thread = thread;
  }

  channels(): ReturnType<HistoryStore['channels']> {
    return this.#thread().ask('historyChannels', []);
  }

  page(after: number): ReturnType<HistoryStore['page']> {
    return this.#thread().ask('historyPage', [after]);
  }

  notes(after: number): ReturnType<HistoryStore['notes']> {
    return this.#thread().ask('historyNotes', [after]);
  }

  save(channels: readonly SavedChannel[], notes: readonly Note[]): Promise<void> {
    const events = channels.reduce((sum, { rows }) => {
      return sum + EVENT_BYTES + rows.reduce((all, { data }) => all + EVENT_BYTES + data.length, 0);
    }, 0);
    const bytes = notes.reduce((sum, { body = '' }) => sum + EVENT_BYTES + body.length, events);
    return this.#thread().ask('saveHistory', [channels, notes], bytes);
  }

  forgetApp(appId: string): Promise<void> {
    return this.#thread().ask('forgetHistory', [appId]);
  }
}
