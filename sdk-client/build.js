/** After `tsc`: what a page loads without a bundler. */
import { build } from 'esbuild';

const common = {
  bundle: true,
  minify: true,
  platform: 'browser',
  target: 'es2022',
  absWorkingDir: import.meta.dirname,
  logLevel: 'warning',
};
const script = (contents, outfile) =>
  build({
    ...common,
    format: 'iife',
    sourcemap: true,
    stdin: { contents, resolveDir: import.meta.dirname },
    outfile,
  });

const expose = `import { Countersign } from './dist/index.js';
globalThis.Countersign = Countersign;`;
const encrypt = `import { bundled } from './dist/platform.js';
import { encryption } from './dist/encrypted.js';
bundled.encryption = encryption;`;

// The cipher comes as CommonJS, which pages cannot import.
await build({
  ...common,
  format: 'esm',
  entryPoints: ['dist/encrypted.js'],
  outfile: 'dist/encrypted.js',
  allowOverwrite: true,
});
await script(expose, 'dist/countersign.min.js');
await script(`${encrypt}\n${expose}`, 'dist/countersign-encrypted.min.js');
