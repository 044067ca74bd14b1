import { onTestFinished } from 'vitest';
import { FileAppStore } from '#server/apps/file-store';
import { parseConfig } from '#server/config/load';
import { Metrics } from '#server/metrics';
import { OutboundClient } from '#server/outbound/http-client';
import { Dispatcher } from '#server/webhooks/delivery/dispatcher';
import { newEvent } from '#server/webhooks/event';
import { HealthBook } from '#server/webhooks/health/health';
import { MemoryOutbox } from '#server/webhooks/outbox/memory/outbox';
import { Overflow } from '#server/webhooks/outbox/overflow';
import { BOUNDS } from '../../contracts/outbox.contract.ts';
import { recordLog } from '../log.ts';
import { ok, type Reply, type WebhookReceiver } from './receiver.ts';
import { APP } from './server.ts';

export interface Settings {
  /** Of all hooks. */
  readonly hook?: object;
  readonly addresses?: 'public' | 'any';
  readonly retryMs?: number;
  readonly timeoutMs?: number;
  readonly maxPending?: number;
  /** Of 0 every wait is as short as chance makes it. */
  readonly random?: () => number;
  /** Apps beside the usual one, which all have the same hooks. */
  readonly others?: readonly { readonly id: string; readonly key: string; readonly secret: string }[];
}

/** A dispatcher with a hook for each URL, named `hook-0`, `hook-1` and so on. */
export function start(urls: readonly string[], settings: Settings = {}) {
  const { hook = {}, addresses = 'any', retryMs = 60_000, timeoutMs = 300, maxPending = 1000 } = settings;
  const { random = () => 0, others = [] } = settings;
  const webhooks = urls.map((url, n) => ({ id: `hook-${n}`, url, events: ['cache_miss'], ...hook }));
  const { apps: list } = parseConfig({
    apps: [APP, ...others].map(({ id, key, secret }) => ({ id, keys: [{ key, secret }], webhooks })),
  });
  const apps = new FileAppStore(list);
  const { hooks } = apps.byId(APP.id)!;
  const outbox = new MemoryOutbox({ ...BOUNDS, now: Date.now, maxPending });
  const { log, lines } = recordLog();
  const metrics = new Metrics();
  const dispatcher = new Dispatcher({
    apps,
    outbox,
    transport: new OutboundClient({ addresses, timeoutMs, now: Date.now }),
    metrics,
    health: new HealthBook(Date.now),
    log,
    now: Date.now,
    wallClock: Date.now,
    random,
    retryMs,
  });
  onTestFinished(() => dispatcher.close());
  outbox.attach(new Overflow({ metrics, log, next: dispatcher }));
  dispatcher.update([...apps.all()].flatMap((app) => app.hooks));
  const tellHooksOf = (app: { readonly id: string }, ...channels: string[]) =>
    outbox.append(
      channels.map((channel) => ({
        appId: app.id,
        lane: channel,
        hooks: apps.byId(app.id)!.hooks,
        event: newEvent(Date.now(), 'cache_miss', channel),
      })),
    );
  return {
    dispatcher,
    outbox,
    lines,
    metrics: metrics.app(APP.id),
    hook: (n = 0) => hooks[n]!,
    /** Tells all hooks of the app of one event in each of the channels. */
    tell: (...channels: string[]) => tellHooksOf(APP, ...channels),
    tellHooksOf,
    list: (state: 'pending' | 'failing' | 'dead', n = 0) =>
      outbox.deliveries.list(hooks[n]!.key, state, 0, 1000),
    waiting: () => {
      const { pending, failing } = outbox.deliveries.counts(hooks[0]!.key);
      return pending + failing;
    },
  };
}

/** Answers the first requests like this, and the others well. */
export function first(count: number, reply: Reply): Reply {
  let left = count;
  return (response, posted) => {
    left -= 1;
    if (left >= 0) reply(response, posted);
    else ok(response, posted);
  };
}

export async function settled(receiver: WebhookReceiver, count: number): Promise<string[]> {
  const channels: string[] = [];
  while (channels.length < count) channels.push((await receiver.nextEvent()).channel ?? '');
  return channels;
}
