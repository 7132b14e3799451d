import { splitAtParameters } from './split-at-parameters.js';

/** Puts a statement together again, with `<place>` for each parameter. */
function marked(statement: string): string {
  const { texts, places } = splitAtParameters(statement);
  return texts.map((text, n) => (n === 0 ? text : `<${places[n - 1]}>${text}`)).join('');
}

describe('splitAtParameters', () => {
  it.each([
    ['SELECT 1', 'SELECT 1'],
    ['SELECT $1', 'SELECT <0>'],
    ['$2,$1, $2::jsonb', '<1>,<0>, <1>::jsonb'],
    ['SELECT $10 + $1', 'SELECT <9> + <0>'],
    ["a = 'it''s $1' AND b = $1", "a = 'it''s $1' AND b = <0>"],
    ["a = E'it\\'s $1' AND b = $1", "a = E'it\\'s $1' AND b = <0>"],
    ["a = 'ends in \\' AND b = $1", "a = 'ends in \\' AND b = <0>"],
    ['SELECT "$1""", $1', 'SELECT "$1""", <0>'],
    ['SELECT job$1, $1', 'SELECT job$1, <0>'],
    ["-- Param: $1, don't\nSELECT $1", "-- Param: $1, don't\nSELECT <0>"],
    ['/* $1 \n "it\'s" */ SELECT $1', '/* $1 \n "it\'s" */ SELECT <0>'],
    ['SELECT $$ $1 $$, $tag$ $1 $$ $tag$, $1', 'SELECT $$ $1 $$, $tag$ $1 $$ $tag$, <0>'],
  ])('finds the parameters of %j', (statement, expected) => {
    expect(marked(statement)).toBe(expected);
  });
});
