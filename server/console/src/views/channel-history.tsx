import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import type { ChannelHistory, KeptEvent } from '../data/wire.ts';
import { age, bytes, count, readable } from '../parts/format.ts';
import { UserLink } from '../parts/links.tsx';
import { OpeningCell } from '../parts/opening-cell.tsx';
import { Table } from '../parts/table.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const COLUMNS = 5;

/** The end of a channel's history, with the position of each event. */
export const HistoryPanel: FunctionComponent<{ history: ChannelHistory; freshness: string }> = ({
  history: { rule, events },
  freshness,
}) => {
  if (!rule) return null;
  return (
    <section class={freshness}>
      <div class="tools">
        <h3>History</h3>
        <p class="note">
          The rule <code>{rule.channels}</code> keeps {count(rule.messages)} events for{' '}
          {age(rule.seconds * 1000)}
          {rule.rewind > 0 && `, and sends the last ${count(rule.rewind)} to a new subscriber`}.
        </p>
      </div>
      {events.length === 0 ? (
        <p class="quiet">Nothing is kept at present.</p>
      ) : (
        <Table name="History" columns={['Time', 'Event', 'By', { number: 'Size' }, 'Position']}>
          {events.map((event) => (
            <Row key={event.position} event={event} />
          ))}
        </Table>
      )}
      {events.length > 0 && <p class="quiet">At most the last 50 are shown, the newest first.</p>}
    </section>
  );
};

const Row: FunctionComponent<{ event: KeptEvent }> = ({ event }) => {
  const [isOpen, setOpen] = useState(false);
  const { position, name, data, userId, atMs, bytes: size } = event;
  return (
    <>
      <tr>
        <OpeningCell
          at={atMs}
          label={`Data of the event at ${position}`}
          isOpen={isOpen}
          onToggle={() => setOpen(!isOpen)}
        />
        <th scope="row">
          <Untrusted text={name} />
        </th>
        <td>{userId !== undefined && <UserLink id={userId} />}</td>
        <td class="number">{bytes(size)}</td>
        <td class="position">
          <code>{position}</code>
        </td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={COLUMNS}>
            <pre>
              <code>
                <Untrusted text={readable(data)} lines />
              </code>
            </pre>
          </td>
        </tr>
      )}
    </>
  );
};
