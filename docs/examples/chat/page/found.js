/**
 * Returns an element that the page must have.
 *
 * @template Found
 * @param {Found | null} element
 */
export function found(element) {
  if (!element) throw new Error('The page is not complete');
  return element;
}
