import { printable, printableJson, widthOf, withoutSecrets } from './printable.js';

describe('what the command line prints', () => {
  it.each([
    ['colours', 'a\u001b[31mred', 'a\\x1b[31mred'],
    ['a bell, a carriage return and a line', 'a\u0007b\rc\nd', 'a\\x07b\\x0dc\\x0ad'],
    ['an 8-bit command', 'a\u009b2J', 'a\\x9b2J'],
    ['text that turns around', 'a\u202eb', 'a\\u202eb'],
    ['letters of all kinds', 'Grüße 東京 🎉', 'Grüße 東京 🎉'],
  ])('makes %s harmless', (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('[M4] escapes in JSON what JSON lets stand, and changes no value', () => {
    const value = { name: 'a\u009b2Jb\u007f\u202ec\u2028d\u001b', other: 'Grüße 🎉 \\u009b' };
    const json = printableJson(JSON.stringify(value, undefined, 2));
    expect(JSON.parse(json)).toEqual(value);
    expect(json).not.toMatch(/[\u007f-\u009f\u2028\u202e]/);
    expect(json.split('\n')).toHaveLength(4);
  });

  it.each([
    ['abc', 3],
    ['東京', 4],
    ['e\u0301', 1],
    ['🎉', 2],
  ])('knows how wide %j is', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it.each([
    ["unknown option '--ulr=redis://user:secret@host:1/2'", "unknown option '--ulr=redis://***@host:1/2'"],
    ["unknown command 'postgres://user:sec@ret@host/db'", "unknown command 'postgres://***@host/db'"],
    ['postgres://host/db?user=me&password=secret&x=1', 'postgres://host/db?user=me&password=***&x=1'],
    ['nothing of a url', 'nothing of a url'],
  ])('has no password in %j', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown);
  });
});
