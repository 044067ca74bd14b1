/** Clients whose errors nobody listens to, and what the developer then reads in the console. */
import { Countersign, type CountersignOptions } from '@countersign/sdk-client';
import { onTestFinished, vi } from 'vitest';
import { APP } from '../brokers/server.ts';
import { eventually } from './client-start.ts';

/** What is written to the console from now on, one text a call. */
export function consoleLines(method: 'warn' | 'log' | 'error' = 'warn'): string[] {
  const lines: string[] = [];
  const spy = vi
    .spyOn(console, method)
    .mockImplementation((...texts) => lines.push(texts.map(String).join(' ')));
  onTestFinished(() => spy.mockRestore());
  return lines;
}

/** The first line, once it is there. */
export async function firstOf(lines: readonly string[]): Promise<string> {
  await eventually(() => lines.length).toBeGreaterThan(0);
  return lines[0] ?? '';
}

/** A client that nobody listens to. */
export function startUnheard(
  port: number,
  options: Partial<CountersignOptions> = {},
  key: string = APP.key,
): Countersign {
  const client = new Countersign(key, {
    host: '127.0.0.1',
    port,
    forceTLS: false,
    reconnect: { minDelay: 1, maxDelay: 5 },
    ...options,
  });
  onTestFinished(() => client.disconnect());
  return client;
}
