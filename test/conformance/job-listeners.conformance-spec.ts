import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { JobContext, OnFailure, OnJobEvent, Task, task, type JobEvent } from 'nestjs-jobs';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import { JobEvents } from '../../libs/jobs/src/events/job-events.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal, type Signal } from '../support/signals.js';

@Injectable()
class Mails {
  static gate: { entered: Signal; open: Signal };

  @Task({ name: 'mails.send' })
  send(): void {}

  @Task({ name: 'mails.bounce', retry: { attempts: 1 } })
  bounce(): never {
    throw new RangeError('no such address');
  }

  @Task({ name: 'reports.make' })
  make(): void {}

  @Task({ name: 'reports.gated' })
  async gated(): Promise<void> {
    Mails.gate.entered.reach();
    await Mails.gate.open.reached;
  }
}

const send = task(Mails, 'send');

/** What listeners heard, as `listener event task`. */
@Injectable()
class Heard {
  readonly all: string[] = [];
  readonly ids: string[] = [];

  by(listener: string, { event, task: name, id }: JobEvent): void {
    this.all.push(`${listener} ${event} ${name}`);
    this.ids.push(id);
  }

  of(listener: string): string[] {
    return this.all.filter((line) => line.startsWith(`${listener} `));
  }
}

@Injectable()
class Filtered {
  constructor(private readonly heard: Heard) {}

  @OnJobEvent({ events: ['succeeded', 'failed'], tasks: ['mails.*'] })
  byPattern(event: JobEvent<'succeeded' | 'failed'>): void {
    this.heard.by('pattern', event);
  }

  @OnJobEvent({ events: ['succeeded'], tasks: [task(Mails, 'make')] })
  byRef(event: JobEvent<'succeeded'>): void {
    this.heard.by('ref', event);
  }

  @OnJobEvent({ events: ['enqueued', 'succeeded', 'failed'], tasks: ['reports.mak?'], scope: 'fleet' })
  inFleet(event: JobEvent<'enqueued' | 'succeeded' | 'failed'>): void {
    this.heard.by('fleet', event);
  }
}

@Injectable()
class Odd {
  /** Not all of its calls end. */
  static open = signal();
  static calls = 0;

  @OnJobEvent({ events: ['succeeded'] })
  throws(): never {
    throw new TypeError('a listener threw');
  }

  @OnJobEvent({ events: ['succeeded'] })
  async rejects(): Promise<never> {
    throw new RangeError('a listener rejected');
  }

  @OnJobEvent({ events: ['enqueued'] })
  async hangs(): Promise<void> {
    Odd.calls++;
    await Odd.open.reached;
  }
}

@Injectable()
class Well {
  constructor(private readonly heard: Heard) {}

  @OnJobEvent({ events: ['succeeded', 'enqueued'] })
  hears(event: JobEvent<'succeeded' | 'enqueued'>): void {
    this.heard.by('well', event);
  }
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  static readonly seen: { request: unknown; event: JobEvent; context: JobContext | undefined; me: object }[] = [];

  constructor(@Inject(REQUEST) private readonly request: unknown) {}

  @OnJobEvent({ events: ['started', 'succeeded'] })
  hears(event: JobEvent<'started' | 'succeeded'>): void {
    Scoped.seen.push({ request: this.request, event, context: JobContext.current(), me: this });
  }
}

@Injectable()
class Inside {
  static readonly contexts: (JobContext | undefined)[] = [];

  @OnJobEvent({ events: ['started', 'succeeded'] })
  hears(): void {
    Inside.contexts.push(JobContext.current());
  }
}

@Injectable()
class Handlers {
  @OnFailure({}, { name: 'handlers.all' })
  all(): void {}
}

function streamsOf({ app }: JobsApp): string[] {
  return [...(app.get(Queues) as unknown as { events: Map<string, unknown> }).events.keys()];
}

describe.each(backends)('listeners on $name', (backend) => {
  it('[M1] hear of the tasks that they name', async () => {
    const started = await startJobsApp({ backend, providers: [Mails, Heard, Filtered] });
    const heard = started.app.get(Heard);
    const { jobs } = started;
    // A stream is read from its end: that something is heard shows that the reading has begun.
    await eventually(async () => {
      await jobs.enqueue(task(Mails, 'make'));
      return heard.of('fleet').length > 0;
    });
    heard.all.length = 0;
    for (const name of ['send', 'bounce', 'make'] as const)
      await (await jobs.enqueue(task(Mails, name))).result().catch(() => {});
    await eventually(() => heard.of('fleet').includes('fleet succeeded reports.make'));
    expect(new Set(heard.of('pattern'))).toEqual(
      new Set(['pattern succeeded mails.send', 'pattern failed mails.bounce']),
    );
    expect(new Set(heard.of('ref'))).toEqual(new Set(['ref succeeded reports.make']));
    expect(new Set(heard.of('fleet'))).toEqual(
      new Set(['fleet enqueued reports.make', 'fleet succeeded reports.make']),
    );
    await started.close();
  });

  it('[M1] open no streams of events unless one of them is for the fleet', async () => {
    const without = await startJobsApp({ backend, providers: [Mails, Heard, Well, Inside] });
    await without.jobs.enqueue(send);
    await eventually(() => without.app.get(Heard).all.includes('well succeeded mails.send'));
    expect(streamsOf(without)).toEqual([]);
    await without.close();
    const options = { queues: { default: {}, bulk: {} } };
    const withFleet = await startJobsApp({ backend, providers: [Mails, Heard, Filtered], options });
    expect(streamsOf(withFleet).toSorted()).toEqual(['bulk', 'default']);
    await withFleet.close();
  });

  it('[M1] that throw or reject are logged once and counted, and hinder nobody', async () => {
    const logger = new MemoryLogger();
    const started = await startJobsApp({ backend, providers: [Mails, Heard, Odd, Well], logger });
    const jobs = await started.jobs.enqueueMany(Array.from({ length: 20 }, () => ({ task: send })));
    for (const job of jobs) expect(await job.result()).toBeNull();
    const heard = started.app.get(Heard);
    await eventually(() => heard.of('well').filter((line) => line === 'well succeeded mails.send').length === 20);
    const errors = started.app
      .get(JobEvents)
      .counts()
      .map((counts) => [counts.place.split(' ')[0], counts.errors]);
    expect(errors).toEqual([
      ['Odd.throws', 20],
      ['Odd.rejects', 20],
      ['Odd.hangs', 0],
      ['Well.hears', 0],
    ]);
    for (const message of ['TypeError: a listener threw', 'RangeError: a listener rejected']) {
      expect(logger.text().split(message)).toHaveLength(2);
    }
    expect(logger.text()).toMatch(/listener Odd\.throws in RootTestModule failed, told "succeeded" of job default_/);
    Odd.open.reach();
    await started.close();
  });

  it('[M1] that hang are called up to 1,000 times, and then told nothing, with one warning', async () => {
    const logger = new MemoryLogger();
    Odd.open = signal();
    Odd.calls = 0;
    const options = { workers: false as const };
    const started = await startJobsApp({ backend, providers: [Mails, Heard, Odd, Well], logger, options });
    await started.jobs.enqueueMany(Array.from({ length: 1_020 }, () => ({ task: send })));
    const heard = started.app.get(Heard);
    await eventually(() => heard.of('well').length === 1_020);
    const ofHanging = () =>
      started.app
        .get(JobEvents)
        .counts()
        .find(({ place }) => place.startsWith('Odd.hangs'))!;
    expect(ofHanging()).toMatchObject({ running: 1_000, dropped: 20, errors: 0 });
    expect(logger.text().split('1000 calls of the listener Odd.hangs')).toHaveLength(2);
    // Once its calls have ended it hears again.
    Odd.open.reach();
    await eventually(() => ofHanging().running === 0);
    await started.jobs.enqueue(send);
    await eventually(() => Odd.calls === 1_001);
    await started.close();
  });

  it('[M1] run outside of jobs, also in request scope, with the event as the request', async () => {
    const started = await startJobsApp({ backend, providers: [Mails, Scoped, Inside] });
    Scoped.seen.length = 0;
    Inside.contexts.length = 0;
    const job = await started.jobs.enqueue(send);
    await eventually(() => Scoped.seen.length === 2 && Inside.contexts.length === 2);
    expect(Inside.contexts).toEqual([undefined, undefined]);
    expect(Scoped.seen).toMatchObject([
      { event: { event: 'started', id: job.id }, context: undefined },
      { event: { event: 'succeeded', id: job.id }, context: undefined },
    ]);
    for (const { request, event } of Scoped.seen) expect(request).toBe(event);
    expect(Scoped.seen[0]!.me).not.toBe(Scoped.seen[1]!.me);
    expect(Object.isFrozen(Scoped.seen[0]!.event)).toBe(true);
    await started.close();
  });

  it('[M1] hear of the jobs of handlers of failures', async () => {
    const started = await startJobsApp({ backend, providers: [Mails, Heard, Well, Handlers] });
    await started.jobs.enqueue(task(Mails, 'bounce'));
    const heard = started.app.get(Heard);
    await eventually(() => heard.all.includes('well succeeded handlers.all'));
    expect(heard.all).toEqual([
      'well enqueued mails.bounce',
      'well enqueued handlers.all',
      'well succeeded handlers.all',
    ]);
    await started.close();
  });

  it('[M1] hear at shutdown of what ends while the workers drain', async () => {
    Mails.gate = { entered: signal(), open: signal() };
    const started = await startJobsApp({ backend, providers: [Mails, Heard, Well, Filtered] });
    const heard = started.app.get(Heard);
    await started.jobs.enqueue(task(Mails, 'gated'));
    await Mails.gate.entered.reached;
    const closing = started.close();
    Mails.gate.open.reach();
    await closing;
    expect(heard.all).toContain('well succeeded reports.gated');
  });
});

const shared = backends.filter(({ name }) => name !== 'embedded');

const describeShared = (tests: typeof describeFleet): void => {
  // A run for embedded, whose data one process has, has nothing to do here.
  if (shared.length > 0) describe.each(shared)('listeners of the fleet on $name', tests);
};

function describeFleet(backend: (typeof backends)[number]): void {
  @Injectable()
  class Everywhere {
    readonly fleet: JobEvent[] = [];
    readonly local: JobEvent[] = [];

    @OnJobEvent({ events: ['enqueued', 'started', 'succeeded', 'failed'], scope: 'fleet' })
    onFleet(event: JobEvent): void {
      this.fleet.push(event);
    }

    @OnJobEvent({ events: ['enqueued', 'started', 'succeeded', 'failed'] })
    onLocal(event: JobEvent): void {
      this.local.push(event);
    }
  }

  it('[M1] hear in each process of what others do, and locally only of what their own does', async () => {
    const namespace = uniqueNamespace();
    const worker = await startJobsApp({ backend, providers: [Mails, Everywhere], options: { namespace } });
    const apps = [worker];
    for (let n = 0; n < 2; n++) {
      apps.push(
        await startJobsApp({ backend, providers: [Mails, Everywhere], options: { namespace, workers: false } }),
      );
    }
    const [, producer, other] = apps;
    const listeners = apps.map(({ app }) => app.get(Everywhere));
    await eventually(async () => {
      await producer!.jobs.enqueue(send);
      return listeners.every(({ fleet }) => fleet.length > 0);
    });
    const job = await producer!.jobs.enqueue(task(Mails, 'bounce'));
    const namesIn = (events: readonly JobEvent[]): string[] =>
      events.filter(({ id }) => id === job.id).map(({ event }) => event);
    for (const { fleet } of listeners) {
      await eventually(() => namesIn(fleet).includes('failed'));
      expect(namesIn(fleet)).toEqual(['enqueued', 'started', 'failed']);
    }
    expect(listeners.map(({ local }) => namesIn(local))).toEqual([['started', 'failed'], ['enqueued'], []]);
    expect(other!.app.get(Everywhere).local).toEqual([]);
    for (const app of apps) await app.close();
  });
}

describeShared(describeFleet);
