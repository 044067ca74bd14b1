import type { ViewEntry, ViewGroups } from '../frame/views.ts';
import type { Rights } from './data/rights.ts';

const APPS: ViewEntry = { view: 'apps', title: 'Apps', icon: 'apps', letter: 'a' };

/** The views that a user may open, in the groups of the navigation. */
export function viewGroupsOf({ read }: Rights): ViewGroups {
  return [['Apps', read ? [APPS] : []]];
}
