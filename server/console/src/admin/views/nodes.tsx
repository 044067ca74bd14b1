import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { useAnswer } from '../../data/use-answer.ts';
import { useOutcome } from '../../data/use-outcome.ts';
import { Confirm, type Question } from '../../parts/confirm.tsx';
import { Failure } from '../../parts/failure.tsx';
import { age, count, countOf } from '../../parts/format.ts';
import { OutcomeLine } from '../../parts/outcome-line.tsx';
import { ACTIONS, Table } from '../../parts/table.tsx';
import { admin } from '../data/admin-api.ts';
import { useRights } from '../data/rights.ts';
import type { NodeView } from '../data/wire.ts';
import { Meter } from '../parts/meter.tsx';

const REFRESH_MS = 2000;
const KINDS: Readonly<Record<NodeView['state'], string>> = { ready: 'good', draining: 'warn', lost: 'bad' };

/** The nodes of the service: what each has, and a drain before it is stopped. */
export const NodesView: FunctionComponent = () => {
  const { write } = useRights();
  const { value: nodes, failure, ask } = useAnswer(admin.nodes, REFRESH_MS);
  const { outcome, run } = useOutcome(ask);
  const [question, setQuestion] = useState<Question>();
  const drain = ({ id, connections, self }: NodeView) =>
    setQuestion({
      title: `Drain ${id}?`,
      text: `It takes no new connections, closes its ${countOf(connections, 'connection')} one after the other, and ends, as by SIGTERM. Clients connect to the other nodes.${self ? ' It is the node that shows you this page.' : ''}`,
      verb: 'Drain',
      run: () => run(admin.drain(id).then(() => `${id} drains.`)),
    });
  return (
    <>
      <h2>Nodes</h2>
      <Failure failure={failure} />
      <OutcomeLine outcome={outcome} />
      {nodes && (
        <section class={failure ? 'panel stale' : 'panel'} aria-label="Nodes">
          <Table
            name="Nodes"
            class="named"
            columns={[
              'Node',
              'State',
              { number: 'Connections' },
              'Load',
              'Version',
              'Up',
              ...(write ? ([ACTIONS] as const) : []),
            ]}
          >
            {nodes.map((node) => {
              const { id, state, connections, load, version, since, self } = node;
              const share = `${Math.round(load * 100)} %`;
              return (
                <tr key={id}>
                  <th scope="row">
                    <code>{id}</code>
                    {self && <span class="note"> answers this page</span>}
                  </th>
                  <td>
                    <span class={`pill ${KINDS[state]}`}>{state}</span>
                  </td>
                  <td class="number">{count(connections)}</td>
                  <td>
                    <Meter ratio={load} label={`Load ${share}`} />
                    <span class="note">{share}</span>
                  </td>
                  <td>{version}</td>
                  <td>{since > 0 ? age(Date.now() - since * 1000) : ''}</td>
                  {write && (
                    <td class="actions">
                      {state === 'ready' && (
                        <button type="button" class="danger" onClick={() => drain(node)}>
                          Drain
                        </button>
                      )}
                    </td>
                  )}
                </tr>
              );
            })}
          </Table>
          {nodes.length === 1 && (
            <p class="note">
              One node serves everybody. With <code>redis</code> in the configuration, more nodes share the
              work, and clients survive the end of one.
            </p>
          )}
        </section>
      )}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </>
  );
};
