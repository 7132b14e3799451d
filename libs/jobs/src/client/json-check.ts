import { isPlainObject } from '../options/option-reader.js';

/** Levels of nesting: the readers and writers of JSON along the way are recursive, and end with their stack. */
const DEEPEST = 1_000;
/** A path is as long as the keys in it. */
const LONGEST_PATH = 200;

/** Where in a value something stands that JSON cannot carry, and what it is. */
export interface NotJson {
  readonly path: string;
  readonly found: string;
}

/**
 * The first thing in `value` that would not come back from JSON as it went in; undefined when all would. Undefined is
 * let through where JSON leaves it out without harm: as an object's property, and as the whole.
 *
 * @internal
 */
export function findNotJson(value: unknown): NotJson | undefined {
  const notJson = value === undefined ? undefined : find(value, new Set());
  if (!notJson) return undefined;
  const path = `$${notJson.path}`;
  return { ...notJson, path: path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH).toWellFormed()}...` : path };
}

/** The path is made on the way back, of what was found: to have it ready would cost more than to look. */
function find(value: unknown, ancestors: Set<object>): NotJson | undefined {
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : here(String(value));
    case 'string':
      return findInString(value);
    case 'object':
      return value === null ? undefined : findInObject(value, ancestors);
    default:
      return here(typeof value === 'bigint' ? 'a BigInt' : typeof value);
  }
}

/** Postgres stores neither, and what is accepted must not depend on the backend. */
function findInString(value: string): NotJson | undefined {
  if (value.includes('\u0000')) return here('a string with the character U+0000');
  return value.isWellFormed() ? undefined : here('a string with half a surrogate pair');
}

function findInObject(value: object, ancestors: Set<object>): NotJson | undefined {
  if (ancestors.has(value)) return here('a cycle');
  if (ancestors.size === DEEPEST) return here(`nested in more than ${DEEPEST} levels`);
  ancestors.add(value);
  try {
    return Array.isArray(value) ? findInArray(value, ancestors) : findInProperties(value, ancestors);
  } catch {
    return here('an object that throws when it is read');
  } finally {
    ancestors.delete(value);
  }
}

function findInArray(values: unknown[], ancestors: Set<object>): NotJson | undefined {
  for (let i = 0; i < values.length; i++) {
    const found = find(values[i], ancestors);
    if (found) return { ...found, path: `[${i}]${found.path}` };
  }
  if (!isPlainArray(values)) return here(instanceOf(values));
  if ('toJSON' in values && typeof values.toJSON === 'function') return here('an array with a toJSON method');
  if (Object.getOwnPropertySymbols(values).length > 0) return here('an array with a symbol as a key');
  // No holes are left, so what goes beyond the items has names, as in the result of String.match.
  const name = Object.keys(values)[values.length];
  return name === undefined ? undefined : here(`an array with the property ${JSON.stringify(name)}`);
}

/** Of whatever realm: the prototype of arrays is the only prototype that is one itself. */
function isPlainArray(values: unknown[]): boolean {
  return Array.isArray(Object.getPrototypeOf(values));
}

function instanceOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  return `an instance of ${prototype?.constructor?.name || 'an unnamed class'}`;
}

function findInProperties(value: object, ancestors: Set<object>): NotJson | undefined {
  if (!isPlainObject(value)) return here(instanceOf(value));
  if (typeof value['toJSON'] === 'function') return here('an object with a toJSON method');
  if (Object.getOwnPropertySymbols(value).length > 0) return here('an object with a symbol as a key');
  for (const key of Object.keys(value)) {
    const property = value[key];
    const found = findInString(key) ?? (property === undefined ? undefined : find(property, ancestors));
    if (found) return { ...found, path: stepTo(key) + found.path };
  }
  return undefined;
}

function stepTo(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function here(found: string): NotJson {
  return { path: '', found };
}
