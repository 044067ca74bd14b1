/** Finds the master key of the app store, and checks that the store is sealed under it. */
import type { AppRepository } from '../../apps/app-repository.ts';
import { type AdminConfig, hasAdmin, readMasterKey } from '../../config/admin.ts';
import { ConfigError } from '../../config/error.ts';
import { findMasterKey, makeMasterKey } from '../../data/master-key.ts';
import { Seal, SealError } from './seal.ts';

/** The document that tells whether a master key is the right one. */
export const KEY_CHECK = 'check';

/**
 * @param data the data directory, which holds the master key of a single node
 * @returns `undefined`: nothing was ever kept, and nothing can be
 * @throws ConfigError without the right key
 */
export async function openSeal({ admin, data, repository, now }: SealParts): Promise<Seal | undefined> {
  const given = admin.masterKey === undefined ? undefined : readMasterKey(admin.masterKey);
  let key = given ?? (data === undefined ? undefined : findMasterKey(data));
  for (;;) {
    const { documents, version } = await repository.changes(0);
    const check = documents.find(({ id }) => id === KEY_CHECK)?.sealed;
    if (typeof check === 'string') {
      if (!key) throw wrongKey('missing, expected the key under which the app store is sealed');
      if (!isOpenedBy(key, check)) throw wrongKey('it is not the key under which the app store is sealed');
      return new Seal(key);
    }
    if (!repository.keepsDocuments || !hasAdmin(admin)) return key && new Seal(key);
    if (data !== undefined) key ??= makeMasterKey(data);
    if (!key) return undefined;
    const seal = new Seal(key);
    const documentsOfKey = [{ id: KEY_CHECK, sealed: seal.seal(KEY_CHECK, KEY_CHECK) }];
    const written = await repository.write({
      base: version,
      documents: documentsOfKey,
      entries: [],
      now: now(),
    });
    // Otherwise another node came first, perhaps with another key.
    if (written !== undefined) return seal;
  }
}

interface SealParts {
  readonly admin: AdminConfig;
  readonly data: string | undefined;
  readonly repository: AppRepository;
  /** Unix milliseconds. */
  readonly now: () => number;
}

function isOpenedBy(key: Buffer, check: string): boolean {
  try {
    return new Seal(key).open(KEY_CHECK, check) === KEY_CHECK;
  } catch (error) {
    if (error instanceof SealError) return false;
    throw error;
  }
}

function wrongKey(why: string): ConfigError {
  return new ConfigError(undefined, [`admin.masterKey: ${why}`]);
}
