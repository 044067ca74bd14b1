/** The configuration that comes of the settings of another server. */
import { randomBytes } from 'node:crypto';
import type { AppInput } from '../../apps/app.ts';
import { isGuessable } from '../../apps/keys/guessable.ts';
import type { ConfigInput } from '../../config/config.ts';
import { CommandError } from '../failure.ts';
import type { Fields, Ignored } from './fields.ts';

export interface Imported {
  readonly config: ConfigInput;
  readonly ignored: readonly Ignored[];
}

const MIN_SECRET = 8;
/** Room for the frame around the data of an event. */
const FRAME_BYTES = 16_384;
const DEFAULT_MESSAGE_BYTES = 65_536;
const DEFAULT_BUFFERED_BYTES = 1_048_576;

/** What a file calls the id, the key and the secret of an app. */
export interface CredentialNames {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/**
 * Takes the id, the key and the secret of an app.
 *
 * @throws CommandError if one of them is missing
 */
export function credentialsOf(fields: Fields, names: CredentialNames): Pick<AppInput, 'id' | 'keys'> {
  const needed = (name: string) => {
    const text = fields.text(name);
    if (text === undefined) throw new CommandError(`${fields.at(name)} is missing`, 'incomplete');
    return text;
  };
  const id = needed(names.id);
  const key = needed(names.key);
  const secret = needed(names.secret);
  if (secret.length >= MIN_SECRET && !isGuessable(secret)) return { id, keys: [{ key, secret }] };
  fields.ignore(
    names.secret,
    'anybody can guess it: a new secret was made, which the backends of the app need in its place',
  );
  return { id, keys: [{ key, secret: randomBytes(32).toString('base64url') }] };
}

/** Settings of one app, without those that the file does not have. */
export function appOf(
  app: {
    readonly [Name in keyof AppInput]?: AppInput[Name] | undefined;
  },
): AppInput {
  const limits = known(app.limits ?? {});
  return {
    ...known({ ...app, limits: undefined }),
    ...(Object.keys(limits).length > 0 && { limits }),
  } as AppInput;
}

/** A whole configuration; the largest frame has room for the largest event of an app. */
export function configOf(apps: readonly AppInput[], settings: Omit<ConfigInput, 'apps'> = {}): ConfigInput {
  const largest = Math.max(0, ...apps.map(({ limits }) => limits?.eventDataBytes ?? 0));
  return {
    ...known(settings),
    ...(largest + FRAME_BYTES > DEFAULT_MESSAGE_BYTES && { maxMessageBytes: largest + FRAME_BYTES }),
    ...(largest + FRAME_BYTES > DEFAULT_BUFFERED_BYTES && { maxBufferedBytes: largest + FRAME_BYTES }),
    apps: [...apps],
  };
}

function known<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
