import { Countersign, type CountersignOptions } from '@countersign/sdk-client';
import { expect, onTestFinished } from 'vitest';
import { DEADLINE_MS } from '../deadline.ts';
import type { FakeEndpoint } from './fake-endpoint.ts';

/** A client of a loopback endpoint that comes back fast, and is ended with the test. */
export function startClient(endpoint: FakeEndpoint, options: Partial<CountersignOptions> = {}): Countersign {
  const client = new Countersign('key-1', {
    host: '127.0.0.1',
    port: endpoint.port,
    forceTLS: false,
    reconnect: { minDelay: 1, maxDelay: 5 },
    ...options,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

/** Anything that can be bound to, whatever its events are. */
interface Source {
  on(name: never, listener: never): () => void;
  bind_global(listener: (event: string, data: unknown) => void): unknown;
}

/** The data of the next event of this name. */
export function nextEvent<Data = unknown>(source: Source, name: string): Promise<Data> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`No ${name} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    const heard = (data: Data): void => {
      clearTimeout(timer);
      undo();
      resolve(data);
    };
    const undo = source.on(name as never, heard as never);
  });
}

/** Every event of a source from now on, in order. */
export function recorded(source: Source): { event: string; data: unknown }[] {
  const events: { event: string; data: unknown }[] = [];
  source.bind_global((event, data) => events.push({ event, data }));
  return events;
}

/** Expects of something that becomes true, at the latest at the deadline. */
export const eventually = <Value>(look: () => Value) => expect.poll(look);
