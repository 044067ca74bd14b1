/** The mistakes of docs/mistakes.md, and what the documentation says that people are told. */
import { readFileSync } from 'node:fs';

const PAGE = new URL('../../docs/mistakes.md', import.meta.url);

export interface Mistake {
  readonly number: number;
  readonly name: string;
  /** What is told, with `…` for what differs each time. */
  readonly told: RegExp;
  readonly score: number;
}

/** The rows of the table under a heading. */
export function mistakesOf(heading: string): readonly Mistake[] {
  const text = readFileSync(PAGE, 'utf8');
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  const table = section.split('\n## ')[0] ?? '';
  const rows = [...table.matchAll(/^\| (\d+) \| (.+?) \| `` (.+?) `` \| ([\d.]+) \|$/gm)];
  if (rows.length === 0) throw new Error(`docs/mistakes.md has no table under "${heading}"`);
  return rows.map(([, number, name = '', told = '', score]) => ({
    number: Number(number),
    name,
    told: new RegExp(told.split('…').map(escaped).join('[\\s\\S]*')),
    score: Number(score),
  }));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
