import { readFileSync } from 'node:fs';

/** The version of this package. */
export const VERSION = versionOf(
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')),
);

function versionOf(manifest: unknown): string {
  return typeof manifest === 'object' && manifest && 'version' in manifest ? String(manifest.version) : '';
}
