import { readdirSync, readFileSync } from 'node:fs';
import { REASON_WORDS } from '../libs/jobs/src/fleet/explain/reason-words.js';

/** All that the type has: the compiler sees to it that there are words for each. */
const KINDS = Object.keys(REASON_WORDS).toSorted();
const TESTS = new URL('conformance/', import.meta.url);

const read = (file: URL): string => readFileSync(file, 'utf8');
const unique = (found: Iterable<RegExpMatchArray>): string[] =>
  [...new Set([...found].map(([, kind]) => kind!))].toSorted();

describe('the reasons why a job does not run', () => {
  it('are all in the table of the guide, in the order in which they are told', () => {
    const rows = [...read(new URL('../docs/why.md', import.meta.url)).matchAll(/^\| `([a-z-]+)` +\|/gm)];
    const [heading, ...kinds] = rows.map(([, first]) => first);
    expect(heading).toBe('kind');
    expect(kinds).toEqual(Object.keys(REASON_WORDS));
  });

  it('are each made to happen on all backends', () => {
    const specs = readdirSync(TESTS).filter((name) => name.startsWith('why'));
    const tests = specs.map((name) => read(new URL(name, TESTS))).join('\n');
    expect(unique(tests.matchAll(/^ +it\(['"]\[M4\] `([a-z-]+)`: /gm))).toEqual(KINDS);
  });
});
