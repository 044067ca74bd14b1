/**
 * Whether the URL layer sends this path as it is. It would resolve `..` and encode what is not encoded, and then
 * another path than the signed one would arrive.
 */
export function isPathAsSent(origin: string, path: string): boolean {
  return path.startsWith('/') && URL.canParse(origin + path) && new URL(origin + path).pathname === path;
}
