/** What commands write: data to standard output, notes to standard error, colours only on a terminal. */
import { once } from 'node:events';
import type { WriteStream } from 'node:tty';

type Stream = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>;

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof CODES;

/** @returns a function that styles text where the stream is a terminal */
export function painter(stream: Stream): (style: Style, text: string) => string {
  const coloured = stream.isTTY === true && !process.env['NO_COLOR'];
  return (style, text) => (coloured ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Writes text as it is, as fast as it is read. */
export async function writeOut(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** One value as JSON. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Columns that are as wide as their widest cell; cells beyond the first are right-aligned if they are numbers. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const paint = painter(process.stdout);
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => String(row[column] ?? '').length)),
  );
  const cell = (value: string | number, column: number) => {
    if (typeof value === 'number') return String(value).padStart(widths[column]!);
    return column === heads.length - 1 ? value : value.padEnd(widths[column]!);
  };
  const lines = rows.map((row) => row.map(cell).join('  '));
  return [paint('bold', heads.map(cell).join('  ')), ...lines].join('\n');
}
