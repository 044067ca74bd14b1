import type { FunctionComponent } from 'preact';
import { DiagnosisBox } from './diagnosis.tsx';
import { timeOf } from './format.ts';
import { addressOf } from './route.ts';
import type { Entry, EntryKind } from './wire.ts';

const TITLES: Readonly<Record<EntryKind, string>> = {
  connected: 'connected',
  disconnected: 'disconnected',
  signedIn: 'signed in',
  subscribed: 'subscribed',
  unsubscribed: 'unsubscribed',
  subscriptionRefused: 'subscription refused',
  signInRefused: 'sign-in refused',
  messageRefused: 'message refused',
  requestRefused: 'request refused',
  published: 'published',
};

export function isRefusal({ kind }: Entry): boolean {
  return kind.endsWith('Refused');
}

/** All that a line says, for the filter. */
export function textOf(entry: Entry): string {
  return [TITLES[entry.kind], detailOf(entry), entry.socketId, entry.channel, entry.diagnosis?.summary]
    .join(' ')
    .toLowerCase();
}

/** One line of the event stream. */
export const EntryLine: FunctionComponent<{ entry: Entry }> = ({ entry }) => (
  <li class={isRefusal(entry) ? 'refused' : ''}>
    <div class="line">
      <time dateTime={new Date(entry.at).toISOString()}>{timeOf(entry.at)}</time>
      <span class="kind">{TITLES[entry.kind]}</span>
      {entry.channel !== undefined && <a href={addressOf('channels', entry.channel)}>{entry.channel}</a>}
      <span class="detail">{detailOf(entry)}</span>
      {entry.socketId !== undefined && <code class="quiet">{entry.socketId}</code>}
    </div>
    {entry.diagnosis && <DiagnosisBox diagnosis={entry.diagnosis} />}
  </li>
);

function detailOf(entry: Entry): string {
  const { kind, client, address, code, reason, userId, method, path, status, name, data } = entry;
  switch (kind) {
    case 'connected':
      return `${client} from ${address}`;
    case 'disconnected':
      return `${code}${reason ? ` ${reason}` : closeText(code)}`;
    case 'signedIn':
      return `as ${userId}`;
    case 'subscribed':
      return userId === undefined ? '' : `as ${userId}`;
    case 'requestRefused':
      return `${status} ${method} ${path}: ${reason}`;
    case 'published':
      return `${name} ${data}`;
    default:
      return reason ?? '';
  }
}

/** What the usual codes mean that come without a reason. */
function closeText(code: number | undefined): string {
  switch (code) {
    case 1000:
      return ' closed by the client';
    case 1001:
      return ' the page was left';
    case 1005:
      return ' closed by the client without a code';
    case 1006:
      return ' the connection was lost without a word';
    default:
      return '';
  }
}
