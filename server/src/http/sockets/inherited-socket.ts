/** The listening socket that systemd, or another supervisor, passes to the process (sd_listen_fds). */
import { type AddressInfo, Socket } from 'node:net';
import { ConfigError } from '../../config/error.ts';

/** The first descriptor after the standard streams. */
const FIRST_FD = 3;

/** A socket that outlives the process, so that no connection is refused while the next process starts. */
export interface InheritedSocket {
  readonly fd: number;
  /** Where it listens, which may differ from the configuration. */
  readonly host: string;
  readonly port: number;
}

/**
 * Takes the socket, and removes its variables from the environment, so that no child process takes it as well.
 *
 * @returns `undefined` if there is none for this process
 * @throws ConfigError if it is not a listening TCP socket
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
    // Never read and never closed: the server takes over the descriptor.
    const address = new Socket({ fd, readable: false, writable: false }).address();
    if ('port' in address) return address;
  } catch {}
  throw wrong(`LISTEN_FDS: descriptor ${fd} is not a listening TCP socket`);
}

function wrong(problem: string): ConfigError {
  return new ConfigError('the environment', [problem]);
}
