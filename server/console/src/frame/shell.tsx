import type { FunctionComponent } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { api } from '../data/api.ts';
import { useLive } from '../data/live-context.ts';
import type { SessionView } from '../data/wire.ts';
import { Empty } from '../parts/empty.tsx';
import { momentOf } from '../parts/format.ts';
import { AuditView } from '../views/audit.tsx';
import { ChannelView } from '../views/channel.tsx';
import { ChannelsView } from '../views/channels.tsx';
import { ConnectionView } from '../views/connection.tsx';
import { EventsView } from '../views/events.tsx';
import { KeysView } from '../views/keys.tsx';
import { LiveView } from '../views/live.tsx';
import { ProbeView } from '../views/probe.tsx';
import { PublishView } from '../views/publish.tsx';
import { RecordingView } from '../views/recording.tsx';
import { RecordingsView } from '../views/recordings.tsx';
import { UserView } from '../views/user.tsx';
import { UsersView } from '../views/users.tsx';
import { WebhooksView } from '../views/webhooks.tsx';
import { Header } from './header.tsx';
import { Help } from './help.tsx';
import { type Command, Palette } from './palette.tsx';
import { addressOf, PROBE, type Route, useRoute } from './route.ts';
import { markTab } from './tab-mark.ts';
import { useWindows } from './use-windows.ts';
import { VIEWS } from './views.ts';

/** Channels that the palette offers. */
const MAX_CHANNELS = 8;
const SOCKET_ID = /^\d+\.\d+$/;

/** Occupied channels whose names hold a text, and the user and the connection of that id. */
async function searchApp(text: string): Promise<readonly Command[]> {
  const { channels } = await api.channels({ contains: text });
  const open = (view: string, item: string) => () => location.assign(addressOf(view, item));
  const found = channels
    .slice(0, MAX_CHANNELS)
    .map(({ name }) => ({ title: name, hint: 'channel', run: open('channels', name) }));
  if (text === '') return found;
  const connection = { title: text, hint: 'connection', run: open('connections', text) };
  const user = { title: text, hint: 'user', run: open('users', text) };
  return [...found, ...(SOCKET_ID.test(text) ? [connection] : []), user];
}

/** The frame of all views: name of the app, navigation, state of the connection. */
export const Shell: FunctionComponent<{ session: SessionView; onSignOut: () => void }> = ({
  session,
  onSignOut,
}) => {
  const route = useRoute('live');
  const live = useLive();
  const { staleSince, unseenRefusals } = live;
  const windows = useWindows(VIEWS);
  useEffect(() => {
    const view = VIEWS.find((each) => each.view === route.view)?.title ?? 'Console';
    const isStale = staleSince !== undefined;
    markTab({ app: session.app.name, view, isStale, refusals: unseenRefusals });
  });
  const actions = useMemo<readonly Command[]>(
    () => [
      { title: 'Change the colours', hint: 'action', run: windows.turnTheme },
      { title: 'Show the keys', hint: '?', run: windows.openHelp },
      ...(session.signOut ? [{ title: 'Sign out', hint: 'action', run: onSignOut }] : []),
    ],
    [session, onSignOut],
  );
  return (
    <div class="frame">
      <Header
        session={session}
        view={route.view}
        theme={windows.theme}
        onTheme={windows.turnTheme}
        onFind={windows.openPalette}
        onSignOut={onSignOut}
      />
      <div>
        {staleSince !== undefined && (
          <p class="stale-banner" role="alert">
            <strong>No data from the broker since {momentOf(staleSince)}.</strong> This page shows what was
            true then, and connects again by itself.
          </p>
        )}
        <main class={staleSince === undefined ? '' : 'stale'}>
          <View route={route} session={session} />
        </main>
      </div>
      {windows.open === 'palette' && (
        <Palette
          views={VIEWS}
          actions={actions}
          search={searchApp}
          what="a view, channel, user or action"
          onClose={windows.close}
        />
      )}
      {windows.open === 'help' && <Help views={VIEWS} onClose={windows.close} />}
    </div>
  );
};

const View: FunctionComponent<{ route: Route; session: SessionView }> = ({ route, session }) => {
  const { view, item } = route;
  switch (view) {
    case 'live':
      return <LiveView session={session} route={route} />;
    case 'channels':
      return item === undefined ? <ChannelsView /> : <ChannelView key={item} name={item} />;
    case 'users':
      return item === undefined ? <UsersView /> : <UserView key={item} id={item} />;
    case 'connections':
      return item === undefined ? <EventsView route={route} /> : <ConnectionView key={item} id={item} />;
    case 'events':
      return <EventsView route={route} />;
    case 'audit':
      return <AuditView key={String(route.query)} query={route.query} />;
    case 'recordings':
      return item === undefined ? <RecordingsView /> : <RecordingView key={item} id={item} />;
    case 'publish':
      return <PublishView channel={item} />;
    case PROBE:
      return <ProbeView />;
    case 'webhooks':
      return <WebhooksView />;
    case 'keys':
      return <KeysView session={session} />;
    default:
      return (
        <Empty title="There is no such view">
          The address may be mistyped. <a href={addressOf('live')}>Go to Live</a>
        </Empty>
      );
  }
};
