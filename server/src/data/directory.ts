/** The data directory. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { ConfigError } from '../config/error.ts';
import { fileProblem } from '../config/file-problem.ts';

/**
 * Makes the directory if it is missing.
 *
 * @throws ConfigError if nothing can be kept there
 */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigError(
      undefined,
      [
        `data: got ${JSON.stringify(directory)}, expected a directory that the broker may write to, but ${fileProblem(error)}`,
      ],
      { cause: error },
    );
  }
}
