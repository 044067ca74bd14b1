import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';

/** Milliseconds for which the button says that it has copied. */
const COPIED_MS = 1500;

/** A secret that the broker does not show again, to be copied. */
export const ShownOnce: FunctionComponent<{ what: string; secret: string }> = ({ what, secret }) => {
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    navigator.clipboard.writeText(secret).then(
      () => {
        setCopied(true);
        setTimeout(() => setCopied(false), COPIED_MS);
      },
      () => setCopied(false),
    );
  };
  return (
    <div class="shown-once">
      <p>
        <strong>{what}</strong> <span class="quiet">Copy it now: it is not shown again.</span>
      </p>
      <p class="actions">
        <code>{secret}</code>
        <button type="button" class="plain" onClick={copy}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </p>
    </div>
  );
};
