import { Countersign, type CountersignOptions } from '@countersign/sdk-client';
import { onTestFinished } from 'vitest';
import type { FakeEndpoint } from './fake-endpoint.ts';

const DEADLINE = 5_000;

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

interface Bindable {
  bind(name: string, listener: (data: never) => void): unknown;
  unbind(name: string, listener: (data: never) => void): unknown;
}

/** The data of the next event of this name. */
export function nextEvent<Data = unknown>(source: Bindable, name: string): Promise<Data> {
  return new Promise((resolve, reject) => {
    const listener = (data: Data): void => {
      clearTimeout(timer);
      source.unbind(name, listener as (data: never) => void);
      resolve(data);
    };
    const timer = setTimeout(() => reject(new Error(`No ${name} within ${DEADLINE} ms`)), DEADLINE);
    source.bind(name, listener as (data: never) => void);
  });
}

/** Every event of a source from now on, in order. */
export function recorded(source: {
  bind_global(listener: (event: string, data: unknown) => void): unknown;
}): { event: string; data: unknown }[] {
  const events: { event: string; data: unknown }[] = [];
  source.bind_global((event, data) => events.push({ event, data }));
  return events;
}
