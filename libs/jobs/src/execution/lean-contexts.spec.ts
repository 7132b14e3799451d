import { setImmediate as turn } from 'node:timers/promises';
import { ExternalContextCreator } from '@nestjs/core';
import { of } from 'rxjs';
import { PARAMETER_TYPES } from '../task/payload.decorator.js';
import { withFewerPromises } from './lean-contexts.js';

type Value = (...args: unknown[]) => unknown;

/** What Nest has inside, with its own PipesConsumer's only method. */
interface Inside {
  createPipesFn(pipes: unknown[], parameters: object[]): ((values: unknown[], ...args: unknown[]) => unknown) | null;
  transformToResult(result: unknown): unknown;
}

const nest = Object.assign(Object.create(ExternalContextCreator.prototype) as ExternalContextCreator, {
  pipesConsumer: {
    apply: async (value: unknown, _metadata: unknown, pipes: { transform(value: unknown): unknown }[]) => {
      return pipes.reduce((piped, pipe) => pipe.transform(piped), value);
    },
  },
});
const inside = withFewerPromises(nest) as unknown as Inside;

const parameter = (index: number, extractValue: Value, pipes: unknown[] = []) => {
  const type = index === 1 ? PARAMETER_TYPES.context : PARAMETER_TYPES.payload;
  return { index, type, extractValue, pipes };
};
const payload = parameter(0, (value) => value);
const context = parameter(1, (_value, job) => job);
const addOne = { transform: (value: number) => value + 1 };
const refuse = { transform: () => Promise.reject(new Error('refused')) };

async function fill(pipes: unknown[], parameters: object[]): Promise<unknown[]> {
  const values: unknown[] = [];
  await inside.createPipesFn(pipes, parameters)!(values, 1, 'context');
  return values;
}

describe('contexts with fewer promises', () => {
  it('put what is there in its place, and wait for nothing', () => {
    const values: unknown[] = [];
    expect(inside.createPipesFn([], [payload, context])!(values, 1, 'context')).toBeUndefined();
    expect(values).toEqual([1, 'context']);
  });

  it('wait for values that are promised', async () => {
    const later = parameter(0, async (value) => (value as number) * 2);
    expect(await fill([], [later, context, parameter(2, () => turn('third'))])).toEqual([2, 'context', 'third']);
  });

  it('send values through the pipes of all and of their own, but not the context', async () => {
    const own = parameter(0, (value) => value, [addOne]);
    expect(await fill([addOne], [own, context])).toEqual([3, 'context']);
    expect(await fill([addOne], [context])).toEqual([undefined, 'context']);
    await expect(fill([refuse], [payload, context])).rejects.toThrow('refused');
  });

  it('reject with what is thrown at once, and leave no other rejection unhandled', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const rejects = parameter(0, () => Promise.reject(new Error('promised')));
    const throws = parameter(2, () => {
      throw new Error('at once');
    });
    await expect(fill([], [rejects, context, throws])).rejects.toThrow('at once');
    await expect(fill([refuse], [payload, context, parameter(1, throws.extractValue)])).rejects.toThrow(
      /at once|refused/,
    );
    await turn();
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });

  it('make one value of an observable, and leave any other result as it is', async () => {
    expect(await inside.transformToResult(of(1, 2))).toBe(2);
    const result = {};
    expect(inside.transformToResult(result)).toBe(result);
  });
});
