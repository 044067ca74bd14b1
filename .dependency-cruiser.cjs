/** Imports between the folders of the broker point one way, and no files import each other in a circle. */

const { readFileSync } = require('node:fs');

/** The layers of server/src from the top, as docs/architecture.md shows them: a file may import from its own folder and from layers below. */
const LAYERS = readLayers(readFileSync(`${__dirname}/docs/architecture.md`, 'utf8'));

function readLayers(page) {
  const [, drawn] = page.match(/^```\n(index > [^`]*)```$/m);
  return drawn.split('>').map((layer) => layer.match(/[a-z-]+/g));
}

const pathOf = (names) => `^server/src/(${names.join('|')})(/|\\.ts$)`;

const oneWay = LAYERS.flatMap((layer, index) =>
  layer.map((name) => ({
    name: `${name}-imports-from-below`,
    comment: 'A folder imports from the layers below it only: see docs/architecture.md.',
    severity: 'error',
    from: { path: pathOf([name]) },
    to: {
      path: pathOf(
        LAYERS.slice(0, index + 1)
          .flat()
          .filter((other) => other !== name),
      ),
    },
  })),
);

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'sdks-stand-alone',
      comment: 'The SDKs never import the broker, nor each other.',
      severity: 'error',
      from: { path: '^sdk-(server|client)/' },
      to: { path: '^server/' },
    },
    {
      name: 'every-folder-has-a-layer',
      comment: 'docs/architecture.md shows each folder and file of server/src in a layer.',
      severity: 'error',
      from: { path: '^server/src/', pathNot: pathOf(LAYERS.flat()) },
      to: {},
    },
    ...oneWay,
  ],
  options: {
    // The compiler of TypeScript 7 cannot be called from JavaScript, which dependency-cruiser would do otherwise.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
  },
};
