/** Recognizes the variables that Kubernetes and Docker set for a service called `countersign` or `countersign-…`. */
import { isIP } from 'node:net';

/** Each form: the rest of the name after `COUNTERSIGN`, and the value. */
const FORMS: readonly (readonly [name: RegExp, value: (text: string) => boolean])[] = [
  [/_SERVICE_HOST$/, (text) => isIP(text) !== 0],
  [/_SERVICE_PORT(_[A-Z0-9_]+)?$/, isPort],
  [/^(_[A-Z0-9]+)*_PORT(_\d+_(TCP|UDP|SCTP))?(_START|_END)?$/, isUrl],
  [/_PORT_\d+_(TCP|UDP|SCTP)(_PORT)?(_START|_END)?$/, isPort],
  [/_PORT_\d+_(TCP|UDP|SCTP)_PROTO$/, (text) => /^(tcp|udp|sctp)$/.test(text)],
  [/_PORT_\d+_(TCP|UDP|SCTP)_ADDR$/, (text) => isIP(text) !== 0],
  // Links of Docker: the names of both containers, and the environment of the other one.
  [/^(_[A-Z0-9]+)*_NAME$/, (text) => /^\/[^/]+\/[^/]+$/.test(text)],
  [/^_ENV_./, () => true],
];

/** Whether a variable is one of theirs; the value of a setting with the same name has another form. */
export function isServiceLink(name: string, text: string): boolean {
  const rest = /^COUNTERSIGN(_[A-Z0-9_]+)$/.exec(name)?.[1];
  return rest !== undefined && FORMS.some(([form, takes]) => form.test(rest) && takes(text));
}

/** The names of these variables in an environment. */
export function serviceLinks(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).filter((name) => isServiceLink(name, env[name] ?? ''));
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text);
}

function isUrl(text: string): boolean {
  return /^(tcp|udp|sctp):\/\/\S+:\d{1,5}$/.test(text);
}
