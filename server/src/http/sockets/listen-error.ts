/** Explains to operators why the broker cannot listen. */

/** Faults of the configuration: starting again without a change does not help. */
const CONFIGURATION: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'the process has no permission: use a port from 1024, or give it CAP_NET_BIND_SERVICE'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EINVAL', 'this machine has no such address'],
  ['ENOTFOUND', 'the name has no address'],
]);
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another process does'],
  ['EAI_AGAIN', 'the name cannot be looked up at the moment'],
]);

/** The broker cannot listen. It has the system's code, which survives the way from a worker to its parent. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly syscall = 'listen';
  readonly code: string;

  /** @param setting the setting that names the port */
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

/** Whether an error, of this process or a worker, says that the configured address cannot be used. */
export function isWrongPlace(error: unknown): boolean {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return false;
  return error.syscall === 'listen' && CONFIGURATION.has(String(error.code));
}
