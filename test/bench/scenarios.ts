/** One way to use a server, as options of the generator (load/README.md), and the figures that it is about. */
export interface Scenario {
  readonly name: string;
  readonly options: string;
  /** The first one decides; see {@link FIGURES}. */
  readonly figures: readonly FigureName[];
  /** Whether `--quick` has it. */
  readonly quick?: boolean;
  /** Whether it is measured twice on one process: as the first load after its start, and once it has run for a while. */
  readonly isColdToo?: boolean;
}

const DELIVERY = ['usPerDelivery', 'deliveriesPerSecond', 'p50', 'p99'] as const;

/** In the order of the table. A moderate rate leaves nothing to coalesce; a saturated server has a bounded backlog. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: '1 subscriber, 200 messages/s',
    options: '--conns 1 --publish http --rate 200 --duration 2',
    figures: DELIVERY,
    isColdToo: true,
  },
  {
    name: '1 subscriber, saturated',
    options: '--conns 1 --publish http --inflight 8 --window 16 --duration 2',
    figures: DELIVERY,
  },
  {
    name: '1000 subscribers, 50 messages/s',
    options: '--conns 1000 --publish http --rate 50 --duration 2',
    figures: DELIVERY,
    quick: true,
    isColdToo: true,
  },
  {
    name: '1000 subscribers, saturated',
    options: '--conns 1000 --publish http --inflight 8 --window 16 --duration 2',
    figures: DELIVERY,
    quick: true,
  },
  {
    name: '10,000 subscribers, 5 messages/s',
    options: '--conns 10000 --publish http --rate 5 --duration 3',
    figures: DELIVERY,
    isColdToo: true,
  },
  {
    name: '10,000 subscribers, saturated',
    options: '--conns 10000 --publish http --inflight 8 --window 8 --duration 3',
    figures: DELIVERY,
  },
  {
    name: '500 rooms of 10, 500 messages/s',
    options: '--conns 5000 --channels 500 --publish http --inflight 16 --rate 500 --duration 2',
    figures: DELIVERY,
    isColdToo: true,
  },
  {
    name: '100 rooms of 10, 1000 client events/s',
    options:
      '--conns 1000 --channels 100 --prefix private-bench- --publish ws --inflight 100 --rate 1000 --duration 2',
    figures: DELIVERY,
    quick: true,
    isColdToo: true,
  },
  {
    name: 'publishing without subscribers',
    options: '--conns 0 --publish http --inflight 16 --duration 2',
    figures: ['usPerPublish', 'publishesPerSecond', 'publishP99'],
    quick: true,
  },
  {
    name: '3000 connect at once',
    options: '--conns 3000 --pending 500',
    figures: ['usPerConnect', 'connectsPerSecond'],
    quick: true,
    isColdToo: true,
  },
  {
    name: '5000 idle connections',
    options: '--conns 5000 --idle 5',
    figures: ['kibPerConnection'],
  },
  {
    name: '10 of 500 stop reading, 8 KB x 50/s',
    options: '--conns 500 --slow 10 --size 8000 --publish http --rate 50 --duration 8',
    figures: ['rssGrowthMib', 'slowClosed', 'p99'],
  },
];

/** What a generator prints; fields that a scenario does not measure are missing. */
export interface Result {
  readonly us_per_delivery?: number;
  readonly deliveries_per_s?: number;
  readonly us_per_publish?: number;
  readonly http_per_s?: number;
  readonly http_us?: { readonly p99: number };
  readonly lat_us?: { readonly p50: number; readonly p99: number; readonly n: number };
  readonly connect_cpu_us?: number;
  readonly connects_per_s?: number;
  readonly kib_per_conn_idle?: number;
  readonly rss_first_kib?: number;
  readonly rss_max_kib?: number;
  readonly slow_closed?: number;
  readonly conns?: number;
  readonly ready?: number;
  readonly closed?: number;
  readonly published?: number;
  readonly http_err?: number;
  readonly lost?: number;
  readonly out_of_order?: number;
  readonly error?: string;
}

/** What makes a run worthless: a figure of a server that does not do all of the work says nothing. */
export function faultOf(result: Result): string | undefined {
  const { conns = 0, ready = conns, closed = 0, published, http_err: refused = 0 } = result;
  const { lost = 0, out_of_order: disordered = 0, lat_us: latency, error } = result;
  const faults = [
    ready < conns && `${conns - ready} of ${conns} could not connect and subscribe`,
    closed > 0 && `${closed} connections were closed`,
    published === 0 && 'nothing was published',
    conns > 0 && latency?.n === 0 && 'nothing that was published in the measured part arrived',
    refused > 0 && `${refused} publishes were refused`,
    lost !== 0 && `${lost} events did not arrive`,
    disordered > 0 && `${disordered} events came out of order`,
  ].filter((fault) => fault !== false);
  if (faults.length === 0) return undefined;
  return faults.join(', ') + (error ? `: ${error}` : '');
}

export interface Figure {
  readonly title: string;
  readonly read: (result: Result) => number | undefined;
}

const thousandth = (value: number | undefined) => (value === undefined ? undefined : value / 1000);

/** How each figure is called, and where it stands in a result. */
export const FIGURES = {
  usPerDelivery: { title: 'CPU us / delivery', read: (result) => result.us_per_delivery },
  deliveriesPerSecond: { title: 'deliveries/s', read: (result) => result.deliveries_per_s },
  p50: { title: 'p50 ms', read: (result) => thousandth(result.lat_us?.p50) },
  p99: { title: 'p99 ms', read: (result) => thousandth(result.lat_us?.p99) },
  usPerPublish: { title: 'CPU us / publish', read: (result) => result.us_per_publish },
  publishesPerSecond: { title: 'publishes/s', read: (result) => result.http_per_s },
  publishP99: { title: 'answer p99 ms', read: (result) => thousandth(result.http_us?.p99) },
  usPerConnect: { title: 'CPU us / connection', read: (result) => result.connect_cpu_us },
  connectsPerSecond: { title: 'connections/s', read: (result) => result.connects_per_s },
  kibPerConnection: { title: 'KiB / connection', read: (result) => result.kib_per_conn_idle },
  rssGrowthMib: {
    title: 'memory growth MiB',
    read: ({ rss_first_kib: first, rss_max_kib: most }) =>
      first === undefined || most === undefined ? undefined : (most - first) / 1024,
  },
  slowClosed: { title: 'slow readers closed', read: (result) => result.slow_closed },
} as const satisfies Record<string, Figure>;

export type FigureName = keyof typeof FIGURES;
