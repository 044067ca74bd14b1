import type { FunctionComponent } from 'preact';
import { useCallback, useMemo } from 'preact/hooks';
import { api } from '../../data/api.ts';
import { useAnswer } from '../../data/use-answer.ts';
import type { AuditRecord } from '../../data/wire.ts';
import { addressOf } from '../../frame/route.ts';
import { Failure } from '../failure.tsx';
import { countOf, momentOf } from '../format.ts';
import { ChannelLink, SocketLink, UserLink } from '../links.tsx';
import { Table } from '../table.tsx';
import { Untrusted } from '../untrusted.tsx';

const REFRESH_MS = 5000;
const HOUR_MS = 3_600_000;

/** What the audit log says of one user or channel in the hour before the page was opened and since, and the way to all of it. */
export const Happened: FunctionComponent<{ about: Readonly<Record<string, string>> }> = ({ about }) => {
  const query = String(new URLSearchParams(about));
  const from = useMemo(() => String(Math.floor((Date.now() - HOUR_MS) / 1000)), []);
  const question = useCallback(
    () => api.audit({ ...Object.fromEntries(new URLSearchParams(query)), from, limit: '1000' }),
    [query, from],
  );
  const { value: page, failure } = useAnswer(question, REFRESH_MS);
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h3>What happened</h3>
        <p class="note">in the last hour, by the audit log</p>
        <p class="end">
          <a href={`${addressOf('audit')}?${query}`}>Search the log</a>
        </p>
      </div>
      <Failure failure={failure} />
      {page && <RecordTable records={page.records} />}
      {page?.cursor !== undefined && (
        <p class="quiet">The first {countOf(page.records.length, 'record')} are shown.</p>
      )}
      {page === null && <AuditIsOff />}
    </section>
  );
};

/** What to do for a log. */
export const AuditIsOff: FunctionComponent = () => (
  <p class="quiet">
    The audit log is off. Set <code>audit.enabled</code> in the configuration of the broker, and it keeps who
    was let into what, what was refused and what was taken back.
  </p>
);

/** Records of the audit log. */
export const RecordTable: FunctionComponent<{ records: readonly AuditRecord[] }> = ({ records }) =>
  records.length === 0 ? (
    <p class="quiet">The log has nothing of this.</p>
  ) : (
    <Table
      name="Records"
      columns={['Time', 'What', 'User', 'Channel', 'Why, and by whom', 'Connection']}
      class="log"
    >
      {records.map((record) => (
        <Row key={`${record.node} ${record.seq}`} record={record} />
      ))}
    </Table>
  );

const Row: FunctionComponent<{ record: AuditRecord }> = ({ record }) => {
  const { at_ms: at, type, user_id: user, channel, code, reason, actor, key, grant_id: grant } = record;
  const why = [code, reason, actor && `by ${actor}`, key && `key ${key}`].filter((part) => part);
  return (
    <tr>
      <td>
        <time dateTime={new Date(at).toISOString()}>{momentOf(at)}</time>
      </td>
      <th scope="row">
        <span class={`dot ${dotOf(type)}`} /> {type.replaceAll('_', ' ')}
      </th>
      <td>{user !== undefined && <UserLink id={user} />}</td>
      <td>{channel !== undefined && <ChannelLink name={channel} />}</td>
      <td>
        <Untrusted text={why.join(' · ')} />
        {grant !== undefined && (
          <>
            {' '}
            <a href={`${addressOf('audit')}?grant_id=${encodeURIComponent(grant)}`}>grant</a>
          </>
        )}
      </td>
      <td>{record.socket_id !== undefined && <SocketLink id={record.socket_id} />}</td>
    </tr>
  );
};

function dotOf(type: AuditRecord['type']): string {
  if (type.endsWith('_refused') || type === 'records_lost') return 'refusal';
  return type === 'grant_used' || type === 'grant_renewed' || type === 'signed_in' ? 'join' : '';
}
