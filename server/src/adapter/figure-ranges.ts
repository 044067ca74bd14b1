/** The times that the charts of the console show, and in which steps nodes keep their figures. */
export const RANGES = {
  '15m': { stepMs: 10_000, steps: 90 },
  '24h': { stepMs: 600_000, steps: 144 },
} as const;

export type Range = keyof typeof RANGES;

export const RANGE_NAMES = Object.keys(RANGES) as [Range, ...Range[]];
