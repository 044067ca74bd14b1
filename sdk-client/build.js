/** After `tsc`: what a page loads without a bundler. */
import { readFile } from 'node:fs/promises';
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

// The cipher comes as CommonJS, which pages cannot import. As a module of this form it needs no stand-ins for Node's,
// and its search for randomness, which opening does not need, goes.
const cipher = {
  name: 'cipher',
  setup({ onLoad }) {
    onLoad({ filter: /nacl\.min\.js$/ }, async ({ path }) => ({
      contents: `const module = { exports: {} };\n${await readFile(path, 'utf8')};\nexport default module.exports;`,
    }));
  },
};
await build({
  ...common,
  plugins: [cipher],
  define: { require: 'undefined', self: 'undefined' },
  format: 'esm',
  entryPoints: ['dist/encrypted.js'],
  outfile: 'dist/encrypted.js',
  allowOverwrite: true,
});
await script(expose, 'dist/countersign.min.js');
await script(`${encrypt}\n${expose}`, 'dist/countersign-encrypted.min.js');
