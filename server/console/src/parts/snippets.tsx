import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import type { Snippet } from '../../../src/cli/dev/snippets.ts';

/** Milliseconds for which the button says that it has copied. */
const COPIED_MS = 1500;

/** Code to copy, one piece at a time. */
export const Snippets: FunctionComponent<{ snippets: readonly Snippet[] }> = ({ snippets }) => {
  const [chosen, setChosen] = useState(0);
  const [isCopied, setCopied] = useState(false);
  const code = snippets[chosen]?.code ?? '';
  const copy = () => {
    navigator.clipboard.writeText(code).then(
      () => {
        setCopied(true);
        setTimeout(() => setCopied(false), COPIED_MS);
      },
      () => setCopied(false),
    );
  };
  return (
    <div class="snippets">
      <div class="tools">
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot scroll sideways */}
        <div class="chips" role="group" aria-label="Snippets">
          {snippets.map(({ title }, index) => (
            <button
              key={title}
              type="button"
              class="plain"
              aria-pressed={index === chosen}
              onClick={() => setChosen(index)}
            >
              {title}
            </button>
          ))}
        </div>
        <button type="button" class="plain end" onClick={copy}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </div>
      <pre>
        <code>{code}</code>
      </pre>
    </div>
  );
};
