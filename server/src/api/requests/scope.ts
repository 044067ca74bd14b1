import type { AppKey } from '../../apps/keys/app-key.ts';
import { scopeMissing } from '../../apps/keys/key-scope.ts';
import { ApiError } from '../../errors.ts';

/** @throws ApiError 403 that names the scope which the key lacks */
export function checkScope({ name }: AppKey, missing: string | undefined): void {
  if (missing === undefined) return;
  throw new ApiError(403, 'scope_missing', scopeMissing(name, missing), {}, { scope: missing });
}
