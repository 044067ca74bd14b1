'use client';

/** The entry `@countersign/sdk-client/devtools`: a drawer that shows what the client does. */
import {
  type CSSProperties,
  createElement as h,
  type ReactElement,
  type ReactNode,
  useEffect,
  useReducer,
  useRef,
  useState,
} from 'react';
import type { AnyChannels } from './channels/channel-map.ts';
import type { Countersign } from './client.ts';
import type { Message } from './connection/protocol.ts';

/** Frames that are shown. */
const LIMIT = 50;
/** Characters of data that are shown of each. */
const MAX_DATA = 200;

interface Line {
  readonly id: number;
  readonly time: string;
  readonly text: string;
}

const FONT: CSSProperties = { font: '12px/1.5 ui-monospace, monospace', color: '#e6e6ea' };
const BUTTON: CSSProperties = {
  ...FONT,
  background: '#2b2b36',
  border: '1px solid #4a4a5a',
  borderRadius: 6,
  padding: '4px 10px',
  cursor: 'pointer',
};
const CORNER: CSSProperties = { position: 'fixed', right: 12, bottom: 12, zIndex: 2147483647 };
const DRAWER: CSSProperties = {
  ...FONT,
  ...CORNER,
  width: 'min(440px, calc(100vw - 24px))',
  maxHeight: '60vh',
  overflow: 'auto',
  boxSizing: 'border-box',
  padding: 12,
  background: '#17171c',
  border: '1px solid #4a4a5a',
  borderRadius: 10,
  overflowWrap: 'anywhere',
};
const COLOURS: Readonly<Record<string, string>> = {
  connected: '#5ad18c',
  subscribed: '#5ad18c',
  refused: '#ff7b72',
  failed: '#ff7b72',
  disconnected: '#ff7b72',
};

/**
 * A drawer for development in a corner of the page: the state of the connection, the channels with why they are not
 * subscribed, and the last frames of the broker. Mount it once, in development only.
 *
 * @example
 * ```tsx
 * const page = <CountersignDevtools client={client} />;
 * ```
 */
export function CountersignDevtools<ChannelMap extends object = AnyChannels>({
  client,
  initiallyOpen = false,
}: {
  readonly client: Countersign<ChannelMap> | null;
  readonly initiallyOpen?: boolean | undefined;
}): ReactElement | null {
  const [isOpen, setOpen] = useState(initiallyOpen);
  const lines = useLines(client as Countersign | null);
  if (!client) return null;
  const { connection } = client;
  const { state, socket_id: socketId } = connection;
  if (!isOpen) {
    const label = ['Countersign ', mark(state)];
    return h(
      'button',
      { type: 'button', style: { ...BUTTON, ...CORNER }, onClick: () => setOpen(true) },
      ...label,
    );
  }
  const channels = client.allChannels();
  const report = (): string =>
    [
      `${state} ${socketId ?? ''}`,
      ...channels.map(({ name, status, error }) => `${name} ${status} ${error?.message ?? ''}`),
      ...lines.map(({ time, text }) => `${time} ${text}`),
    ].join('\n');
  const act = (text: string, onClick: () => unknown) =>
    h('button', { type: 'button', style: BUTTON, onClick }, text);
  return h(
    'section',
    { style: DRAWER, 'aria-label': 'Countersign devtools' },
    h(
      'header',
      { style: { display: 'flex', gap: 8, alignItems: 'center', flexWrap: 'wrap' } },
      h('b', { style: { flex: 1 } }, 'Countersign ', mark(state)),
      act('Copy', () => navigator.clipboard.writeText(report())),
      state === 'disconnected' || state === 'failed'
        ? act('Connect', () => client.connect())
        : act('Disconnect', () => client.disconnect()),
      act('Close', () => setOpen(false)),
    ),
    line('socket id', socketId ?? 'none'),
    client.user.user_data && line('user', client.user.user_data.id),
    heading('Channels'),
    ...channels.map(({ name, status, error }) =>
      h(
        'div',
        { key: name },
        `${name} `,
        mark(status),
        error && h('div', { style: { color: '#ffb3ad' } }, error.message),
      ),
    ),
    heading('Last frames'),
    ...lines.map(({ id, time, text }) =>
      h('div', { key: id }, h('span', { style: { opacity: 0.6 } }, `${time} `), text),
    ),
  );
}

/** The last frames, the newest first; renders again when anything that the drawer shows may have changed. */
function useLines(client: Countersign | null): readonly Line[] {
  const lines = useRef<readonly Line[]>([]);
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (!client) return undefined;
    let id = 0;
    let frame = 0;
    // Once a frame of the screen, however many events come.
    const changed = (): void => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        render();
      });
    };
    const ends = [
      client.connection.on('message', (message) => {
        const time = new Date().toTimeString().slice(0, 8);
        lines.current = [{ id: id++, time, text: textOf(message) }, ...lines.current].slice(0, LIMIT);
        changed();
      }),
      client.connection.on('state_change', changed),
      // Among them the failures of endpoints, which no frame tells.
      client.onAny(changed),
      client.user.onAny(changed),
    ];
    changed();
    return () => {
      cancelAnimationFrame(frame);
      lines.current = [];
      for (const end of ends) end();
    };
  }, [client]);
  return lines.current;
}

function textOf({ event, channel = '', data }: Message): string {
  const text = JSON.stringify(data) ?? '';
  return `${event} ${channel} ${text.length > MAX_DATA ? `${text.slice(0, MAX_DATA)}…` : text}`;
}

function mark(state: string): ReactElement {
  return h('span', { style: { color: COLOURS[state] ?? '#f2c14e' } }, state);
}

function line(name: string, value: string): ReactElement {
  return h('div', { key: name }, h('span', { style: { opacity: 0.6 } }, `${name} `), value);
}

function heading(text: string): ReactNode {
  return h('b', { key: text, style: { display: 'block', marginTop: 8 } }, text);
}
