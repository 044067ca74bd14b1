import type { EventLine } from '../../data/wire.ts';

/** A word of ours, or text from outside. */
export type Detail = string | { readonly untrusted: string; readonly isCode?: boolean };

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

export function titleOf({ kind, sender }: EventLine): string {
  return kind === 'published' && sender !== undefined ? 'client event' : TITLES[kind];
}

/** The whole text of a line, for the filter. */
export function textOf(entry: EventLine): string {
  const details = detailsOf(entry).map((part) => (typeof part === 'string' ? part : part.untrusted));
  const { socketId, channel, diagnosis } = entry;
  return [titleOf(entry), ...details, socketId, channel, diagnosis?.summary].join(' ').toLowerCase();
}

export function detailsOf(entry: EventLine): readonly Detail[] {
  const { kind, client = '', address = '', code, errorCode = '', reason = '', userId } = entry;
  const { method, path = '', status, name = '', data = '', sender } = entry;
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
      return [
        { untrusted: name },
        { untrusted: data, isCode: true },
        ...(sender === undefined ? [] : ['from', sender]),
      ];
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
