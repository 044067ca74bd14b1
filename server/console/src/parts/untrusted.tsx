import type { FunctionComponent } from 'preact';

/** Control and formatting characters, line separators and halves of surrogate pairs, except the joiners within an emoji. */
const HIDDEN =
  /((?<!\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u{fe0f})\u{200d}|(?!\u{200d})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}])/u;
/** The same without the white space of printed JSON. */
const HIDDEN_IN_LINES = new RegExp(`(?![\\n\\t])${HIDDEN.source}`, 'u');

interface UntrustedProps {
  readonly text: string;
  /** Whether line breaks and tabs lay the text out. @default false */
  readonly lines?: boolean;
}

/**
 * Text that a client or a backend has sent. It does not change the direction of the text beside it, and characters that
 * cannot be seen are shown as escapes.
 */
export const Untrusted: FunctionComponent<UntrustedProps> = ({ text, lines = false }) => (
  <bdi>
    {text.split(lines ? HIDDEN_IN_LINES : HIDDEN).map((part, index) =>
      // A split at a group has what matched at the odd places.
      index % 2 === 0 ? part : <span class="escape">{escapeOf(part)}</span>,
    )}
  </bdi>
);

function escapeOf(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}
