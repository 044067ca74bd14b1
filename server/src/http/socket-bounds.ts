import type { Config } from '../config/config.ts';
import { openFilesLimit } from './open-files.ts';

/** How many sockets a process may have open, and for what. */
export interface SocketBounds {
  /** All of them. What is left of the descriptors is for files, Redis and receivers of webhooks. */
  readonly sockets: number;
  /** WebSockets. What is left of the sockets is for the HTTP API and for health checks. */
  readonly connections: number;
  /** WebSockets of one address, and as many sockets of it that are none. */
  readonly perAddress: number;
  /** Whether that holds for the loopback too, which is where a proxy on the same machine comes from. */
  readonly limitsLoopback: boolean;
}

/** @param descriptors that the process may have open; Infinity where the system does not say */
export function socketBounds(
  { maxConnections, connectionsPerAddress }: Pick<Config, 'maxConnections' | 'connectionsPerAddress'>,
  descriptors = openFilesLimit()?.soft ?? Number.POSITIVE_INFINITY,
): SocketBounds {
  const sockets = Math.max(32, descriptors - share(descriptors, 64));
  const room = Math.max(16, sockets - share(descriptors, 32));
  const connections = Math.min(maxConnections ?? room, room);
  const perAddress =
    connectionsPerAddress === undefined ? Math.max(16, Math.floor(connections / 4)) : connectionsPerAddress;
  return {
    sockets,
    connections,
    perAddress: perAddress ?? Number.POSITIVE_INFINITY,
    limitsLoopback: connectionsPerAddress !== undefined,
  };
}

/** A sixteenth, but at least `least` and at most 1024. */
function share(descriptors: number, least: number): number {
  return Number.isFinite(descriptors) ? Math.min(1024, Math.max(least, Math.floor(descriptors / 16))) : 0;
}
