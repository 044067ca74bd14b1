import type { FunctionComponent, TargetedSubmitEvent } from 'preact';

/** How long a user can be kept out, in seconds. */
const BLOCKS: readonly (readonly [seconds: number, title: string])[] = [
  [0, 'no block'],
  [3600, 'for an hour'],
  [86_400, 'for a day'],
  [2_592_000, 'for 30 days'],
];

/**
 * Ends all that a user has, and keeps them out for a while.
 *
 * @param onEnd takes the seconds of the block, or 0
 */
export const EndForm: FunctionComponent<{ verb: string; onEnd: (block: number) => void }> = ({
  verb,
  onEnd,
}) => {
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    onEnd(Number(new FormData(event.currentTarget).get('block')));
  };
  return (
    <form class="actions" onSubmit={submit}>
      <button type="submit" class="danger">
        {verb}
      </button>
      <label class="inline">
        Keep out
        <select name="block">
          {BLOCKS.map(([seconds, title]) => (
            <option key={seconds} value={seconds}>
              {title}
            </option>
          ))}
        </select>
      </label>
    </form>
  );
};
