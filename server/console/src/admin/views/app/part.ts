import type { Answer } from '../../../data/use-answer.ts';
import type { AppView } from '../../data/wire.ts';

/** What a part of the page of an app gets. */
export interface PartProps {
  readonly app: AppView;
  /** Whether the user may change the app here. */
  readonly writable: boolean;
  /** Asks for the app anew. */
  readonly onChanged: Answer<AppView>['ask'];
}
