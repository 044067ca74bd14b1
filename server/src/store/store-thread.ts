/** The thread that has the data directory open, so that nothing else waits for its disk. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteRepository } from '../data/app-repository.ts';
import { Database, DataError } from '../data/database.ts';
import { SqliteHistoryStore } from '../data/history-store.ts';
import { SqliteKeyUses } from '../data/key-use-store.ts';
import { SqliteRevocationStore } from '../data/revocation-store.ts';
import { SqliteUsage } from '../usage/sqlite-usage.ts';
import { SqliteOutbox } from '../webhooks/outbox/sqlite/outbox.ts';
import type { Item, Opening, Question, Questions, Said, StoreCalls, ThreadData } from './calls.ts';

const port = parentPort;
if (!port) throw new Error('This is the entry of a thread');
const { directory, bounds, now: startedAt }: ThreadData = workerData;
/** The clock of the caller. */
let now = startedAt;

let said: Item[] = [];

/** Adds news to the message of this turn of the event loop. */
function say(outbox: SqliteOutbox, item: Item): void {
  if (said.length === 0) {
    setImmediate(() => {
      const items = said;
      said = [];
      port?.postMessage({ amounts: outbox.takeChanged(), items } satisfies Said);
    });
  }
  said.push(item);
}

function open(): { outbox: SqliteOutbox; calls: StoreCalls } {
  const database = new Database(directory);
  const outbox = new SqliteOutbox({ database, now: () => now, ...bounds });
  const revocations = new SqliteRevocationStore(database, () => now);
  const keyUses = new SqliteKeyUses(database, () => now);
  const repository = new SqliteRepository(database);
  const usage = new SqliteUsage(database);
  const history = new SqliteHistoryStore(database, () => now);
  outbox.attach({
    appended: (...news) => say(outbox, { news: ['appended', ...news] }),
    overflowed: (...news) => say(outbox, { news: ['overflowed', ...news] }),
    dropped: (...news) => say(outbox, { news: ['dropped', ...news] }),
    reopened: () => {},
  });
  port?.postMessage({
    opened: {
      told: outbox.told(),
      states: outbox.states,
      amounts: outbox.takeChanged(),
      revocations: revocations.load(),
      historyRun: history.run(),
    },
  } satisfies Opening);
  const { deliveries } = outbox;
  const forgetApp = (appId: string): void => {
    outbox.forgetApp(appId);
    revocations.forgetApp(appId);
    keyUses.forgetApp(appId);
    history.forgetApp(appId);
  };
  const calls: StoreCalls = {
    append: (changes) => outbox.append(changes),
    events: (...of) => outbox.events(...of),
    setState: (...to) => outbox.setState(...to),
    sweep: (...what) => outbox.sweep(...what),
    lanes: (hook) => deliveries.lanes(hook),
    head: (...of) => deliveries.head(...of),
    acknowledge: (delivery) => deliveries.acknowledge(delivery),
    fail: (...what) => deliveries.fail(...what),
    park: (...what) => deliveries.park(...what),
    list: (...what) => deliveries.list(...what),
    retry: (...what) => deliveries.retry(...what),
    skip: (...what) => deliveries.skip(...what),
    documents: async () => repository.changes(),
    writeDocuments: async (change) =>
      outbox.write(() => {
        const version = repository.write(change);
        if (version !== undefined) for (const appId of change.forget ?? []) forgetApp(appId);
        return version;
      }),
    keptAnswer: async (...of) => repository.answer(...of),
    adminEntries: async (...of) => repository.entries(...of),
    beginUsage: (node) => outbox.write(() => usage.begin(node)),
    addUsage: (batch) => outbox.write(() => usage.add(batch)),
    usageRows: async (query) => usage.rows(query),
    warnOfQuota: (...of) => outbox.write(() => usage.warn(...of)),
    takeUsagePush: (start) => outbox.write(() => usage.takePush(start)),
    usagePushed: (row) => outbox.write(() => usage.pushed(row)),
    usedByApps: async (...of) => usage.used(...of),
    historyChannels: async () => history.channels(),
    historyPage: async (after) => history.page(after),
    historyNotes: async (after) => history.notes(after),
    saveHistory: (...what) => outbox.write(() => history.save(...what)),
    forgetHistory: (appId) => outbox.write(() => history.forgetApp(appId)),
    forgetApp: (appId) => outbox.write(() => forgetApp(appId)),
    saveRevocation: (revocation) => outbox.write(() => revocations.save(revocation)),
    addKeyUses: (...what) => outbox.write(() => keyUses.add(...what)),
    keyUses: async (appId) => keyUses.of(appId),
    forgetRevocation: (...of) => outbox.write(() => revocations.forget(...of)),
    async close() {
      await outbox.close();
      database.close();
      // The thread ends once its answers are sent.
      port?.unref();
    },
  };
  return { outbox, calls };
}

try {
  const { outbox, calls } = open();
  const serve = async ({ id, call, args }: Question): Promise<void> => {
    try {
      const value: unknown = await Reflect.apply(calls[call], calls, args);
      say(outbox, { answer: id, value });
    } catch (error) {
      say(outbox, { refusal: id, message: messageOf(error) });
    }
  };
  port.on('message', ({ now: asked, questions }: Questions) => {
    now = asked;
    for (const question of questions) void serve(question);
  });
} catch (error) {
  const failed = { message: messageOf(error), isDataError: error instanceof DataError };
  port.postMessage({ failed } satisfies Opening);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
