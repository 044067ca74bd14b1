/** What the SDK writes to the console of the browser or process. */

/** `warn` tells each error for which the app has no listener, once for each cause; `debug` also tells every step and frame. */
export type LogLevel = 'silent' | 'warn' | 'debug';

/** Causes that are remembered. After that many the client warns no more: they may differ without end. */
const MAX_CAUSES = 100;
const PREFIX = '[countersign]';

/** The part of an error that a warning tells. */
export interface Problem {
  readonly message: string;
  /** Where the documentation explains it. */
  readonly docs: string;
}

export class Log {
  readonly isDebug: boolean;
  readonly #isSilent: boolean;
  readonly #causes = new Set<string>();

  constructor(level: LogLevel) {
    this.isDebug = level === 'debug';
    this.#isSilent = level === 'silent';
  }

  /**
   * Warns, unless it has warned of the same cause.
   *
   * @param what what does not work, such as `private-room is not subscribed`
   * @param advice what the developer can do
   * @param subject the part of the texts that does not make another cause, such as the name of the channel
   */
  warn(what: string, { message, docs }: Problem, advice: string, subject: string): void {
    const said = `${what}: ${message}`.replace(/\s+/g, ' ').trim();
    const text = said.replace(/[^.?!…]$/, '$&.') + (advice && ` ${advice}`);
    const cause = text.replaceAll(subject, '');
    if (this.#isSilent || this.#causes.has(cause) || this.#causes.size >= MAX_CAUSES) return;
    this.#causes.add(cause);
    console.warn(`${PREFIX} ${text} See ${docs}`);
  }

  /** Tells a step. Frames that the client sends carry signatures and tokens, so only their names are told. */
  debug(step: string, ...details: unknown[]): void {
    if (this.isDebug) console.log(`${PREFIX} ${step}`, ...details);
  }
}
