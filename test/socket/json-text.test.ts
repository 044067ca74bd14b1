import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memberText, NestedTooDeeply } from '#server/protocol/json-text';
import { numRuns } from '../helpers/property.ts';

const names = ['a', 'b', '__proto__', 'user_info', 'ü"\\'];
const name = fc.constantFrom(...names);
/** A name as it may be written: with each of its characters escaped, or none. */
const written = fc
  .tuple(name, fc.boolean())
  .map(([text, escaped]) =>
    escaped
      ? `"${[...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(text),
  );
const space = fc.stringMatching(/^[ \n\r\t]{0,2}$/);
const value = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.jsonValue().map((parsed) => JSON.stringify(parsed, null, 2)),
  fc.constantFrom(
    '12345678901234567890',
    '-0.0',
    '1e400',
    '"\\"}"',
    '"\\\\"',
    '[ [ "]" ] ]',
    '{"a":{"a":"}"}}',
  ),
);
const member = fc.tuple(space, written, space, space, value, space).map((parts) => {
  const [before, key, after, between, text, end] = parts;
  return { key: JSON.parse(key) as string, text, json: `${before}${key}${after}:${between}${text}${end}` };
});

test('the text of a member is what was written, of several the last one, as JSON.parse reads it', () => {
  fc.assert(
    fc.property(space, fc.array(member, { maxLength: 6 }), name, (around, members, wanted) => {
      const json = `${around}{${members.map((each) => each.json).join(',') || around}}${around}`;
      const last = members.findLast(({ key }) => key === wanted);
      expect(memberText(json, wanted)).toBe(last?.text.trim());
      const parsed = JSON.parse(json) as object;
      expect(last && JSON.parse(last.text)).toEqual(Object.getOwnPropertyDescriptor(parsed, wanted)?.value);
    }),
    { numRuns: numRuns(1000) },
  );
});

test('a value has at most 2000 levels', () => {
  const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  expect(memberText(nested(2000), 'a')).toHaveLength(4000);
  expect(() => memberText(nested(2001), 'a')).toThrow(NestedTooDeeply);
  expect(memberText(`{"a":[${'[],'.repeat(3000)}[]]}`, 'a')).toHaveLength(9004);
});
