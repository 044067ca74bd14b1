import type { IconName } from '../parts/icon.tsx';
import { PROBE } from './route.ts';

/** One entry of the navigation. */
export interface ViewEntry {
  readonly view: string;
  readonly title: string;
  readonly icon: IconName;
  /** Opens it after `g`. */
  readonly letter: string;
}

/** Views in the groups of the navigation. */
export type ViewGroups = readonly (readonly [title: string, entries: readonly ViewEntry[]])[];

/** The views of an app. */
export const VIEW_GROUPS: ViewGroups = [
  [
    'Watch',
    [
      { view: 'live', title: 'Live', icon: 'live', letter: 'l' },
      { view: 'events', title: 'Events', icon: 'events', letter: 'e' },
      { view: 'channels', title: 'Channels', icon: 'channels', letter: 'c' },
      { view: 'users', title: 'Users', icon: 'users', letter: 'u' },
    ],
  ],
  [
    'Try',
    [
      { view: 'publish', title: 'Publish', icon: 'publish', letter: 'p' },
      { view: PROBE, title: 'Auth probe', icon: 'probe', letter: 'a' },
    ],
  ],
  [
    'Prove',
    [
      { view: 'audit', title: 'Audit', icon: 'audit', letter: 't' },
      { view: 'recordings', title: 'Recordings', icon: 'recordings', letter: 'r' },
    ],
  ],
  [
    'Run',
    [
      { view: 'webhooks', title: 'Webhooks', icon: 'webhooks', letter: 'w' },
      { view: 'keys', title: 'Keys', icon: 'keys', letter: 'k' },
    ],
  ],
];

export const VIEWS: readonly ViewEntry[] = VIEW_GROUPS.flatMap(([, entries]) => entries);
