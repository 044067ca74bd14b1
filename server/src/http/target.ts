/** A request target as it stood in the request line, in two parts. Nothing is decoded: signatures are over raw text. */
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
 * Reads a path of the form `BASE + APP_ID + "/" + NAME`, as the paths that publish are. Anything else, or what is
 * percent-encoded, is `undefined`.
 */
export function readPublishPath(
  path: string,
  base: string,
): { readonly appId: string; readonly name: string } | undefined {
  if (!path.startsWith(base) || path.includes('%')) return undefined;
  const slash = path.indexOf('/', base.length);
  return slash < 0 ? undefined : { appId: path.slice(base.length, slash), name: path.slice(slash + 1) };
}
