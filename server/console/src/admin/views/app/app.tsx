import type { ComponentChildren, FunctionComponent } from 'preact';
import { useCallback } from 'preact/hooks';
import { useAnswer } from '../../../data/use-answer.ts';
import { addressOf } from '../../../frame/route.ts';
import { Empty } from '../../../parts/empty.tsx';
import { Failure } from '../../../parts/failure.tsx';
import { Untrusted } from '../../../parts/untrusted.tsx';
import { admin } from '../../data/admin-api.ts';
import { useRights } from '../../data/rights.ts';
import { KeysPart } from './keys.tsx';
import { OverviewPart } from './overview.tsx';
import type { PartProps } from './part.ts';
import { SettingsPart } from './settings.tsx';
import { UsagePart } from './usage.tsx';
import { WebhooksPart } from './webhooks.tsx';

const REFRESH_MS = 3000;

const PARTS: Readonly<
  Record<string, { readonly title: string; readonly part: FunctionComponent<PartProps> }>
> = {
  overview: { title: 'Overview', part: OverviewPart },
  keys: { title: 'Keys', part: KeysPart },
  webhooks: { title: 'Webhooks', part: WebhooksPart },
  usage: { title: 'Usage', part: UsagePart },
  settings: { title: 'Settings', part: SettingsPart },
};

/** One app: how it fares, its keys, webhooks and settings. */
export const AppPage: FunctionComponent<{ id: string; part: string | undefined }> = ({
  id,
  part = 'overview',
}) => {
  const { write } = useRights();
  const question = useCallback(() => admin.app(id), [id]);
  const { value: app, failure, ask } = useAnswer(question, REFRESH_MS);
  const isFile = app?.managed_by === 'file';
  const shown = Object.entries(PARTS).find(([name]) => name === part)?.[1];
  return (
    <>
      <div class="page-head">
        <h2>
          <Untrusted text={app?.name ?? id} />
        </h2>
        {app && app.name !== id && (
          <code class="quiet">
            <Untrusted text={id} />
          </code>
        )}
        {app?.enabled === false && <span class="pill warn">disabled</span>}
      </div>
      <nav class="chips tabs" aria-label="App">
        {Object.entries(PARTS).map(([name, { title }]) => (
          <a key={name} href={addressOf('apps', id, name)} aria-current={name === part ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Failure failure={failure} />
      {write && isFile && (
        <Notice>
          The configuration file of the broker manages this app: change it there. Apps that are made here can
          be changed here.
        </Notice>
      )}
      {app && !shown && <Empty title="There is no such page" />}
      {app && shown && <shown.part app={app} writable={write && !isFile} onChanged={ask} />}
    </>
  );
};

const Notice: FunctionComponent<{ children: ComponentChildren }> = ({ children }) => (
  <p class="notice">{children}</p>
);
