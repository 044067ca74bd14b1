/** Origins of pages, which other servers know by their hosts. */
import type { Fields } from './fields.ts';

/** @returns origins with a scheme; `undefined`: none are named, or all may connect */
export function originsOf(app: Fields, name: string): readonly string[] | undefined {
  const named = app.list(name).filter((each) => typeof each === 'string' && each !== '');
  if (named.length === 0 || named.includes('*')) return undefined;
  const hosts = named.filter((each) => !String(each).includes('://'));
  if (hosts.length > 0) {
    app.ignored.push({
      path: app.at(name),
      why: `an origin has a scheme here: ${hosts.join(', ')} became https, and other schemes and ports need a line of their own`,
    });
  }
  return named.map((each) => (String(each).includes('://') ? String(each) : `https://${each}`));
}
