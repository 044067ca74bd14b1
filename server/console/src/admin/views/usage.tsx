import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { addressOf, replaceQuery } from '../../frame/route.ts';
import { Table } from '../../parts/table.tsx';
import { Untrusted } from '../../parts/untrusted.tsx';
import { useRights } from '../data/rights.ts';
import { FIELDS, type UsageAnswer } from '../data/usage.ts';
import type { UsageTotal } from '../data/wire.ts';
import { type Chosen, readChosen, UsagePanel } from '../parts/usage-panel.tsx';

/** What all apps use together, and which of them use most. */
export const UsageView: FunctionComponent<{ query: URLSearchParams }> = ({ query }) => {
  const [chosen, setChosen] = useState(() => readChosen(query));
  const choose = (next: Chosen) => {
    replaceQuery({ range: next.range, by: next.field });
    setChosen(next);
  };
  return (
    <>
      <h2>Usage</h2>
      <UsagePanel chosen={chosen} onChoose={choose}>
        {(answer: UsageAnswer) =>
          answer.apps && (
            <Busiest apps={answer.apps} title={FIELDS[chosen.field].title} field={chosen.field} />
          )
        }
      </UsagePanel>
    </>
  );
};

const Busiest: FunctionComponent<{
  apps: readonly UsageTotal[];
  title: string;
  field: Chosen['field'];
}> = ({ apps, title, field }) => {
  const { read } = useRights();
  const used = apps.filter((each) => each[field] > 0);
  if (used.length === 0) return null;
  return (
    <section class="panel">
      <h3>Apps that use most</h3>
      <Table name="Apps that use most" columns={['App', { number: title }]}>
        {used.map((each) => (
          <tr key={each.app}>
            <th scope="row">
              {read ? (
                <a href={addressOf('apps', each.app)}>
                  <Untrusted text={each.app} />
                </a>
              ) : (
                <Untrusted text={each.app} />
              )}
            </th>
            <td class="number">{FIELDS[field].print(each[field])}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
};
