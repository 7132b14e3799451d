import { isPlainObject } from '../options/option-reader.js';

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
  return value === undefined ? undefined : find(value, '$', new Set());
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
  ancestors.add(value);
  const found = Array.isArray(value) ? findInArray(value, path, ancestors) : findInProperties(value, path, ancestors);
  ancestors.delete(value);
  return found;
}

function findInArray(values: unknown[], path: string, ancestors: Set<object>): NotJson | undefined {
  for (let i = 0; i < values.length; i++) {
    const found = find(values[i], `${path}[${i}]`, ancestors);
    if (found) return found;
  }
  return undefined;
}

function findInProperties(value: object, path: string, ancestors: Set<object>): NotJson | undefined {
  if (!isPlainObject(value)) {
    const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
    return { path, found: `an instance of ${prototype?.constructor?.name || 'an unnamed class'}` };
  }
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
