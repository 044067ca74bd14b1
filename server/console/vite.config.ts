import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // The broker may serve it below any path.
  base: './',
  build: {
    outDir: '../dist/console/page',
    emptyOutDir: true,
    target: 'es2022',
    // Browsers that know light-dark().
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    // Nothing inline: the page's policy refuses it.
    assetsInlineLimit: 0,
  },
});
