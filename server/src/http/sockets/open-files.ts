import { readFileSync } from 'node:fs';

/** How many file descriptors a process may have open. Each connection takes one. */
export interface OpenFilesLimit {
  readonly soft: number;
  readonly hard: number;
}

/** The limit of this process, or `undefined` if the system has no /proc. Infinity if there is no limit. */
export function openFilesLimit(): OpenFilesLimit | undefined {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return undefined;
  }
  const [, soft, hard] = /^Max open files +(\S+) +(\S+)/m.exec(limits) ?? [];
  return soft && hard ? { soft: toNumber(soft), hard: toNumber(hard) } : undefined;
}

function toNumber(limit: string): number {
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
