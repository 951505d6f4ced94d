import { describe, expect, test } from 'vitest';
import { JsonSyntaxError, parseStrictJson } from '../../src/model/checkpoint/strict-json.js';

describe('strict JSON', () => {
  test.each([
    '{}',
    '[]',
    ' { "a" : [ 1 , -2.5e-3 , true , false , null , "x\\u0041\\n\\"" ] } ',
    '{"a":{"b":{"c":[[[0]]]}}}',
    '"text"',
    '0',
    '-0.5E+2',
    '{"":1}',
  ])('%s is read as JSON.parse reads it', (text) => {
    expect(JSON.stringify(parseStrictJson(text))).toBe(JSON.stringify(JSON.parse(text)));
  });

  test.each([
    '',
    '{',
    '}',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '01',
    '1.',
    '.5',
    '+1',
    'NaN',
    'Infinity',
    'tru',
    '"a',
    '"\n"',
    '"\\x"',
    '"\\',
    '[1 2]',
    '{"a" 1}',
    '1 2',
    '\u00a01',
  ])('%j is no JSON', (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(() => parseStrictJson(text)).toThrow(JsonSyntaxError);
  });

  test('a key twice is an error, also by another spelling', () => {
    expect(() => parseStrictJson('{"a":1,"b":{"a":2}}')).not.toThrow();
    expect(() => parseStrictJson('{"a":1,"\\u0061":2}')).toThrow('twice');
  });

  test('objects have no prototype, and __proto__ is a key', () => {
    const object = parseStrictJson('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(Object.keys(object)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('depth has a limit, length has none', () => {
    expect(() => parseStrictJson('['.repeat(1_000_000))).toThrow('deeper');
    const long = 'x'.repeat(5_000_000);
    expect(parseStrictJson(`{"${long}":"${long}"}`)).toEqual({ [long]: long });
  });
});
