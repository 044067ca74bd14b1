/** The listening socket that systemd, or whoever starts the process like it, hands over (sd_listen_fds). */
import { type AddressInfo, Socket } from 'node:net';
import { ConfigError } from '../config/error.ts';

/** The first descriptor behind the standard streams. */
const FIRST_FD = 3;

/** It outlives the process, so that no connection is refused while another process begins. */
export interface InheritedSocket {
  readonly fd: number;
  /** Where it listens, whatever the configuration says. */
  readonly host: string;
  readonly port: number;
}

/**
 * Takes what the environment says of it out of there, so that no other process believes that it was meant.
 *
 * @returns `undefined` if this process was handed none
 * @throws ConfigError if it was handed something else
 */
export function takeInheritedSocket(env: NodeJS.ProcessEnv, pid: number): InheritedSocket | undefined {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (count === undefined || count === '0' || forPid !== String(pid)) return undefined;
  if (count !== '1') throw wrong(`LISTEN_FDS: got ${JSON.stringify(count)}, expected 1`);
  const { address, port } = addressOf(FIRST_FD);
  return { fd: FIRST_FD, host: address, port };
}

function addressOf(fd: number): AddressInfo {
  try {
    // Never read, and never closed, for the server is to have the descriptor.
    const address = new Socket({ fd, readable: false, writable: false }).address();
    if ('port' in address) return address;
  } catch {}
  throw wrong(`LISTEN_FDS: descriptor ${fd} is something else, expected a TCP socket that listens`);
}

function wrong(problem: string): ConfigError {
  return new ConfigError('the environment', [problem]);
}
