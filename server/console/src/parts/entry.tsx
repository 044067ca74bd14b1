import type { FunctionComponent } from 'preact';
import { isRefusal } from '../data/live.ts';
import type { EventLine } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { DiagnosisBox } from './diagnosis.tsx';
import { timeOf } from './format.ts';
import { Untrusted } from './untrusted.tsx';

const TITLES: Readonly<Record<EventLine['kind'], string>> = {
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

/** The whole text of a line, for the filter. */
export function textOf(entry: EventLine): string {
  const details = detailsOf(entry).map((part) => (typeof part === 'string' ? part : part.untrusted));
  return [TITLES[entry.kind], ...details, entry.socketId, entry.channel, entry.diagnosis?.summary]
    .join(' ')
    .toLowerCase();
}

/** One line of the event stream. */
export const EntryLine: FunctionComponent<{ entry: EventLine }> = ({ entry }) => (
  <li class={isRefusal(entry) ? 'refused' : ''}>
    <div class="line">
      <time dateTime={new Date(entry.at).toISOString()}>{timeOf(entry.at)}</time>
      <span class="kind">{TITLES[entry.kind]}</span>
      {entry.channel !== undefined && (
        <a href={addressOf('channels', entry.channel)}>
          <Untrusted text={entry.channel} />
        </a>
      )}
      <span class="detail">
        {detailsOf(entry).map((part, index) => [
          index > 0 && ' ',
          typeof part === 'string' ? part : <Untrusted text={part.untrusted} />,
        ])}
      </span>
      {entry.socketId !== undefined && <code class="quiet">{entry.socketId}</code>}
    </div>
    {entry.diagnosis && <DiagnosisBox diagnosis={entry.diagnosis} />}
  </li>
);

/** A word of ours, or text from outside. */
type Detail = string | { readonly untrusted: string };

function detailsOf(entry: EventLine): readonly Detail[] {
  const { kind, client = '', address = '', code, errorCode = '', reason = '', userId } = entry;
  const { method, path = '', status, name = '', data = '' } = entry;
  switch (kind) {
    case 'connected':
      return [{ untrusted: client }, 'from', { untrusted: address }];
    case 'disconnected':
      return [String(code), reason ? { untrusted: reason } : closeText(code)];
    case 'signedIn':
    case 'subscribed':
      return userId === undefined ? [] : ['as', { untrusted: userId }];
    case 'requestRefused':
      return [`${status} ${method}`, { untrusted: path }, errorCode, { untrusted: reason }];
    case 'published':
      return [{ untrusted: name }, { untrusted: data }];
    default:
      return [errorCode, { untrusted: reason }];
  }
}

/** What the usual close codes mean that come without a reason. */
function closeText(code: number | undefined): string {
  switch (code) {
    case 1000:
      return 'closed by the client';
    case 1001:
      return 'the user left the page';
    case 1005:
      return 'closed by the client without a code';
    case 1006:
      return 'connection lost (no close frame)';
    default:
      return '';
  }
}
