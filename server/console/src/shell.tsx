import type { FunctionComponent } from 'preact';
import { useLive } from './live-context.ts';
import { addressOf, PROBE, type Route, useRoute } from './route.ts';
import { ChannelView } from './views/channel.tsx';
import { ChannelsView } from './views/channels.tsx';
import { EventsView } from './views/events.tsx';
import { KeysView } from './views/keys.tsx';
import { LiveView } from './views/live.tsx';
import { ProbeView } from './views/probe.tsx';
import { PublishView } from './views/publish.tsx';
import { WebhooksView } from './views/webhooks.tsx';
import type { Session } from './wire.ts';

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

/** What stands around every view. */
export const Shell: FunctionComponent<{ session: Session; onSignOut: () => void }> = ({
  session,
  onSignOut,
}) => {
  const route = useRoute();
  const { state } = useLive();
  return (
    <>
      <header class="top">
        <h1>
          Countersign <span class="app">{session.app.name}</span>
        </h1>
        <nav aria-label="Views">
          {VIEWS.map(([view, title]) => (
            <a key={view} href={addressOf(view)} aria-current={view === route.view ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <p class={`state ${state}`} role="status">
          {STATES[state]}
        </p>
        {session.signOut && (
          <button type="button" class="plain" onClick={onSignOut}>
            Sign out
          </button>
        )}
      </header>
      <main>
        <View route={route} session={session} />
      </main>
    </>
  );
};

const View: FunctionComponent<{ route: Route; session: Session }> = ({ route: { view, item }, session }) => {
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
