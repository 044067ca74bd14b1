/** Profiles: which broker the commands ask, and with what, kept in the user's configuration directory. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CommandError } from './failure.ts';

const profileSchema = z.strictObject({
  url: z.string(),
  app: z.string().exactOptional(),
  key: z.string().exactOptional(),
  secret: z.string().exactOptional(),
  /** Of the admin API. */
  token: z.string().exactOptional(),
});
const fileSchema = z.record(z.string(), profileSchema);

export type Profile = z.infer<typeof profileSchema>;
type Environment = Readonly<Record<string, string | undefined>>;

/** The name of the profile that is used where none is named. */
export const DEFAULT_PROFILE = 'default';

export function profilesFile(env: Environment): string {
  return join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'countersign', 'profiles.json');
}

/** @throws CommandError if the file cannot be read */
export async function readProfiles(env: Environment): Promise<ReadonlyMap<string, Profile>> {
  const file = profilesFile(env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
  const parsed = fileSchema.safeParse(jsonOf(text));
  if (!parsed.success)
    throw new CommandError(`${file} is not a file of profiles: remove it, and log in again`);
  return new Map(Object.entries(parsed.data));
}

/** Replaces the file in one step, readable by its user only. */
export async function writeProfiles(
  env: Environment,
  profiles: ReadonlyMap<string, Profile>,
): Promise<string> {
  const file = profilesFile(env);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}`;
  await writeFile(next, `${JSON.stringify(Object.fromEntries(profiles), null, 2)}\n`, {
    mode: 0o600,
    flag: 'wx',
  });
  await rename(next, file);
  return file;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
