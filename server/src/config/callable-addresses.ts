import type { Config } from './config.ts';
import { isLoopback } from './loopback.ts';

/**
 * Which addresses of customers the broker calls. A broker on loopback with no proxy in front is for trying things out,
 * and the customer's servers are there too.
 */
export function callableAddresses({ webhookAddresses, host, trustProxy }: Config): 'public' | 'any' {
  return webhookAddresses ?? (isLoopback(host) && trustProxy === false ? 'any' : 'public');
}
