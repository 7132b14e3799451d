import { Logger } from '@nestjs/common';
import { describeError } from './attempt-record.js';

/**
 * Which errors are meant: a class (and those that extend it), a name (that of the error, or of its class or one which
 * that extends), or a function that answers true for them. A thrown value need not be an Error.
 *
 * @publicApi
 */
export type ErrorMatch = (abstract new (...args: never[]) => unknown) | string | ((error: unknown) => boolean);

/** Whether an error is meant; made of one or more matches. @internal */
export type ErrorRule = (error: unknown) => boolean;

const LONGEST_NAME = 200;

/** @internal */
export const ERROR_MATCH_RULE =
  'a class, the name of an error, a function that answers true or false, or a list of these';

/** @internal */
export function isErrorMatch(value: unknown): value is ErrorMatch {
  return typeof value === 'function' || (typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME);
}

/**
 * @param whenUnclear - what counts when a function of the user's throws or gives no boolean.
 * @internal
 */
export function errorRule(matches: readonly ErrorMatch[], path: string, whenUnclear: boolean): ErrorRule {
  const rules = matches.map((match) => ruleOf(match, path, whenUnclear));
  return (error) => rules.some((rule) => rule(error));
}

function ruleOf(match: ErrorMatch, path: string, whenUnclear: boolean): ErrorRule {
  if (typeof match === 'string') return (error) => namesOf(error).includes(match);
  if (isClass(match)) return (error) => isInstance(error, match);
  return (error) => {
    let answer: unknown;
    try {
      answer = match(error);
      if (typeof answer === 'boolean') return answer;
    } catch (failure) {
      answer = failure;
    }
    new Logger('Jobs').warn(
      `The function in "${path}" must answer true or false, at once; it gave or threw ${kindOf(answer)}. ` +
        'The job is tried again where it is not clear.',
    );
    // A promise that nobody handles would end the process when it rejects.
    if (isInstance(answer, Promise)) (answer as Promise<unknown>).catch(() => {});
    return whenUnclear;
  };
}

type Class = abstract new (...args: never[]) => unknown;

/** Classes that were compiled to functions are known by what they extend. @internal */
export function isClass(match: Class | ((error: unknown) => boolean)): match is Class {
  const prototype: unknown = match.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return prototype === Error.prototype || prototype instanceof Error || /^class\b/.test(String(match));
}

function isInstance(error: unknown, match: Class): boolean {
  try {
    return error instanceof match;
  } catch {
    // A proxy may throw, and so may the class's own answer.
    return false;
  }
}

/** The name of an error, and those of its class and of the ones which that extends. @internal */
export function namesOf(error: unknown): unknown[] {
  if ((typeof error !== 'object' && typeof error !== 'function') || error === null) return [];
  try {
    const names: unknown[] = [(error as { name?: unknown }).name];
    for (let at = Object.getPrototypeOf(error) as object | null; at; at = Object.getPrototypeOf(at) as object | null) {
      names.push((at.constructor as { name?: unknown } | undefined)?.name);
    }
    return names;
  } catch {
    // A getter may throw, and so may a proxy.
    return [];
  }
}

function kindOf(answer: unknown): string {
  if (isInstance(answer, Promise)) return 'a promise';
  if (!isInstance(answer, Error)) return typeof answer;
  const { name, message } = describeError(answer);
  return `${name}: ${message}`;
}
