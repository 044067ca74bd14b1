import { describe, expect, test } from 'vitest';
import { InDoubt, Unavailable } from '#server/errors';
import { publishAll } from '#server/hub/publish-all';

const made = () => Promise.resolve();
const refused = () => Promise.reject(new Unavailable('away'));
const doubtful = () => Promise.reject(new InDoubt('no answer'));
const broken = () => Promise.reject(new TypeError('a fault'));

describe('publishes that were asked for together', () => {
  test('are made if each of them is', async () => {
    expect(await publishAll([])).toBeUndefined();
    expect(await publishAll([made()])).toBeUndefined();
    expect(await publishAll([made(), made()])).toBeUndefined();
    expect(await publishAll([undefined, made()])).toBeUndefined();
  });

  test('are waited for only if one is not made yet', () => {
    expect(publishAll([])).toBeUndefined();
    expect(publishAll([undefined, undefined])).toBeUndefined();
    expect(publishAll([undefined, made()])).toBeInstanceOf(Promise);
  });

  test('are refused if none is made', async () => {
    for (const publishes of [[refused()], [refused(), refused()]]) {
      const failure = await publishAll(publishes)?.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Unavailable);
      expect(failure).not.toBeInstanceOf(InDoubt);
    }
  });

  test('are in doubt if some are made, or may be', async () => {
    await expect(publishAll([made(), refused(), made()])).rejects.toEqual(
      new InDoubt('Published to 2 of 3 channels'),
    );
    await expect(publishAll([undefined, refused()])).rejects.toEqual(
      new InDoubt('Published to 1 of 2 channels'),
    );
    await expect(publishAll([refused(), doubtful()])).rejects.toThrow('no answer');
    await expect(publishAll([doubtful()])).rejects.toThrow('no answer');
  });

  test('fail as the one does that fails for another reason', async () => {
    await expect(publishAll([refused(), broken(), made()])).rejects.toThrow(TypeError);
  });
});
