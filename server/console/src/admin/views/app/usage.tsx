import type { FunctionComponent } from 'preact';
import { useState } from 'preact/hooks';
import { readChosen, UsagePanel } from '../../parts/usage-panel.tsx';
import type { PartProps } from './part.ts';

/** What one app uses. */
export const UsagePart: FunctionComponent<PartProps> = ({ app: { id } }) => {
  const [chosen, setChosen] = useState(() => readChosen(new URLSearchParams()));
  return <UsagePanel app={id} chosen={chosen} onChoose={setChosen} />;
};
