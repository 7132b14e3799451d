import { Controller, Injectable } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expectTypeOf } from 'expect-type';
import { RESOLVED_OPTIONS } from '../options/options.tokens.js';
import { resolveOptions } from '../options/resolve-options.js';
import { taskContract } from '../task/task-contract.js';
import { TaskDefaults } from '../task/task-defaults.decorator.js';
import { Task } from '../task/task.decorator.js';
import { InvalidTaskError, NotATaskError } from '../task/task.errors.js';
import { TaskExplorer } from '../task/task.explorer.js';
import { TaskSettings } from '../task/task.settings.js';
import { task } from '../task/task-ref.js';
import type { JobFailure } from './job-failure.js';
import { OnFailure, type OnFailureFilter, type PayloadOfTasks } from './on-failure.decorator.js';

class Payments {
  @Task({ name: 'payments.charge' })
  charge(_payload: { orderId: string }): void {}

  @Task({ name: 'payments.refund' })
  refund(_payload: { cents: number }): void {}
}

const contract = taskContract<{ url: string }>('hooks.send');

class DeclinedError extends Error {}

@TaskDefaults({ queue: 'alerts', retry: { attempts: 7 } })
@Injectable()
class Alerts {
  @OnFailure()
  any(_failure: JobFailure): void {}

  @OnFailure(
    { tasks: [task(Payments, 'charge'), contract, 'mail.*'], errors: [DeclinedError, 'TimeoutError'] },
    { name: 'alerts.some', retry: { attempts: 2 } },
  )
  some(_failure: JobFailure): void {}
}

async function explore(...providers: (new () => object)[]) {
  const module = await Test.createTestingModule({
    imports: [DiscoveryModule],
    providers: [
      TaskExplorer,
      TaskSettings,
      { provide: RESOLVED_OPTIONS, useValue: resolveOptions({ queues: { default: {}, alerts: {} } }) },
      ...providers,
    ],
  }).compile();
  return module.get(TaskExplorer).explore();
}

/** The decorator is applied when the class is made. */
function decorate(filter: unknown): () => unknown {
  return () => {
    class Odd {
      @OnFailure(filter as OnFailureFilter)
      handle(): void {}
    }
    return Odd;
  };
}

describe('@OnFailure', () => {
  it('[R6] makes a task of the method, with the options of its class, and says which failures it is for', async () => {
    const [any, some] = await explore(Alerts);
    expect(any).toMatchObject({ name: 'Alerts.any', queue: 'alerts', failures: { tasks: null, errors: null } });
    expect(any!.retry.attempts).toBe(7);
    const failures = {
      tasks: ['payments.charge', 'hooks.send', 'mail.*'],
      errors: ['DeclinedError', 'TimeoutError'],
    };
    expect(some).toMatchObject({ name: 'alerts.some', queue: 'alerts', failures });
    expect(some!.retry.attempts).toBe(2);
  });

  it('[R6] complains of a wrong option by its own name', async () => {
    @Injectable()
    class Lost {
      @OnFailure({}, { queue: 'nowhere' })
      handle(): void {}
    }
    await expect(explore(Lost)).rejects.toThrow(
      /option "@OnFailure of Lost\.handle in \w+\.queue" must be a declared queue/,
    );
  });

  it.each([
    ['no object', 'payments', /has @OnFailure with a filter that is no object/],
    ['an unknown key', { task: 'payments' }, /the unknown key "task" in its filter.*knows tasks and errors/],
    ['one that is no list', { tasks: 'payments.*' }, /"tasks" that is no list of any/],
    ['an empty list', { errors: [] }, /"errors" that is no list of any.*leave errors out for all/],
    ['a class for a task', { tasks: [Payments] }, /something else in "tasks\[0\]"/],
    ['a name that no task has', { tasks: ['payments.*', 'a b'] }, /something else in "tasks\[1\]"/],
    ['a predicate', { errors: [function isOurs() {}] }, /something else in "errors\[0\]"/],
    ['undefined', { tasks: [undefined] }, /"tasks\[0\]".*is its file imported in a circle\?/],
    ['null', { errors: [null] }, /something else in "errors\[0\]"/],
  ])('[R6] refuses %s as a filter', (_what, filter, message) => {
    expect(decorate(filter)).toThrow(InvalidTaskError);
    expect(decorate(filter)).toThrow(message);
    expect(decorate(filter)).toThrow(/^nestjs-jobs: Odd\.handle/);
  });

  it('[R6] is refused on a controller, on what is no method, and beside @Task', async () => {
    @Controller()
    class Web {
      @OnFailure()
      handle(): void {}
    }
    const module = Test.createTestingModule({
      imports: [DiscoveryModule],
      controllers: [Web],
      providers: [TaskExplorer, TaskSettings, { provide: RESOLVED_OPTIONS, useValue: resolveOptions({}) }],
    });
    const explorer = (await module.compile()).get(TaskExplorer);
    expect(() => explorer.explore()).toThrow(/Web\.handle is a task on a controller/);
    expect(() => {
      class Odd {
        @OnFailure()
        static handle(): void {}
      }
      return Odd;
    }).toThrow(/Odd\.handle is static/);
    expect(() => {
      class Odd {
        @Task()
        @OnFailure()
        handle(): void {}
      }
      return Odd;
    }).toThrow(/Odd\.handle has more than one @Task or @OnFailure/);
  });

  it('[R6] is no task to enqueue', () => {
    expect(() => task(Alerts, 'any')).toThrow(NotATaskError);
    expect(() => task(Alerts, 'any')).toThrow(
      /Alerts\.any is no task\. It has @OnFailure: only failures give it jobs\./,
    );
  });
});

// Compiled by the type check, never called: what it asserts are types.
function typesOf(): void {
  const charge = task(Payments, 'charge');
  const refund = task(Payments, 'refund');
  expectTypeOf<PayloadOfTasks<[typeof charge]>>().toEqualTypeOf<{ orderId: string }>();
  expectTypeOf<PayloadOfTasks<[typeof charge, typeof refund]>>().toEqualTypeOf<
    { orderId: string } | { cents: number }
  >();
  expectTypeOf<PayloadOfTasks<[typeof charge, 'mail.*']>>().toEqualTypeOf<unknown>();
  expectTypeOf<PayloadOfTasks<readonly (typeof charge | string)[]>>().toEqualTypeOf<unknown>();

  class Typed {
    @OnFailure({ tasks: [charge, refund] })
    both({ payload }: JobFailure<{ orderId: string } | { cents: number }>): void {
      expectTypeOf(payload).toEqualTypeOf<{ orderId: string } | { cents: number }>();
    }

    @OnFailure({ tasks: [charge] })
    nothing(): void {}

    @OnFailure({ tasks: [contract] })
    async url({ payload }: JobFailure<{ url: string }>): Promise<string> {
      return payload.url;
    }

    // @ts-expect-error Another task's payload.
    @OnFailure({ tasks: [refund] })
    wrong(_failure: JobFailure<{ orderId: string }>): void {}

    // @ts-expect-error A pattern may mean any task.
    @OnFailure({ tasks: [charge, 'mail.*'] })
    tooSure(_failure: JobFailure<{ orderId: string }>): void {}

    // @ts-expect-error All tasks.
    @OnFailure()
    ofAll(_failure: JobFailure<{ orderId: string }>): void {}
  }
  expectTypeOf(Typed).toBeConstructibleWith();
}
void typesOf;
