/** Encrypted channels, for those who import them: `new Countersign(key, { encryption, … })`. */

import { EncryptedChannel } from './encrypted-channel.ts';
import type { Encryption } from './encryption.ts';

/** Channels named `private-encrypted-…`, whose events only the app's own clients can read. */
export const encryption: Encryption = { Channel: EncryptedChannel };

export type { Encryption };
