import type { FunctionComponent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useLive } from '../data/live-context.ts';
import type { SessionView } from '../data/wire.ts';
import { count } from '../parts/format.ts';
import { Icon, Mark } from '../parts/icon.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { addressOf } from './route.ts';
import type { Theme } from './theme.ts';
import { VIEW_GROUPS } from './views.ts';

const STATES: Readonly<Record<string, string>> = {
  connected: 'connected',
  connecting: 'connecting…',
  initialized: 'connecting…',
  unavailable: 'no connection',
  disconnected: 'reconnecting…',
  failed: 'no connection',
};

interface HeaderProps {
  readonly session: SessionView;
  readonly view: string;
  readonly theme: Theme;
  readonly onTheme: () => void;
  readonly onFind: () => void;
  readonly onSignOut: () => void;
}

/** The side of the page, and its top on a phone: app, navigation, state of the connection. */
export const Header: FunctionComponent<HeaderProps> = ({
  session,
  view,
  theme,
  onTheme,
  onFind,
  onSignOut,
}) => {
  const { state } = useLive();
  return (
    <header class="top">
      <h1 class="brand">
        <span class="mark">
          <Mark /> Countersign
        </span>{' '}
        <span class="app">
          <Untrusted text={session.app.name} />
        </span>
      </h1>
      <button type="button" class="plain find" onClick={onFind}>
        Find <kbd>⌘K</kbd>
      </button>
      <Navigation view={view} />
      <div class="foot">
        <p class={`state ${state}`} role="status">
          {STATES[state]}
        </p>
        <div class="actions">
          <button
            type="button"
            class="plain"
            aria-label={`Colours: ${theme}`}
            title={`Colours: ${theme}`}
            onClick={onTheme}
          >
            <Icon name={theme} />
          </button>
          {session.signOut && (
            <button type="button" class="plain" onClick={onSignOut}>
              Sign out
            </button>
          )}
        </div>
      </div>
    </header>
  );
};

const Navigation: FunctionComponent<{ view: string }> = ({ view: current }) => {
  const ref = useRef<HTMLElement>(null);
  const { unseenRefusals } = useLive();
  useEffect(() => {
    // On a phone the row scrolls sideways.
    ref.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [current]);
  return (
    <nav aria-label="Views" ref={ref}>
      {VIEW_GROUPS.map(([title, entries]) => (
        <div key={title}>
          <p aria-hidden="true">{title}</p>
          <ul>
            {entries.map(({ view, title, icon }) => (
              <li key={view}>
                <a href={addressOf(view)} aria-current={view === current ? 'page' : undefined}>
                  <Icon name={icon} />
                  {title}
                  {view === 'events' && unseenRefusals > 0 && (
                    <span class="badge">
                      {count(unseenRefusals)}
                      <span class="unseen"> refused</span>
                    </span>
                  )}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
};
