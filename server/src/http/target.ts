/** A request target as it arrived, in two parts. Nothing is decoded, because signatures are over the raw text. */
export interface Target {
  readonly path: string;
  readonly rawQuery: string;
}

export function splitTarget(target: string): Target {
  const mark = target.indexOf('?');
  return mark < 0
    ? { path: target, rawQuery: '' }
    : { path: target.slice(0, mark), rawQuery: target.slice(mark + 1) };
}

/**
 * Reads a path of the form `BASE + APP_ID + "/" + NAME`, which the paths that publish have. `undefined` for any other
 * path, and for one that is percent-encoded.
 */
export function readPublishPath(
  path: string,
  base: string,
): { readonly appId: string; readonly name: string } | undefined {
  if (!path.startsWith(base) || path.includes('%')) return undefined;
  const slash = path.indexOf('/', base.length);
  return slash < 0 ? undefined : { appId: path.slice(base.length, slash), name: path.slice(slash + 1) };
}
