/** Imports between the folders of the broker point one way, and no files import each other in a circle. */

/** The layers of server/src from the top: a file may import from its own folder and from layers below (docs/architecture.md). */
const LAYERS = [
  ['index'],
  ['cli'],
  ['workers'],
  ['server'],
  ['console', 'core', 'openapi'],
  ['publishing'],
  ['admin', 'api', 'prometheus', 'store'],
  ['socket', 'webhooks', 'renewal'],
  ['audit', 'tokens', 'usage'],
  ['hub', 'http', 'data'],
  ['access', 'recorder'],
  ['adapter', 'tls'],
  ['idempotency'],
  ['history'],
  ['config', 'metrics'],
  ['redis', 'protocol', 'log'],
  ['apps'],
  ['async', 'outbound'],
  ['tracing'],
  ['errors', 'version'],
];

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
