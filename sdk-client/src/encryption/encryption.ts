import type { Channel } from '../channels/channel.ts';
import type { ChannelOwner } from '../channels/channel-owner.ts';

/**
 * Support for encrypted channels, exported by `@countersign/sdk-client/encrypted`. Pages without encrypted channels do
 * not download it.
 */
export interface Encryption {
  readonly Channel: new (name: string, owner: ChannelOwner) => Channel;
}
