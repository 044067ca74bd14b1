import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../../docs/scaling.md', import.meta.url), 'utf8');

/**
 * The permissions of a Redis user that the documentation names.
 *
 * @param name of the place that has them on the page
 */
export function documentedPermissions(
  name: 'server' | 'cluster' | 'sentinel',
  prefix = '',
): readonly string[] {
  const [, text] = new RegExp(`\`\`\`acl ${name}\\n(.*?)\\n\`\`\``).exec(page) ?? [];
  if (text === undefined) throw new Error(`The page has no permissions for a ${name}`);
  return text.replaceAll('PREFIX', prefix).split(' ');
}
