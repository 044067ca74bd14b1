import type { ComponentChildren, FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { sortOf } from '../../data/filter.ts';
import { isRefusal } from '../../data/live.ts';
import type { EventLine } from '../../data/wire.ts';
import { countOf, readable, timeOf } from '../format.ts';
import { Icon } from '../icon.tsx';
import { ChannelLink, SocketLink, UserLink } from '../links.tsx';
import { Untrusted } from '../untrusted.tsx';
import { DiagnosisBox } from './diagnosis.tsx';
import { type Detail, detailsOf, titleOf } from './entry-text.ts';

const DOTS = {
  published: 'publish',
  client: 'client',
  joined: 'join',
  connected: '',
  refused: 'refusal',
} as const;

/**
 * One line of the event stream, which opens to everything that is known of it.
 *
 * @param times how often the same happened, if the line stands for all of them
 */
export const EntryLine: FunctionComponent<{ entry: EventLine; times?: number }> = ({ entry, times = 1 }) => {
  const [isOpen, setOpen] = useState(false);
  const title = titleOf(entry);
  return (
    <li class={isRefusal(entry) ? 'refused' : ''}>
      <div class="line">
        <button
          type="button"
          class="bare toggle"
          data-toggle
          aria-expanded={isOpen}
          aria-label={`Details of ${title} at ${timeOf(entry.at)}`}
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name="more" />
        </button>
        <time dateTime={new Date(entry.at).toISOString()}>{timeOf(entry.at)}</time>
        <span class="kind">
          <span class={`dot ${DOTS[sortOf(entry)]}`} /> {title}
          {times > 1 && <span class="badge">× {times}</span>}
        </span>
        <span class="detail">
          {entry.channel !== undefined && (
            <>
              <ChannelLink name={entry.channel} />{' '}
            </>
          )}
          <Details parts={detailsOf(entry)} />
        </span>
        <Reach entry={entry} />
        {entry.socketId !== undefined && <SocketLink id={entry.socketId} />}
      </div>
      {isOpen && <Facts entry={entry} />}
      {entry.diagnosis && <DiagnosisBox diagnosis={entry.diagnosis} />}
    </li>
  );
};

const Details: FunctionComponent<{ parts: readonly Detail[] }> = ({ parts }) =>
  parts.map((part, index) => {
    const text = typeof part === 'string' ? part : <Untrusted text={part.untrusted} />;
    const isCode = typeof part !== 'string' && part.isCode;
    return [index > 0 && ' ', isCode ? <code class="quiet">{text}</code> : text];
  });

/** How many received an event. */
const Reach: FunctionComponent<{ entry: EventLine }> = ({ entry: { kind, receivers } }) => {
  if (kind !== 'published' || receivers === undefined) return null;
  if (receivers === 0) return <span class="pill warn">nobody received it</span>;
  return <span class="note">{receivers} received it</span>;
};

/** Everything that is known of an event. */
const Facts: FunctionComponent<{ entry: EventLine }> = ({ entry }) => {
  const { data, bytes, name, userId, key, client, address, sender, errorCode, reason, code, at } = entry;
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    ['time', new Date(at).toISOString()],
    ['event', name],
    ['size', bytes === undefined ? undefined : countOf(bytes, 'byte')],
    ['sender', sender && <SocketLink id={sender} />],
    ['user', userId && <UserLink id={userId} />],
    ['key', key],
    ['client', client],
    ['address', address],
    ['close code', code === undefined ? undefined : String(code)],
    ['error code', errorCode],
    ['reason', reason],
  ];
  return (
    <div class="facts">
      <dl>
        {facts.map(
          ([term, value]) =>
            value && [
              <dt key={term}>{term}</dt>,
              <dd key={`${term} value`}>{typeof value === 'string' ? <Untrusted text={value} /> : value}</dd>,
            ],
        )}
      </dl>
      {data !== undefined && (
        <pre>
          <code>
            <Untrusted text={readable(data)} lines />
          </code>
        </pre>
      )}
    </div>
  );
};
