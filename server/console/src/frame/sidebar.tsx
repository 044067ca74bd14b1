import type { ComponentChildren, FunctionComponent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, Mark } from '../parts/icon.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { addressOf } from './route.ts';
import type { Theme } from './theme.ts';
import type { ViewGroups } from './views.ts';

interface SidebarProps {
  /** What the pages are about. */
  readonly subject: string;
  readonly groups: ViewGroups;
  readonly view: string;
  /** What stands behind the title of a view in the navigation. */
  readonly badge?: (view: string) => ComponentChildren;
  /** The state of the connection: its class and its words. */
  readonly state: readonly [kind: string, text: string];
  readonly theme: Theme;
  readonly onTheme: () => void;
  readonly onFind: () => void;
  /** `undefined`: there is no sign-out. */
  readonly onSignOut: (() => void) | undefined;
}

/** The side of the page, and its top on a phone: subject, navigation, state of the connection. */
export const Sidebar: FunctionComponent<SidebarProps> = ({
  subject,
  groups,
  view,
  badge,
  state: [kind, text],
  theme,
  onTheme,
  onFind,
  onSignOut,
}) => (
  <header class="top">
    <h1 class="brand">
      <span class="mark">
        <Mark /> Countersign
      </span>{' '}
      <span class="app">
        <Untrusted text={subject} />
      </span>
    </h1>
    <button type="button" class="plain find" onClick={onFind}>
      Find <kbd>⌘K</kbd>
    </button>
    <Navigation groups={groups} view={view} badge={badge} />
    <div class="foot">
      <p class={`state ${kind}`} role="status">
        {text}
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
        {onSignOut && (
          <button type="button" class="plain" onClick={onSignOut}>
            Sign out
          </button>
        )}
      </div>
    </div>
  </header>
);

const Navigation: FunctionComponent<{
  groups: ViewGroups;
  view: string;
  badge: SidebarProps['badge'];
}> = ({ groups, view: current, badge }) => {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the row scrolls sideways.
    ref.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [current]);
  return (
    <nav aria-label="Views" ref={ref}>
      {groups.map(([title, entries]) => (
        <div key={title}>
          <p aria-hidden="true">{title}</p>
          <ul>
            {entries.map(({ view, title, icon }) => (
              <li key={view}>
                <a href={addressOf(view)} aria-current={view === current ? 'page' : undefined}>
                  <Icon name={icon} />
                  {title}
                  {badge?.(view)}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
};
