import { fileURLToPath } from 'node:url';
import type { Express } from 'express';

const NAMES = ['countersign.min.js', 'countersign-encrypted.min.js'] as const;

/** Serves the client SDK of the same version as scripts for pages without a bundler, of any origin. */
export function clientScript(app: Express, pathPrefix: string): void {
  for (const name of NAMES) {
    const file = fileURLToPath(import.meta.resolve(`@countersign/sdk-client/${name}`));
    app.get(`${pathPrefix}/${name}`, (_request, response) => {
      response.set({
        'Access-Control-Allow-Origin': '*',
        'Cross-Origin-Resource-Policy': 'cross-origin',
        'X-Content-Type-Options': 'nosniff',
      });
      // Asked for again after a day: the script of another version has the same name.
      response.sendFile(file, { maxAge: '1 day' });
    });
  }
}
