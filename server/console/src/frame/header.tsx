import type { FunctionComponent } from 'preact';
import { useLive } from '../data/live-context.ts';
import type { SessionView } from '../data/wire.ts';
import { count } from '../parts/format.ts';
import { Sidebar } from './sidebar.tsx';
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

/** The sidebar of one app. */
export const Header: FunctionComponent<HeaderProps> = ({ session, onSignOut, ...rest }) => {
  const { state, unseenRefusals } = useLive();
  const badge = (view: string) =>
    view === 'events' &&
    unseenRefusals > 0 && (
      <span class="badge">
        {count(unseenRefusals)}
        <span class="unseen"> refused</span>
      </span>
    );
  return (
    <Sidebar
      {...rest}
      subject={session.app.name}
      groups={VIEW_GROUPS}
      badge={badge}
      state={[state, STATES[state] ?? '']}
      onSignOut={session.signOut ? onSignOut : undefined}
    />
  );
};
