import type { FunctionComponent } from 'preact';
import { useCallback, useEffect, useMemo } from 'preact/hooks';
import { ApiFailure } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { Help } from '../frame/help.tsx';
import { type Command, Palette } from '../frame/palette.tsx';
import { addressOf, type Route, useRoute } from '../frame/route.ts';
import { Sidebar } from '../frame/sidebar.tsx';
import { markTab } from '../frame/tab-mark.ts';
import { useWindows } from '../frame/use-windows.ts';
import { Empty } from '../parts/empty.tsx';
import { momentOf } from '../parts/format.ts';
import { admin } from './data/admin-api.ts';
import { type Rights, RightsProvider, rightsOf } from './data/rights.ts';
import type { Me } from './data/wire.ts';
import { AppPage } from './views/app/app.tsx';
import { AppsView } from './views/apps.tsx';
import { AuditView } from './views/audit.tsx';
import { NewAppView } from './views/new-app.tsx';
import { NodesView } from './views/nodes.tsx';
import { TokensView } from './views/tokens.tsx';
import { UsageView } from './views/usage.tsx';
import { viewGroupsOf } from './views.ts';

/** Milliseconds between two looks whether the broker answers, and whether the session stands. */
const PULSE_MS = 3000;
/** Apps that the palette offers. */
const MAX_APPS = 8;

/** The frame of all views of an administrator. */
export const AdminShell: FunctionComponent<{
  me: Me;
  onEnd: () => void;
  onSignOut: () => void;
}> = ({ me: first, onEnd, onSignOut }) => {
  const pulse = useCallback(
    () =>
      admin.session().catch((error: unknown) => {
        if (error instanceof ApiFailure && error.status === 401) onEnd();
        throw error;
      }),
    [onEnd],
  );
  const { value, failure } = useAnswer(pulse, PULSE_MS);
  const me = value ?? first;
  const rights = useMemo(() => rightsOf(me), [me.name, me.role, String(me.apps), me.has_store]);
  const groups = useMemo(() => viewGroupsOf(rights), [rights]);
  const views = useMemo(() => groups.flatMap(([, entries]) => entries), [groups]);
  const route = useRoute(views[0]?.view ?? '');
  const windows = useWindows(views);
  useEffect(() => {
    const title = views.find(({ view }) => view === route.view)?.title ?? 'Administration';
    markTab({ app: route.item ?? me.name, view: title, isStale: failure !== undefined, refusals: 0 });
  });
  const actions = useMemo<readonly Command[]>(
    () => [
      ...(rights.make
        ? [{ title: 'New app', hint: 'action', run: () => location.assign(addressOf('apps', 'new')) }]
        : []),
      { title: 'Change the colours', hint: 'action', run: windows.turnTheme },
      { title: 'Show the keys', hint: '?', run: windows.openHelp },
      { title: 'Sign out', hint: 'action', run: onSignOut },
    ],
    [rights, onSignOut],
  );
  return (
    <RightsProvider value={rights}>
      <div class="frame">
        <Sidebar
          subject={`${me.name} · ${me.role}`}
          groups={groups}
          view={route.view}
          state={failure ? ['failed', 'no answer'] : ['connected', 'connected']}
          theme={windows.theme}
          onTheme={windows.turnTheme}
          onFind={windows.openPalette}
          onSignOut={onSignOut}
        />
        <div>
          {failure && (
            <p class="stale-banner" role="alert">
              <strong>
                {failure.staleSince === undefined
                  ? failure.message
                  : `No answer from the broker since ${momentOf(failure.staleSince)}`}
                .
              </strong>{' '}
              This page shows what was true then, and asks again by itself.
            </p>
          )}
          <main class={failure ? 'stale' : ''}>
            <View route={route} rights={rights} views={views.map(({ view }) => view)} />
          </main>
        </div>
        {windows.open === 'palette' && (
          <Palette
            views={views}
            actions={actions}
            search={rights.read ? searchApps : searchNothing}
            what="a view, app or action"
            onClose={windows.close}
          />
        )}
        {windows.open === 'help' && <Help views={views} onClose={windows.close} />}
      </div>
    </RightsProvider>
  );
};

const View: FunctionComponent<{ route: Route; rights: Rights; views: readonly string[] }> = ({
  route,
  rights,
  views,
}) => {
  switch (views.includes(route.view) ? route.view : '') {
    case 'apps':
      if (route.item === 'new' && rights.make) return <NewAppView />;
      if (route.item !== undefined) return <AppPage key={route.item} id={route.item} part={route.part} />;
      return <AppsView key={String(route.query)} query={route.query} />;
    case 'usage':
      return <UsageView query={route.query} />;
    case 'nodes':
      return <NodesView />;
    case 'audit':
      return <AuditView key={String(route.query)} query={route.query} />;
    case 'tokens':
      return <TokensView />;
    default:
      return (
        <Empty title="There is no such view">
          The address may be mistyped, or your token does not allow it.{' '}
          <a href={addressOf(views[0] ?? '')}>Go back</a>
        </Empty>
      );
  }
};

/** Apps whose id or name holds a text. */
async function searchApps(text: string): Promise<readonly Command[]> {
  const { apps } = await admin.apps({ q: text, limit: String(MAX_APPS) });
  return apps.map(({ id, name = id }) => ({
    title: name,
    hint: id,
    run: () => location.assign(addressOf('apps', id)),
  }));
}

const searchNothing = async (): Promise<readonly Command[]> => [];
