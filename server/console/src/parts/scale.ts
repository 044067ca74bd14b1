/** Rounds the top of a scale up to 1, 2 or 5 with zeros, so that its half is a round number, too. */
export function topOf(highest: number, least: number): number {
  const wanted = Math.max(highest, least);
  const unit = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].find((each) => each * unit >= wanted) ?? 10;
  return step * unit;
}
