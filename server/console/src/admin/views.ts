import type { ViewEntry, ViewGroups } from '../frame/views.ts';
import type { Rights } from './data/rights.ts';

const APPS: ViewEntry = { view: 'apps', title: 'Apps', icon: 'apps', letter: 'a' };

const USAGE: ViewEntry = { view: 'usage', title: 'Usage', icon: 'usage', letter: 'u' };
const NODES: ViewEntry = { view: 'nodes', title: 'Nodes', icon: 'nodes', letter: 'n' };
const AUDIT: ViewEntry = { view: 'audit', title: 'Audit', icon: 'audit', letter: 't' };
const TOKENS: ViewEntry = { view: 'tokens', title: 'Tokens', icon: 'keys', letter: 'k' };

/** The views that a user may open, in the groups of the navigation. */
export function viewGroupsOf({ read, wide, tokens }: Rights): ViewGroups {
  const service = [...(read && wide ? [NODES] : []), ...(read ? [AUDIT] : []), ...(tokens ? [TOKENS] : [])];
  return [
    ['Apps', [...(read ? [APPS] : []), USAGE]],
    ...(service.length > 0 ? ([['Service', service]] as const) : []),
  ];
}
