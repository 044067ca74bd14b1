/** After `tsc`: what a page loads without a bundler, and CommonJS for tools that know nothing else. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { build } from 'esbuild';

const dist = `${import.meta.dirname}/dist`;
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

// The cipher comes as one closure in CommonJS, which pages cannot import and from which nothing can be left out. As a
// module, of which only the function that opens boxes is used, it is a third of that.
const cipher = {
  name: 'cipher',
  setup({ onLoad }) {
    onLoad({ filter: /nacl\.js$/ }, async ({ path }) => {
      const [, body] = /'use strict';(.*?)nacl\.lowlevel = /s.exec(await readFile(path, 'utf8'));
      const contents = body.replaceAll(/\bgf\(|\bnew (u64|Uint8Array|Float64Array)\(/g, '/* @__PURE__ */ $&');
      return { contents: `${contents}\nexport { crypto_secretbox_open };` };
    });
  },
};
await build({
  ...common,
  plugins: [cipher],
  format: 'esm',
  entryPoints: ['dist/encryption/cipher.js'],
  outfile: 'dist/encryption/cipher.js',
  allowOverwrite: true,
});
await script(expose, 'dist/countersign.min.js');
await script(`${encrypt}\n${expose}`, 'dist/countersign-encrypted.min.js');

// Each entry by itself, for tools as old as the tools that need it.
await build({
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'es2019',
  absWorkingDir: import.meta.dirname,
  logLevel: 'warning',
  entryPoints: ['index', 'node', 'react', 'devtools', 'encrypted'].map((entry) => `dist/${entry}.js`),
  outdir: 'dist/cjs',
});
await writeFile(`${dist}/cjs/package.json`, '{ "type": "commonjs" }\n');

// Types name each other as JavaScript, which old versions of TypeScript resolve, too. Those of CommonJS are the same.
for (const file of await readdir(dist, { recursive: true })) {
  if (!file.endsWith('.d.ts') || file.startsWith('cjs')) continue;
  const types = (await readFile(`${dist}/${file}`, 'utf8')).replaceAll(/'(\.\.?\/[\w/-]+)\.ts'/g, "'$1.js'");
  await writeFile(`${dist}/${file}`, types);
  await mkdir(dirname(`${dist}/cjs/${file}`), { recursive: true });
  await writeFile(`${dist}/cjs/${file}`, types);
}
