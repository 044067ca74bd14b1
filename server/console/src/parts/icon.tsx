import type { FunctionComponent } from 'preact';

const PATHS = {
  live: 'M1.5 8.5h3l2-5 3 9 2-4h3',
  events: 'M2 4h12M2 8h12M2 12h7',
  channels: 'M6 2.5L4.5 13.5M11.5 2.5L10 13.5M2.5 5.5h11.5M2 10.5h11.5',
  users: 'M8 8a2.75 2.75 0 100-5.5A2.75 2.75 0 008 8zM2.5 13.5c.6-2.4 2.8-3.5 5.5-3.5s4.9 1.1 5.5 3.5',
  publish: 'M14 2L7 9M14 2l-4.5 12L7 9 2 6.500z',
  probe: 'M7 12A5 5 0 107 2a5 5 0 000 10zM10.7 10.700L14 14',
  webhooks: 'M5 6a3 3 0 113 3l-2 4M11 6l2 3.500a2.5 2.5 0 11-2 3.500H6M5 8l-2 3',
  keys: 'M10.5 7.500a2.75 2.75 0 10-2.6-2L2 11.500V14h2.500v-1.500H6V11l2.4-3.3',
  apps: 'M2.5 2.500h4.500v4.500H2.500zM9 2.500h4.500v4.500H9zM2.5 9h4.500v4.500H2.500zM9 9h4.500v4.500H9z',
  nodes: 'M2 3h12v4H2zM2 9h12v4H2zM4.5 5v.01M4.5 11v.01',
  usage: 'M2.5 13.500v-4M6.2 13.500v-7M9.8 13.500v-5M13.5 13.500v-11',
  audit: 'M4 2h6l2.5 2.500V14H4zM6.5 7h4M6.5 10h4',
  recordings: 'M8 14A6 6 0 108 2a6 6 0 000 12zM8 10a2 2 0 100-4 2 2 0 000 4z',
  find: 'M7 12A5 5 0 107 2a5 5 0 000 10zM10.7 10.700L14 14',
  system: 'M2 3h12v8H2zM6 14h4',
  light:
    'M8 10.500a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM8 1.500v1.500M8 13v1.500M1.5 8H3M13 8h1.500M3.4 3.400l1 1M11.6 11.600l1 1M12.6 3.400l-1 1M4.4 11.600l-1 1',
  dark: 'M13 9.500A5.5 5.5 0 016.5 3 5.5 5.5 0 1013 9.500z',
  leave: 'M6 2.500H3v11h3M6.5 8h7M10.5 5l3 3-3 3',
  more: 'M5 3l5 5-5 5',
} as const;

export type IconName = keyof typeof PATHS;

/** A small drawing beside a word, which screen readers skip. */
export const Icon: FunctionComponent<{ name: IconName }> = ({ name }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);

/** The mark of the product. */
export const Mark: FunctionComponent = () => (
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="currentColor" />
    <path
      d="M9 17l5 5 9-12"
      fill="none"
      stroke="var(--panel)"
      stroke-width="3.5"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>
);
