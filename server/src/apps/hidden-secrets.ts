import type { AppConfig } from './app.ts';
import { withoutRenewalSecret } from './renewal-settings.ts';
import { withoutTokenSecrets } from './token-settings.ts';

/** The settings of an app with the secrets hidden that it shares with backends and issuers of tokens. */
export function withoutSharedSecrets<Settings extends Pick<AppConfig, 'grants' | 'tokens'>>(
  settings: Settings,
  hidden: string,
): Settings {
  return {
    ...settings,
    grants: withoutRenewalSecret(settings.grants, hidden),
    tokens: withoutTokenSecrets(settings.tokens, hidden),
  };
}
