import type { Config } from '../../config/config.ts';
import { openFilesLimit } from './open-files.ts';

/** Bounds of the open sockets of a process. */
export interface SocketBounds {
  /** All sockets. The remaining descriptors are for files, Redis and receivers of webhooks. */
  readonly sockets: number;
  /** WebSockets. The remaining sockets are for the HTTP API and for health checks. */
  readonly connections: number;
  /** WebSockets of one address, and as many of its other sockets. */
  readonly perAddress: number;
  /** Whether that applies to loopback as well, from which a proxy on the same machine connects. */
  readonly limitsLoopback: boolean;
}

/** @param descriptors the number that the process may have open; Infinity if the system does not say */
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

/** A sixteenth, at least `least` and at most 1024. */
function share(descriptors: number, least: number): number {
  return Number.isFinite(descriptors) ? Math.min(1024, Math.max(least, Math.floor(descriptors / 16))) : 0;
}
