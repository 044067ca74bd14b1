import type { FunctionComponent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { momentOf } from '../parts/format.ts';
import { useLive } from '../data/live-context.ts';
import { addressOf, PROBE, type Route, useRoute } from './route.ts';
import { Untrusted } from '../parts/untrusted.tsx';
import { ChannelView } from '../views/channel.tsx';
import { ChannelsView } from '../views/channels.tsx';
import { EventsView } from '../views/events.tsx';
import { KeysView } from '../views/keys.tsx';
import { LiveView } from '../views/live.tsx';
import { ProbeView } from '../views/probe.tsx';
import { PublishView } from '../views/publish.tsx';
import { WebhooksView } from '../views/webhooks.tsx';
import type { SessionView } from '../data/wire.ts';

const VIEWS = [
  ['live', 'Live'],
  ['channels', 'Channels'],
  ['events', 'Events'],
  ['publish', 'Publish'],
  [PROBE, 'Auth probe'],
  ['webhooks', 'Webhooks'],
  ['keys', 'Keys'],
] as const;

const STATES: Readonly<Record<string, string>> = {
  connected: 'connected',
  connecting: 'connecting…',
  initialized: 'connecting…',
  unavailable: 'no connection',
  disconnected: 'reconnecting…',
  failed: 'no connection',
};

/** The frame of all views: name of the app, navigation, state of the connection. */
export const Shell: FunctionComponent<{ session: SessionView; onSignOut: () => void }> = ({
  session,
  onSignOut,
}) => {
  const route = useRoute();
  const { state, staleSince } = useLive();
  return (
    <>
      <header class="top">
        <h1>
          Countersign{' '}
          <span class="app">
            <Untrusted text={session.app.name} />
          </span>
        </h1>
        <Navigation view={route.view} />
        <p class={`state ${state}`} role="status">
          {STATES[state]}
        </p>
        {session.signOut && (
          <button type="button" class="plain" onClick={onSignOut}>
            Sign out
          </button>
        )}
      </header>
      {staleSince !== undefined && (
        <p class="stale-banner" role="alert">
          <strong>No data from the broker since {momentOf(staleSince)}.</strong> This page shows what was true
          then.
        </p>
      )}
      <main class={staleSince === undefined ? '' : 'stale'}>
        <View route={route} session={session} />
      </main>
    </>
  );
};

const Navigation: FunctionComponent<{ view: string }> = ({ view: current }) => {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the row scrolls sideways.
    ref.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [current]);
  return (
    <nav aria-label="Views" ref={ref}>
      {VIEWS.map(([view, title]) => (
        <a key={view} href={addressOf(view)} aria-current={view === current ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
};

const View: FunctionComponent<{ route: Route; session: SessionView }> = ({
  route: { view, item },
  session,
}) => {
  switch (view) {
    case 'live':
      return <LiveView />;
    case 'channels':
      return item === undefined ? <ChannelsView /> : <ChannelView key={item} name={item} />;
    case 'events':
      return <EventsView />;
    case 'publish':
      return <PublishView channel={item} />;
    case PROBE:
      return <ProbeView />;
    case 'webhooks':
      return <WebhooksView />;
    case 'keys':
      return <KeysView session={session} />;
    default:
      return <p>There is no such view.</p>;
  }
};
