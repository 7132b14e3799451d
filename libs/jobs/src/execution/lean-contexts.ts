import type { ExternalContextCreator } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { PARAMETER_TYPES } from '../task/payload.decorator.js';

interface Parameter {
  readonly index: number;
  readonly type: unknown;
  readonly pipes: readonly unknown[];
  readonly extractValue: (...args: unknown[]) => unknown;
}

/** Puts the values of a call in their places, through the pipes. */
type Fill = (values: unknown[], ...args: unknown[]) => unknown;

/** What Nest's creator keeps to itself: how values come to the parameters, and what becomes of the result. */
interface Inside {
  createPipesFn?(pipes: readonly unknown[], parameters: readonly Parameter[]): Fill | null;
  transformToResult?(result: unknown): unknown;
}

/**
 * The same creator, with contexts that make promises only where something is to be waited for. Promises are most of what
 * a short job costs here, because AsyncLocalStorage follows each of them.
 *
 * The JobContext goes through no pipes: those for values of the user's know nothing of it.
 *
 * @internal
 */
export function withFewerPromises(creator: ExternalContextCreator): ExternalContextCreator {
  const lean: Inside = {};
  const inside = creator as unknown as Inside;
  // A Nest that is built otherwise does as it always does.
  if (typeof inside.createPipesFn === 'function') {
    lean.createPipesFn = (pipes, parameters) => {
      const piped = parameters.filter(({ type, pipes: own }) => !isContext(type) && pipes.length + own.length > 0);
      const plain = fillPlain(parameters.filter((parameter) => !piped.includes(parameter)));
      if (piped.length === 0) return plain;
      const throughPipes = inside.createPipesFn!(pipes, piped)!;
      return (values, ...args) => Promise.all([plain(values, ...args), throughPipes(values, ...args)]);
    };
  }
  if (typeof inside.transformToResult === 'function') {
    lean.transformToResult = (result) => (isObservable(result) ? lastValueFrom(result) : result);
  }
  return Object.assign(Object.create(creator) as ExternalContextCreator, lean);
}

function isContext(type: unknown): boolean {
  return type === PARAMETER_TYPES.context;
}

function fillPlain(parameters: readonly Parameter[]): Fill {
  return (values, ...args) => {
    const waiting: Promise<void>[] = [];
    try {
      for (const { index, extractValue } of parameters) {
        const value = extractValue(...args);
        if (isThenable(value)) waiting.push(fillLater(values, index, value));
        else values[index] = value;
      }
    } catch (error) {
      // Not thrown: what another value's promise rejects with would be handled by nobody.
      waiting.push(Promise.reject(error as Error));
    }
    return waiting.length > 0 ? Promise.all(waiting) : undefined;
  };
}

async function fillLater(values: unknown[], index: number, value: PromiseLike<unknown>): Promise<void> {
  values[index] = await value;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
