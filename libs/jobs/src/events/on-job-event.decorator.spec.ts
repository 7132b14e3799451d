import { Controller, Injectable } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expectTypeOf } from 'expect-type';
import type { JobErrorInfo } from '../client/job-status.js';
import { taskContract } from '../task/task-contract.js';
import { Task } from '../task/task.decorator.js';
import { task } from '../task/task-ref.js';
import { InvalidEventListenerError } from './event-listener.error.js';
import type { EventListener } from './event-listener.js';
import { JOB_EVENT_NAMES, type JobEvent, type JobEventName } from './job-event.js';
import { ListenerExplorer } from './listener.explorer.js';
import { OnJobEvent, type OnJobEventOptions } from './on-job-event.decorator.js';

class Payments {
  @Task({ name: 'payments.charge' })
  charge(_payload: { orderId: string }): void {}
}

const contract = taskContract<{ url: string }>('hooks.send');

@Injectable()
class Chat {
  @OnJobEvent({ events: ['failed', 'retrying'], tasks: [task(Payments, 'charge'), contract, 'mail.*'] })
  some(_event: JobEvent<'failed' | 'retrying'>): void {}

  @OnJobEvent({ events: ['succeeded'] })
  @OnJobEvent({ events: ['failed'], scope: 'fleet' })
  both(_event: JobEvent<'succeeded' | 'failed'>): void {}

  @OnJobEvent({ events: JOB_EVENT_NAMES })
  async all(_event: JobEvent): Promise<void> {}

  @OnJobEvent({ events: ['enqueued'] })
  nothing(): void {}
}

class MoreChat extends Chat {
  override nothing(): void {}
}

// Compiled by the type check, never called: what it asserts are types.
function typesOf(event: JobEvent): void {
  expectTypeOf<JobEvent['event']>().toEqualTypeOf<JobEventName>();
  if (event.event === 'failed') expectTypeOf(event.error).toEqualTypeOf<JobErrorInfo>();
  if (event.event === 'retrying') expectTypeOf(event.retryAt).toEqualTypeOf<string>();
  if (event.event === 'cancelled') expectTypeOf(event.reason).toEqualTypeOf<string | undefined>();
  // @ts-expect-error Not every event has an error.
  void event.error;

  class Wrong {
    // @ts-expect-error It is told of failures too.
    @OnJobEvent({ events: ['succeeded', 'failed'] })
    one(_event: JobEvent<'succeeded'>): void {}

    // @ts-expect-error There is no such event.
    @OnJobEvent({ events: ['finished'] })
    unknown(_event: JobEvent): void {}

    // @ts-expect-error It gets nothing else than the event.
    @OnJobEvent({ events: ['succeeded'] })
    more(_event: JobEvent<'succeeded'>, _job: object): void {}

    // @ts-expect-error There are two scopes.
    @OnJobEvent({ events: ['succeeded'], scope: 'world' })
    scope(): void {}
  }
  void Wrong;
}

async function explore(
  providers: (new () => object)[],
  controllers: (new () => object)[] = [],
): Promise<EventListener[]> {
  const imports = [DiscoveryModule];
  const module = Test.createTestingModule({ imports, controllers, providers: [ListenerExplorer, ...providers] });
  return (await module.compile()).get(ListenerExplorer).explore();
}

/** The decorator is applied when the class is made. */
function decorate(options: unknown): () => unknown {
  return () => {
    class Odd {
      @OnJobEvent(options as OnJobEventOptions)
      handle(): void {}
    }
    return Odd;
  };
}

describe('@OnJobEvent', () => {
  it('[M1] makes a listener of the method for each time that it stands there, also by inheritance', async () => {
    expect(typesOf).toBeDefined();
    const listeners = await explore([Chat]);
    const places = listeners.map(({ counts, scope, events }) => [counts.place.split(' ')[0], scope, events]);
    expect(places).toEqual([
      ['Chat.some', 'local', ['failed', 'retrying']],
      ['Chat.both', 'local', ['succeeded']],
      ['Chat.both', 'fleet', ['failed']],
      ['Chat.all', 'local', [...JOB_EVENT_NAMES]],
      ['Chat.nothing', 'local', ['enqueued']],
    ]);
    const more = await explore([MoreChat]);
    expect(more.map(({ counts }) => counts.place.split(' ')[0])).not.toContain('MoreChat.nothing');
    expect(more).toHaveLength(4);
  });

  it('[M1] hears of the events and tasks that it names, and of no others', async () => {
    const [some] = await explore([Chat]);
    const names = ['payments.charge', 'hooks.send', 'mail.welcome', 'payments.refund'];
    expect(names.map((name) => some!.fits('failed', name))).toEqual([true, true, true, false]);
    expect(some!.fits('succeeded', 'payments.charge')).toBe(false);
  });

  it.each([
    [undefined, /options that are no object/],
    [{}, /"events" that is no list of any/],
    [{ events: 'failed' }, /"events" that is no list of any/],
    [{ events: [] }, /"events" that is no list of any.*'enqueued', 'started'/],
    [{ events: ['started', 'suceeded'] }, /"events\[1\]" that is 'suceeded'/],
    [{ events: ['started'], task: ['x'] }, /the unknown option "task".*events, tasks, scope/],
    [{ events: ['started'], tasks: 'x' }, /"tasks" that is no list of any/],
    [{ events: ['started'], tasks: [] }, /"tasks" that is no list of any/],
    [{ events: ['started'], tasks: ['a b'] }, /"tasks\[0\]" that is 'a b'/],
    [{ events: ['started'], tasks: [undefined] }, /imported in a circle/],
    [{ events: ['started'], scope: 'world' }, /"scope" that is 'world'.*'local' or 'fleet'/],
  ])('[M1] does not take %j', (options, message) => {
    expect(decorate(options)).toThrow(InvalidEventListenerError);
    expect(decorate(options)).toThrow(message);
    expect(decorate(options)).toThrow(/^nestjs-jobs: Odd\.handle has @OnJobEvent with /);
  });

  it('[M1] stands on methods of instances with a name', () => {
    const property = (): unknown => OnJobEvent({ events: ['started'] })(Chat.prototype, 'x', { get: () => () => {} });
    expect(property).toThrow(/Chat\.x is a getter or a property/);
    const onStatic = (): unknown => OnJobEvent({ events: ['started'] })(Chat, 'x', { value: () => {} });
    expect(onStatic).toThrow(/Chat\.x is static/);
    const symbol = Symbol('x') as unknown as string;
    const named = (): unknown => OnJobEvent({ events: ['started'] })(Chat.prototype, symbol, { value: () => {} });
    expect(named).toThrow(InvalidEventListenerError);
  });

  it('[M1] stops the boot on a task and on a controller', async () => {
    @Injectable()
    class Both {
      @Task()
      @OnJobEvent({ events: ['started'] })
      run(): void {}
    }
    await expect(explore([Both])).rejects.toThrow(/Both\.run in RootTestModule has @OnJobEvent and is a task/);

    @Controller()
    class Pages {
      @OnJobEvent({ events: ['started'] })
      show(): void {}
    }
    await expect(explore([], [Pages])).rejects.toThrow(/Pages\.show has @OnJobEvent on a controller.*provider/);
  });
});
