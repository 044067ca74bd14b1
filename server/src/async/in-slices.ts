/**
 * Does something for each item, `size` items at a time.
 *
 * @returns the answers, in the order of the items
 * @throws whatever the first call that fails rejects with; the slices after it are not begun
 */
export async function inSlices<Item, Answer>(
  items: readonly Item[],
  size: number,
  each: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let from = 0; from < items.length; from += size) {
    answers.push(...(await Promise.all(items.slice(from, from + size).map(each))));
  }
  return answers;
}
