import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Me } from './wire.ts';

/** What a user may do. The broker decides; the pages hide what it would refuse. */
export interface Rights {
  readonly me: Me;
  /** Everything but usage, and tokens. */
  readonly read: boolean;
  readonly write: boolean;
  /** What concerns the whole service. */
  readonly wide: boolean;
  readonly make: boolean;
  readonly tokens: boolean;
}

export function rightsOf(me: Me): Rights {
  const { role, apps, has_store: hasStore } = me;
  const write = role === 'owner' || role === 'operator';
  const wide = apps === undefined;
  return {
    me,
    read: role !== 'billing',
    write,
    wide,
    make: write && wide && hasStore,
    tokens: role === 'owner' && wide,
  };
}

const RightsContext = createContext<Rights | undefined>(undefined);
export const RightsProvider = RightsContext.Provider;

export function useRights(): Rights {
  const rights = useContext(RightsContext);
  if (!rights) throw new Error('Nobody has signed in with an admin token');
  return rights;
}
