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
  const notJson = value === undefined ? undefined : find(value, '$', new Set());
  if (!notJson || notJson.path.length <= LONGEST_PATH) return notJson;
  return { ...notJson, path: `${notJson.path.slice(0, LONGEST_PATH).toWellFormed()}...` };
}

function find(value: unknown, path: string, ancestors: Set<object>): NotJson | undefined {
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { path, found: String(value) };
    case 'string':
      return findInString(value, path);
    case 'object':
      return value === null ? undefined : findInObject(value, path, ancestors);
    default:
      return { path, found: typeof value === 'bigint' ? 'a BigInt' : typeof value };
  }
}

/** Postgres stores neither, and what is accepted must not depend on the backend. */
function findInString(value: string, path: string): NotJson | undefined {
  if (value.includes('\u0000')) return { path, found: 'a string with the character U+0000' };
  return value.isWellFormed() ? undefined : { path, found: 'a string with half a surrogate pair' };
}

function findInObject(value: object, path: string, ancestors: Set<object>): NotJson | undefined {
  if (ancestors.has(value)) return { path, found: 'a cycle' };
  if (ancestors.size === DEEPEST) return { path, found: `nested in more than ${DEEPEST} levels` };
  ancestors.add(value);
  try {
    return Array.isArray(value) ? findInArray(value, path, ancestors) : findInProperties(value, path, ancestors);
  } catch {
    return { path, found: 'an object that throws when it is read' };
  } finally {
    ancestors.delete(value);
  }
}

function findInArray(values: unknown[], path: string, ancestors: Set<object>): NotJson | undefined {
  for (let i = 0; i < values.length; i++) {
    const found = find(values[i], `${path}[${i}]`, ancestors);
    if (found) return found;
  }
  if (!isPlainArray(values)) return { path, found: instanceOf(values) };
  if ('toJSON' in values && typeof values.toJSON === 'function')
    return { path, found: 'an array with a toJSON method' };
  if (Object.getOwnPropertySymbols(values).length > 0) return { path, found: 'an array with a symbol as a key' };
  // No holes are left, so what goes beyond the items has names, as in the result of String.match.
  const name = Object.keys(values)[values.length];
  return name === undefined ? undefined : { path, found: `an array with the property ${JSON.stringify(name)}` };
}

/** Of whatever realm: the prototype of arrays is the only prototype that is one itself. */
function isPlainArray(values: unknown[]): boolean {
  return Array.isArray(Object.getPrototypeOf(values));
}

function instanceOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  return `an instance of ${prototype?.constructor?.name || 'an unnamed class'}`;
}

function findInProperties(value: object, path: string, ancestors: Set<object>): NotJson | undefined {
  if (!isPlainObject(value)) return { path, found: instanceOf(value) };
  if (typeof value['toJSON'] === 'function') return { path, found: 'an object with a toJSON method' };
  if (Object.getOwnPropertySymbols(value).length > 0) return { path, found: 'an object with a symbol as a key' };
  for (const [key, property] of Object.entries(value)) {
    const propertyPath = /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    const found =
      findInString(key, propertyPath) ?? (property === undefined ? undefined : find(property, propertyPath, ancestors));
    if (found) return found;
  }
  return undefined;
}
