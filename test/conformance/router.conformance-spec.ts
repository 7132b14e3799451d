import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import {
  InvalidEnqueueOptionsError,
  InvalidJobsOptionsError,
  InvalidRouteError,
  JobsService,
  type JobsModuleOptions,
  type RoutedOptions,
  type TaskPlacement,
  type TaskRouter,
} from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { charge, Payments, PaymentsApp, queues, refund, send, settle, spawn } from '../support/payments.js';

/** Records what it is asked, and answers what it is told. */
@Injectable()
class Recorder implements TaskRouter {
  static asked: [string, unknown, RoutedOptions][] = [];
  static answer: unknown;

  async route(...question: [string, unknown, RoutedOptions]): Promise<TaskPlacement | undefined> {
    Recorder.asked.push(question);
    if (Recorder.answer instanceof Error) throw Recorder.answer;
    return Recorder.answer as TaskPlacement;
  }
}

describe.each(backends)('a router on $name', (backend) => {
  let app: PaymentsApp;
  beforeAll(async () => {
    // Provided by nobody: it needs nothing.
    app = await PaymentsApp.start(backend, { router: Recorder, workers: { only: ['critical'] } });
  });
  afterAll(() => app?.close());
  beforeEach(() => {
    Recorder.asked = [];
    Recorder.answer = undefined;
  });

  it('[Q4] sees task, payload and options, and decides queue and priority', async () => {
    Recorder.answer = { queue: 'bulk', priority: 8 };
    const options = { headers: { tier: 'gold' }, tags: ['eu'], delay: '1h', id: 'mine' };
    expect(await app.placeOf(await app.jobs.enqueue(charge, { urgent: true } as never, options))).toBe('bulk/8');
    expect(Recorder.asked).toEqual([['payment.charge', { urgent: true }, options]]);
    Recorder.answer = { priority: 1 };
    const [job] = await app.jobs.enqueueMany([{ task: send, options: { tags: ['us'] } }]);
    expect(await app.placeOf(job)).toBe('default/1');
    expect(Recorder.asked[1]).toEqual(['mail.send', undefined, { tags: ['us'] }]);
  });

  it('[Q4] comes after call and @Task, and is not asked when they leave nothing open', async () => {
    Recorder.answer = { queue: 'high', priority: 8 };
    expect(await app.placed(refund)).toBe('bulk/8');
    expect(await app.placed(settle)).toBe('high/1');
    expect(await app.placed(charge, { priority: 0 })).toBe('high/0');
    expect(Recorder.asked).toHaveLength(3);
    expect(await app.placed(settle, { queue: 'low' })).toBe('low/1');
    expect(Recorder.asked).toHaveLength(3);
    for (const nothing of [undefined, null, {}]) {
      Recorder.answer = nothing;
      expect(await app.placed(charge)).toBe('default/5');
    }
  });

  it('[Q4] sees the headers that a job inherits', async () => {
    const headers = { tier: 'gold' };
    await (await app.jobs.enqueue(spawn, undefined, { headers, queue: 'critical', priority: 5 })).result();
    expect(Recorder.asked).toEqual([['mail.send', undefined, { headers: { tier: 'gold', from: 'work.spawn' } }]]);
  });

  it('[Q4] is named when its answer is wrong, and nothing is enqueued', async () => {
    const count = async (): Promise<number[]> =>
      Promise.all(['default', 'bulk'].map((name) => app.jobs.queue(name).getJobCountByTypes()));
    const before = await count();
    const wrong: [unknown, RegExp][] = [
      [{ queue: 'nowhere' }, /router Recorder .* task payment\.charge: .*"queue" must be a declared queue.*"nowhere"/],
      [{ priority: 10 }, /"priority" must be a whole number from 0 to 9, but is 10/],
      [{ prio: 1 }, /there is no option "prio"\. Known here: queue, priority/],
      ['critical', /it must be an object like \{ queue: 'critical'.*but is a string/],
    ];
    for (const [answer, message] of wrong) {
      Recorder.answer = answer;
      await expect(app.placed(charge)).rejects.toThrow(InvalidRouteError);
      await expect(app.placed(charge)).rejects.toThrow(message);
      const list = app.jobs.enqueueMany([{ task: refund, options: { priority: 0 } }, { task: charge }]);
      await expect(list).rejects.toThrow(/task payment\.charge \(entries\[1\]\)/);
    }
    Recorder.answer = new Error('no idea');
    await expect(app.placed(charge)).rejects.toBe(Recorder.answer);
    expect(await count()).toEqual(before);
  });

  it('[Q4] may be an instance, or a class that some module provides for itself', async () => {
    @Injectable()
    class Tiers {
      readonly queue = 'critical';
    }
    @Injectable()
    class ByTier implements TaskRouter {
      constructor(private readonly tiers: Tiers) {}
      route = (): TaskPlacement => ({ queue: this.tiers.queue });
    }
    @Module({ providers: [Tiers, ByTier] })
    class RoutingModule {}
    const byClass = await PaymentsApp.start(backend, { router: ByTier }, { imports: [RoutingModule] });
    expect(await byClass.placed(charge)).toBe('critical/5');
    await byClass.close();
    const byInstance = await PaymentsApp.start(backend, { router: { route: () => ({ queue: 'low' }) } });
    expect(await byInstance.placed(charge)).toBe('low/5');
    await byInstance.close();
  });

  it('[Q4] is not passed over by what is enqueued before Nest has made it', async () => {
    const tooEarly = {
      provide: 'enqueues while the app is made',
      inject: [JobsService],
      useFactory: (jobs: JobsService) => jobs.enqueue(charge).catch((error: unknown) => error),
    };
    const options = { queues, router: Recorder, workers: false };
    const { app: early, close } = await startJobsApp({ backend, providers: [Payments, tooEarly], options });
    const error = early.get<Error>(tooEarly.provide);
    expect(error).toBeInstanceOf(InvalidEnqueueOptionsError);
    expect(error.message).toMatch(/"payment\.charge" must be enqueued after.*router.*onModuleInit or later/);
    await close();
  });

  describe('does not boot', () => {
    const boots = (options: JobsModuleOptions, providers: Type[] = []): Promise<JobsApp> =>
      startJobsApp({ backend, providers, options: { queues, ...options } });

    it('[Q4] beside routes', async () => {
      const both = boots({ routes: [{ match: '*', queue: 'bulk' }], router: Recorder });
      await expect(both).rejects.toThrow(InvalidJobsOptionsError);
      await expect(both).rejects.toMatchObject({ path: 'router', message: expect.stringMatching('absent beside') });
    });

    @Injectable()
    class Needy extends Recorder {
      constructor(readonly absent: MemoryLogger) {
        super();
      }
    }
    class NoRouter {}
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Recorder {}

    it.each<[string, Type, Type[], RegExp]>([
      ['that Nest cannot make', Needy, [], /a class that some module of the app has among its providers.*MemoryLogger/],
      ['that is none', NoRouter, [NoRouter], /a class with the method route/],
      ['of which there would be many', Scoped, [Scoped], /of the default scope, but Scoped/],
    ])('[Q4] when it is one %s', async (_which, router, providers, message) => {
      const boot = boots({ router: router as Type<TaskRouter> }, providers);
      await expect(boot).rejects.toMatchObject({ path: 'router', message: expect.stringMatching(message) });
    });
  });
});
