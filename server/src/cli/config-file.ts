/** The file of the configuration, for a command that may not name one. */
import { existsSync } from 'node:fs';

/** The file that `init` writes, and that commands find where they are run. */
const LOCAL_FILE = 'countersign.json';

/** @param named by a flag; else it is the one of `COUNTERSIGN_CONFIG`, or `countersign.json` in the current folder */
export function findConfigFile(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return named ?? env['COUNTERSIGN_CONFIG'] ?? (existsSync(LOCAL_FILE) ? LOCAL_FILE : undefined);
}
