/** @internal */
export interface SplitStatement {
  /** The text before, between and after the parameters: one more than there are parameters. */
  readonly texts: string[];
  /** For each parameter its place in the list of values, from 0. Places may repeat and come in any order. */
  readonly places: number[];
}

// A `$1` in a comment (BullMQ explains its parameters there), in quotes or at the end of a name is no parameter.
const COMMENT = /--.*|\/\*[^]*?\*\//;
const STRING = /\b[eE]'(?:[^'\\]|\\[^]|'')*'|'[^']*'/;
const NAME = /"[^"]*"/;
const DOLLAR_QUOTED = /(?<![\w$])\$(?<tag>(?:[A-Za-z_]\w*)?)\$[^]*?\$\k<tag>\$/;
const PARAMETER = /(?<![\w$])\$(?<number>\d+)/;
const TOKEN = new RegExp([COMMENT, STRING, NAME, DOLLAR_QUOTED, PARAMETER].map(({ source }) => source).join('|'), 'g');

/** Takes an SQL text with `$1`, `$2`, ... apart, for query builders that number the parameters themselves. @internal */
export function splitAtParameters(statement: string): SplitStatement {
  const texts: string[] = [];
  const places: number[] = [];
  let end = 0;
  for (const { 0: token, index, groups } of statement.matchAll(TOKEN)) {
    if (groups?.['number'] === undefined) continue;
    texts.push(statement.slice(end, index));
    places.push(Number(groups['number']) - 1);
    end = index + token.length;
  }
  texts.push(statement.slice(end));
  return { texts, places };
}
