import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const DOCS = new URL('../../docs/', import.meta.url);

/** Keeps the promises of a page: a test for each, under its words. A promise without a test fails, and so does the reverse. */
export function keepPromises(page: string, tests: Readonly<Record<string, () => Promise<void>>>): void {
  describe(page, () => {
    test('promises what is tested, and nothing else', () => {
      expect(promisesOf(readFileSync(new URL(page, DOCS), 'utf8'))).toEqual(Object.keys(tests));
    });
    for (const [promise, keep] of Object.entries(tests)) test(promise, keep);
  });
}

/** What a page promises is printed bold at the beginning of a bullet. */
function promisesOf(text: string): string[] {
  return [...text.matchAll(/^- \*\*([\s\S]*?)\.\*\*/gm)].map(([, words = '']) => words.replace(/\s+/g, ' '));
}
