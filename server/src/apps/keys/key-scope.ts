import { isChannelPattern, isMatch } from '../channel-pattern.ts';

/** What a key may do apart from channels. */
export const GENERAL_SCOPES = ['sign_in', 'read', 'revoke', 'webhooks', 'audit'] as const;
export type GeneralScope = (typeof GENERAL_SCOPES)[number];
/** What a key may do with the channels of a pattern. */
const CHANNEL_SCOPES = ['subscribe', 'publish'] as const;
export type ChannelScope = (typeof CHANNEL_SCOPES)[number];

/** What {@link isScope} accepts, for people. */
export const SCOPE_FORM = `expected ${GENERAL_SCOPES.join(', ')}, or subscribe:PATTERN or publish:PATTERN, such as "publish:news-*"`;

/** Whether a text is a scope: `read`, or `publish:news-*`. */
export function isScope(text: string): boolean {
  if (GENERAL_SCOPES.some((scope) => scope === text)) return true;
  const { action, pattern } = split(text);
  return (
    CHANNEL_SCOPES.some((scope) => scope === action) && pattern.length <= 1000 && isChannelPattern(pattern)
  );
}

/** What one key may do. */
export class KeyScopes {
  /** As they are configured; null: everything. */
  readonly texts: readonly string[] | null;

  constructor(texts: readonly string[] | undefined) {
    this.texts = texts ?? null;
  }

  /** The scope that is missing; `undefined` if nothing is. */
  missing(scope: GeneralScope): string | undefined {
    return this.texts === null || this.texts.includes(scope) ? undefined : scope;
  }

  /** The scope that is missing for a channel; `undefined` if nothing is. */
  missingFor(scope: ChannelScope, channel: string): string | undefined {
    if (this.texts === null) return undefined;
    const isCovered = this.texts.some((text) => {
      const { action, pattern } = split(text);
      return action === scope && isMatch(pattern, channel);
    });
    return isCovered ? undefined : `${scope}:${channel}`;
  }
}

function split(text: string): { readonly action: string; readonly pattern: string } {
  const colon = text.indexOf(':');
  return colon < 0
    ? { action: text, pattern: '' }
    : { action: text.slice(0, colon), pattern: text.slice(colon + 1) };
}

/** The sentence of a refusal for lack of a scope. */
export function scopeMissing(key: string, scope: string): string {
  return `The key "${key}" lacks the scope ${scope}`;
}
