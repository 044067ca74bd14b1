/** How a command fails: one message, or one problem object in JSON, and an exit code. */
import { inspect } from 'node:util';
import { ArgumentError, CountersignError, RequestError } from '@countersign/sdk-server';
import { ConfigError } from '../config/error.ts';
import { DataError } from '../data/database.ts';
import { isWrongPlace } from '../http/sockets/listen-error.ts';
import { UsageError } from './usage-error.ts';

/** What a command asked for was not done. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';

  /** @param code stable, for programs */
  constructor(
    message: string,
    readonly code: string = 'failed',
    options?: ErrorOptions & { readonly status?: number; readonly problem?: object },
  ) {
    super(message, options);
    this.status = options?.status;
    this.problem = options?.problem;
  }

  /** The problem object of the broker, if it answered with one. */
  readonly problem: object | undefined;

  /** The HTTP status of the broker, if it answered. */
  readonly status: number | undefined;
}

/** Nobody answers where the broker should be. */
export class UnreachableError extends CommandError {
  override readonly name = 'UnreachableError';
}

/** Writes to standard error why a command failed, and sets the exit code. */
export function report(error: unknown, asJson: boolean): void {
  const { exitCode, text, problem } = described(error);
  process.stderr.write(asJson ? `${JSON.stringify({ type: 'about:blank', ...problem })}\n` : `${text}\n`);
  process.exit(exitCode);
}

interface Description {
  readonly exitCode: 1 | 2 | 3;
  readonly text: string;
  readonly problem: {
    readonly title: string;
    readonly status?: number;
    readonly detail: string;
    readonly code: string;
  };
}

function described(error: unknown): Description {
  if (error instanceof UsageError || error instanceof ArgumentError) {
    const problem = { title: 'Wrong command line', detail: error.message, code: 'usage' };
    return { exitCode: 2, text: `${error.message}\nSee countersign --help.`, problem };
  }
  if (error instanceof ConfigError) {
    const problem = { title: 'Wrong configuration', detail: error.message, code: 'wrong_configuration' };
    return { exitCode: 2, text: error.message, problem };
  }
  if (error instanceof CommandError) {
    const { message: detail, code, status, problem } = error;
    const unreachable = error instanceof UnreachableError;
    const title = unreachable ? 'No broker was reached' : 'The command failed';
    return {
      exitCode: unreachable ? 3 : 1,
      text: detail,
      problem: { title, ...(status !== undefined && { status }), detail, code, ...problem },
    };
  }
  const isForUser = error instanceof DataError || (error instanceof Error && 'syscall' in error);
  const detail = isForUser && error instanceof Error ? error.message : inspect(error);
  return {
    exitCode: isWrongPlace(error) ? 2 : 1,
    text: detail,
    problem: { title: 'The command failed', detail, code: 'failed' },
  };
}

/** An error of a request to a broker, as one of a command. */
export function explained(error: unknown, url: URL): unknown {
  if (!(error instanceof CountersignError) || error instanceof ArgumentError) return error;
  if (!(error instanceof RequestError)) return new CommandError(error.message, error.code, { cause: error });
  const { status, body } = error;
  if (status === undefined) {
    return unreachable(url, error);
  }
  const message = `The broker refused with ${status}: ${body}`;
  return new CommandError(message, codeIn(body) ?? 'refused', { cause: error, status });
}

/** Nobody answers at an address. */
export function unreachable({ origin }: URL, cause: unknown): UnreachableError {
  const message = `No broker answers at ${origin}: start it, or give its address with --url`;
  return new UnreachableError(message, 'unreachable', { cause });
}

/** The stable code in the body of a refusal. */
function codeIn(body: unknown): string | undefined {
  try {
    const { code } = JSON.parse(String(body)) as { readonly code?: unknown };
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}
