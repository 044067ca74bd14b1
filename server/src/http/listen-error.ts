/** Why a socket could not be listened on, for whoever starts the broker. */

/** What the configuration is to blame for: starting again as it is would not help. */
const CONFIGURATION: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'the process may not: take a port from 1024, or give it CAP_NET_BIND_SERVICE'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EINVAL', 'this machine has no such address'],
  ['ENOTFOUND', 'the name leads to no address'],
]);
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another process does'],
  ['EAI_AGAIN', 'the name cannot be looked up now'],
]);

/** It has a code of the system, by which it is known after it has crossed from a worker to its parent. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly syscall = 'listen';
  readonly code: string;

  /** @param setting that names the port */
  constructor(setting: 'port' | 'metrics.port', host: string, port: number, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const why = CONFIGURATION.get(code) ?? ELSEWHERE.get(code);
    const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    super(
      why === undefined
        ? `${setting}: cannot listen on ${where}: ${cause instanceof Error ? cause.message : String(cause)}`
        : `${setting}: cannot listen on ${where}, because ${why} (${code})`,
      { cause },
    );
    this.code = code;
  }
}

/** Whether an error, of this process or a worker, is that of a configuration which names no place to listen. */
export function isWrongPlace(error: unknown): boolean {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return false;
  return error.syscall === 'listen' && CONFIGURATION.has(String(error.code));
}
