import { Countersign, type CountersignOptions } from '@countersign/sdk-server';
import type { DevApp } from './app.ts';

/** The server SDK as a customer would use it, with what one of them may have got wrong. */
export function countersignAt(
  { id, key, secret }: DevApp,
  port?: number,
  wrong: Pick<CountersignOptions, 'now'> & { readonly secret?: string } = {},
): Countersign {
  return new Countersign({
    appId: id,
    key,
    secret,
    host: '127.0.0.1',
    useTLS: false,
    // Only when asked is the port known, since port 0 takes a free one.
    ...(port !== undefined && { port }),
    ...wrong,
  });
}
