import type { FunctionComponent, TargetedKeyboardEvent } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { addressOf } from './route.ts';
import type { ViewEntry } from './views.ts';

/** One thing that the palette finds. */
export interface Command {
  readonly title: string;
  readonly hint: string;
  readonly run: () => void;
}

/** Milliseconds without a key before the broker is asked. */
const PAUSE_MS = 150;

interface PaletteProps {
  readonly views: readonly ViewEntry[];
  readonly actions: readonly Command[];
  /** What is found in the views, such as channels. */
  readonly search: (text: string) => Promise<readonly Command[]>;
  /** What it finds, for the field. */
  readonly what: string;
  readonly onClose: () => void;
}

/** Finds views, what is in them, and actions by a few letters. */
export const Palette: FunctionComponent<PaletteProps> = ({ views, actions, search, what, onClose }) => {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const found = useFound(text, search);
  const commands = useMemo(() => [...fixed(text, views, actions), ...found], [text, views, actions, found]);
  const current = Math.min(chosen, commands.length - 1);
  const run = (command: Command | undefined) => {
    onClose();
    command?.run();
  };
  const press = (event: TargetedKeyboardEvent<HTMLInputElement>) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setChosen((current + step + commands.length) % Math.max(commands.length, 1));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      run(commands[current]);
    }
  };
  return (
    <Dialog class="palette" label="Find" onClose={onClose}>
      <input
        role="combobox"
        aria-label={`Find ${what}`}
        aria-expanded="true"
        aria-controls="found"
        aria-activedescendant={commands.length > 0 ? `found-${current}` : undefined}
        placeholder={`Find ${what}`}
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={press}
      />
      <div role="listbox" id="found" aria-label="Found">
        {commands.map((command, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field
          <div
            key={`${command.hint} ${command.title}`}
            role="option"
            id={`found-${index}`}
            aria-selected={index === current}
            onClick={() => run(command)}
            onMouseMove={() => setChosen(index)}
          >
            <Untrusted text={command.title} />
            <span class="note">{command.hint}</span>
          </div>
        ))}
      </div>
    </Dialog>
  );
};

function fixed(text: string, views: readonly ViewEntry[], actions: readonly Command[]): readonly Command[] {
  const wanted = text.trim().toLowerCase();
  const commands = views.map(({ view, title, letter }) => ({
    title,
    hint: `g ${letter}`,
    run: () => location.assign(addressOf(view)),
  }));
  return [...commands, ...actions].filter(({ title }) => title.toLowerCase().includes(wanted));
}

function useFound(text: string, search: PaletteProps['search']): readonly Command[] {
  const [found, setFound] = useState<readonly Command[]>([]);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      search(text.trim()).then(
        (commands) => isCurrent && setFound(commands),
        () => isCurrent && setFound([]),
      );
    }, PAUSE_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text, search]);
  return found;
}
