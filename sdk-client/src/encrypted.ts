/** Encrypted channels, for those who import them: `new Countersign(key, { encryption, … })`. */
import type { Encryption } from './channels.ts';
import { EncryptedChannel } from './encrypted-channel.ts';

/** Channels named `private-encrypted-…`, whose events only the app's own clients can read. */
export const encryption: Encryption = { Channel: EncryptedChannel };

export type { Encryption };
