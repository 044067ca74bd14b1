import type { FunctionComponent, TargetedKeyboardEvent } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api } from '../data/api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { addressOf } from './route.ts';
import { VIEWS } from './views.ts';

/** One thing that the palette finds. */
export interface Command {
  readonly title: string;
  readonly hint: string;
  readonly run: () => void;
}

/** Channels that are offered. */
const MAX_CHANNELS = 8;
/** Milliseconds without a key before the broker is asked. */
const PAUSE_MS = 150;

/** Finds views, channels, users and actions by a few letters. */
export const Palette: FunctionComponent<{ actions: readonly Command[]; onClose: () => void }> = ({
  actions,
  onClose,
}) => {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const channels = useChannels(text);
  const commands = useMemo(() => find(text, channels, actions), [text, channels, actions]);
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
        aria-label="Find a view, channel, user or action"
        aria-expanded="true"
        aria-controls="found"
        aria-activedescendant={commands.length > 0 ? `found-${current}` : undefined}
        placeholder="Find a view, channel, user or action"
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

function find(text: string, channels: readonly string[], actions: readonly Command[]): readonly Command[] {
  const wanted = text.trim().toLowerCase();
  const open = (view: string, item?: string) => () => location.assign(addressOf(view, item));
  const views = VIEWS.map(({ view, title, letter }) => ({ title, hint: `g ${letter}`, run: open(view) }));
  const fixed = [...views, ...actions].filter(({ title }) => title.toLowerCase().includes(wanted));
  const found = channels.map((name) => ({ title: name, hint: 'channel', run: open('channels', name) }));
  const id = text.trim();
  const user = id === '' ? [] : [{ title: id, hint: 'user', run: open('users', id) }];
  return [...fixed, ...found, ...user];
}

/** Occupied channels whose names hold a text. */
function useChannels(text: string): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([]);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      api.channels({ contains: text.trim() }).then(
        ({ channels }) => isCurrent && setNames(channels.slice(0, MAX_CHANNELS).map(({ name }) => name)),
        () => isCurrent && setNames([]),
      );
    }, PAUSE_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text]);
  return names;
}
