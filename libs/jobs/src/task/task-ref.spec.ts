import { expectTypeOf } from 'expect-type';
import { of, type Observable } from 'rxjs';
import type { JobContext } from '../execution/job-context.js';
import type { JobsService } from '../client/jobs.service.js';
import type { NotJson } from './json-types.js';
import { NotATaskError } from './task.errors.js';
import { Task } from './task.decorator.js';
import type { SignableTask } from '../canvas/task-signing.js';
import { task } from './task-ref.js';

interface Report {
  rows: number;
}

class Reports {
  readonly name = 'not a method';

  @Task({ name: 'reports.generate' })
  async generate(_payload: { id: string }, _job: JobContext): Promise<Report> {
    return { rows: 1 };
  }

  @Task()
  sweep(): void {}

  @Task()
  notify(_payload?: string): string | undefined {
    return undefined;
  }

  @Task()
  count(_payload: { from: Date; names: readonly string[] }): Observable<{ total: number | undefined }> {
    return of({ total: 1 });
  }

  @Task()
  async load(_payload: unknown): Promise<{ when: Date }> {
    return { when: new Date() };
  }

  plain(): void {}
}

class MoreReports extends Reports {}

// oxlint-disable-next-line typescript/no-explicit-any
declare const untyped: any;

// Compiled by the type check, never called: what it asserts are types.
async function typesOf(jobs: JobsService): Promise<void> {
  expectTypeOf(task(Reports, 'generate')).toEqualTypeOf<SignableTask<{ id: string }, Report>>();
  expectTypeOf(await (await jobs.enqueue(task(Reports, 'generate'), { id: '1' })).result()).toEqualTypeOf<Report>();
  expectTypeOf(await (await jobs.enqueue(task(Reports, 'sweep'))).result()).toEqualTypeOf<null>();
  expectTypeOf(await (await jobs.enqueue(task(Reports, 'notify'))).result()).toEqualTypeOf<string | null>();
  const count = task(Reports, 'count');
  const counted = await (await jobs.enqueue(count, untyped)).result();
  expectTypeOf(counted).branded.toEqualTypeOf<{ total?: number }>();
  const { when } = await (await jobs.enqueue(task(Reports, 'load'), { any: ['json'] })).result();
  expectTypeOf(when).toExtend<NotJson<string>>();
  await jobs.enqueue(task(Reports, 'sweep'), undefined, { delay: '1m' });
  await jobs.enqueue(task(Reports, 'notify'));
  await jobs.enqueue(task(Reports, 'notify'), 'x', { runAt: new Date() });
  // @ts-expect-error the payload has another type
  await jobs.enqueue(task(Reports, 'generate'), { id: 1 });
  // @ts-expect-error the payload is missing
  await jobs.enqueue(task(Reports, 'generate'));
  // @ts-expect-error the task takes no payload
  await jobs.enqueue(task(Reports, 'sweep'), { id: '1' });
  // @ts-expect-error JSON has no Date, although the method asks for one
  await jobs.enqueue(count, { from: new Date(), names: [] });
  // @ts-expect-error and a string is none
  await jobs.enqueue(count, { from: '2030-01-31', names: [] });
  // @ts-expect-error the same in a list
  await jobs.enqueueMany([{ task: count, payload: { from: new Date(), names: [] } }]);
  // @ts-expect-error delay and runAt exclude each other
  await jobs.enqueue(task(Reports, 'sweep'), undefined, { delay: 1, runAt: new Date() });
  // @ts-expect-error there is no such method
  task(Reports, 'generat');
  // @ts-expect-error not a method
  task(Reports, 'name');
}

describe('task()', () => {
  it('knows the name that the decorator gives, or makes one of class and method', () => {
    expect(task(Reports, 'generate').name).toBe('reports.generate');
    expect(task(Reports, 'sweep').name).toBe('Reports.sweep');
    expect(task(MoreReports, 'sweep').name).toBe('MoreReports.sweep');
    expect(typesOf).toBeInstanceOf(Function);
  });

  it('gives the same reference each time', () => {
    expect(task(Reports, 'sweep')).toBe(task(Reports, 'sweep'));
    expect(task(MoreReports, 'generate')).not.toBe(task(Reports, 'generate'));
  });

  it('refuses a method without @Task', () => {
    expect(() => task(Reports, 'plain')).toThrow(NotATaskError);
  });

  it('is for instance methods with a name', () => {
    const decorate = Task() as (target: object, method: string | symbol, descriptor: object) => void;
    expect(() => decorate(Reports, 'run', {})).toThrow('Reports.run is static');
    expect(() => decorate(Reports.prototype, Symbol('run'), {})).toThrow('Reports[Symbol(run)] is named by a symbol');
    expect(() => decorate(Reports.prototype, 'size', { get: () => 1 })).toThrow('Reports.size is a getter');
  });
});
