/** The settings of an app of soketi, and of Sockudo, which has the same ones in snake case and some more. */
import type { AppInput } from '../../apps/app.ts';
import { OWN_HEADERS, type WebhookEventName, webhookEventNames } from '../../apps/hook.ts';
import { appOf, credentialsOf } from './draft.ts';
import type { Fields } from './fields.ts';
import { originsOf } from './origins.ts';

const KB = 1024;
/** Names of webhook events that are called otherwise here. */
const EVENTS: ReadonlyMap<unknown, WebhookEventName> = new Map<unknown, WebhookEventName>([
  ...webhookEventNames.map((name) => [name, name] as const),
  ['cache_missed', 'cache_miss'],
]);

/** Writes a name in snake case as the file does. */
export type Spelling = (name: string) => string;

export const camelCase: Spelling = (name) =>
  name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
export const snakeCase: Spelling = (name) => name;

export function readApp(app: Fields, as: Spelling): AppInput {
  const bytes = (name: string) => {
    const size = app.number(as(name));
    if (size === undefined || size * KB >= 1) return size && Math.floor(size * KB);
    return app.ignore(as(name), 'there is always a limit here; the default is kept');
  };
  const read = appOf({
    ...credentialsOf(app, { id: 'id', key: 'key', secret: 'secret' }),
    name: app.text('name'),
    enabled: app.flag('enabled'),
    clientEvents: app.flag(as('enable_client_messages')),
    requireUserAuthentication: app.flag(as('enable_user_authentication')),
    allowedOrigins: originsOf(app, as('allowed_origins')),
    limits: {
      connections: app.countOrUnlimited(as('max_connections')),
      clientEventsPerSecond: app.countOrUnlimited(as('max_client_events_per_second')),
      httpRequestsPerSecond: requestRate(app, as),
      presenceMembers: app.count(as('max_presence_members_per_channel')),
      presenceMemberBytes: bytes('max_presence_member_size_in_kb'),
      channelNameLength: app.count(as('max_channel_name_length')),
      channelsPerPublish: app.count(as('max_event_channels_at_once')),
      eventNameLength: app.count(as('max_event_name_length')),
      eventDataBytes: bytes('max_event_payload_in_kb'),
      batchSize: app.count(as('max_event_batch_size')),
    },
    webhooks: webhooksOf(app),
  });
  app.ignoreRest({
    [as('enable_watchlist_events')]: 'watchlists are always there: clients name them as they sign in',
  });
  return read;
}

/** There the events and the questions of backends are counted apart; here their requests are counted. */
function requestRate(app: Fields, as: Spelling): number | null | undefined {
  const rates = ['max_backend_events_per_second', 'max_read_requests_per_second']
    .map((name) => app.countOrUnlimited(as(name)))
    .filter((rate) => rate !== undefined);
  if (rates.length === 0) return undefined;
  return rates.includes(null) ? null : rates.reduce<number>((sum, rate) => sum + (rate ?? 0), 0);
}

/** These have the same names in both. */
function webhooksOf(app: Fields): AppInput['webhooks'] {
  const urls = new Set<string>();
  const hooks = app.sections('webhooks').flatMap((hook, index) => {
    const url = hook.text('url');
    const types = hook.list('event_types');
    const events = new Set(types.flatMap((type) => EVENTS.get(type) ?? []));
    const unknown = types.filter((type) => !EVENTS.has(type));
    if (unknown.length > 0) hook.ignore('event_types', `nothing here is like ${unknown.join(', ')}`);
    const headers = hook.section('headers');
    const filter = hook.section('filter');
    const channelPrefix = filter.text('channel_name_starts_with') ?? filter.text('channel_prefix');
    filter.ignoreRest(
      Object.fromEntries(
        ['channel_name_ends_with', 'channel_suffix', 'channel_pattern', 'channel_namespace'].map((name) => [
          name,
          'only the beginning of names can be asked for: the webhook gets more',
        ]),
      ),
    );
    if (url === undefined || events.size === 0) {
      app.ignored.push({ path: hook.path, why: 'a webhook has a "url" and events' });
      return [];
    }
    hook.ignoreRest();
    const isSecond = urls.has(url);
    urls.add(url);
    return [
      {
        // The id comes from the URL, and one is for one webhook.
        ...(isSecond && { id: `webhook-${index + 1}` }),
        url,
        events: [...events],
        ...(channelPrefix !== undefined && { channelPrefix }),
        ...headersOf(headers),
      },
    ];
  });
  return hooks.length > 0 ? hooks : undefined;
}

function headersOf(headers: Fields): { readonly headers?: Readonly<Record<string, string>> } {
  for (const name of headers.names) {
    if (OWN_HEADERS.test(name)) headers.ignore(name, 'the broker sends this header itself');
  }
  const entries = headers.names.flatMap((name) => {
    const text = headers.text(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return entries.length > 0 ? { headers: Object.fromEntries(entries) } : {};
}
