import { InDoubt, Unavailable } from '../../errors.ts';

/** An error, as far as the other end needs it. */
export interface Fault {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
}

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, code, syscall } = error as Error & Fault;
  return { name, message, ...(code !== undefined && { code }), ...(syscall !== undefined && { syscall }) };
}

export function errorOf({ name, message, ...rest }: Fault): Error {
  if (name === InDoubt.name) return new InDoubt(message);
  return name === Unavailable.name ? new Unavailable(message) : Object.assign(new Error(message), rest);
}
