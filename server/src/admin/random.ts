/** Names and secrets that nobody can guess. */
import { randomBytes, randomInt } from 'node:crypto';

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export function base62(length: number): string {
  return Array.from({ length }, () => BASE62.charAt(randomInt(BASE62.length))).join('');
}

export const newAppId = (): string => base62(8);
export const newKey = (): string => randomBytes(10).toString('hex');
export const newSecret = (): string => randomBytes(32).toString('base64url');
export const newToken = (): string => `csa_${base62(40)}`;
export const newWebhookSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
export const newId = (): string => base62(12);
