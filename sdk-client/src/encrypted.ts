/** The entry `@countersign/sdk-client/encrypted`: `new Countersign(key, { encryption, … })`. */

import { EncryptedChannel } from './encryption/encrypted-channel.ts';
import type { Encryption } from './encryption/encryption.ts';

/** Support for channels named `private-encrypted-…`, whose events the broker cannot read. */
export const encryption: Encryption = { Channel: EncryptedChannel };

export type { Encryption };
