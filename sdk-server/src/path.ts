/**
 * Whether URL parsing leaves a path unchanged. It resolves `..` and encodes characters; then the path that arrives would
 * differ from the signed one.
 */
export function isPathAsSent(origin: string, path: string): boolean {
  return path.startsWith('/') && URL.canParse(origin + path) && new URL(origin + path).pathname === path;
}
