import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Cron, Task, task, type JobContext, type JobsModuleOptions } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { ScheduleFires } from '../../libs/jobs/src/schedule/schedule-fires.js';
import type { ScheduleRecord } from '../../libs/jobs/src/schedule/schedule-record.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from '../support/jobs-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { signal } from '../support/signals.js';

const HOUR = 3_600_000;
let open = signal();

@Injectable()
class Reports {
  @Task({ queue: 'reports', retry: { attempts: 1 } })
  async hold(_payload: undefined, job: JobContext): Promise<void> {
    const aborted = new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    await Promise.race([open.reached, aborted]);
    job.signal.throwIfAborted();
  }

  @Task({ queue: 'reports' })
  async note(text: string): Promise<string> {
    return text;
  }
}

const hold = task(Reports, 'hold');
const note = task(Reports, 'note');

@Injectable()
class Old {
  @Cron('0 1 1 1 *', { name: 'both' })
  both(): void {}

  @Cron('0 1 1 1 *', { name: 'old-only' })
  oldOnly(): void {}
}

@Injectable()
class New {
  @Cron('0 2 1 1 *', { name: 'both' })
  both(): void {}

  @Cron('0 2 1 1 *', { name: 'new-only' })
  newOnly(): void {}
}

// An embedded store has one process at a time, and `describe.each` refuses an empty table.
const serverBackends = backends.filter(({ name }) => name !== 'embedded');
if (serverBackends.length > 0) {
  describe.each(serverBackends)('schedules of a fleet on $name', (backend) => {
    let namespace: string;
    beforeEach(() => {
      open = signal();
      namespace = uniqueNamespace();
    });
    const start = (settings: Omit<JobsAppSettings, 'backend'>, options: JobsModuleOptions = {}): Promise<JobsApp> =>
      startJobsApp({ backend, ...settings, options: { namespace, lease: 3_000, ...options } });

    it.each([
      ['skip', { sent: 1, skippedCount: 1 }, 'running'],
      ['cancel-previous', { sent: 2, skippedCount: 0 }, 'cancelled'],
    ] as const)(
      '[S4] with %s a process that has not the queue knows what runs there',
      async (overlap, counts, state) => {
        const server = await start({ providers: [Reports] }, { queues: { reports: {} } });
        const other = await start({});
        await server.jobs.schedules.create({ name: 'held', task: hold, cron: '0 * * * *', overlap });
        const { schedules: store } = server.app.get<QueueBackend>(QUEUE_BACKEND);
        const due = async (hours: number): Promise<void> => {
          const { version, body } = (await store.read('held'))!;
          const record = JSON.parse(body) as ScheduleRecord;
          const last = Date.now() - hours * HOUR;
          const state = { ...record.state, since: last, last };
          expect(await store.write('held', version, JSON.stringify({ ...record, state }), {})).toBe(true);
        };
        const info = async () => (await other.jobs.schedules.get('held'))!;
        const fires = other.app.get(ScheduleFires, { strict: false });
        // The first is for the last hour, the second for another one.
        await due(1);
        await fires.fire('held');
        const first = (await info()).runs[0]!;
        await eventually(async () =>
          expect(await server.jobs.job(first.id).status()).toMatchObject({ state: 'running' }),
        );
        await server.jobs.schedules.update('held', { cron: '30 * * * *' });
        await due(1);
        await fires.fire('held');
        expect(await info()).toMatchObject(counts);
        await eventually(async () => expect(await server.jobs.job(first.id).status()).toMatchObject({ state }));
        open.reach();
        await other.close();
        await server.close();
      },
    );

    it('[S3] a process that has not the queue can change one, and send by hand', async () => {
      open.reach();
      const server = await start({ providers: [Reports] }, { queues: { reports: {} } });
      const other = await start({});
      await server.jobs.schedules.create({ name: 'elsewhere', task: note, payload: 'first', cron: '0 6 1 1 *' });
      const changed = await other.jobs.schedules.update('elsewhere', { cron: '0 7 1 1 *', description: 'later' });
      expect(changed).toMatchObject({ queue: 'reports', payload: 'first', cron: '0 7 1 1 *' });
      const { id } = await other.jobs.schedules.trigger('elsewhere', { payload: 'second' });
      expect(await server.jobs.job(id).result()).toBe('second');
      await other.close();
      await server.close();
    });

    it('[S5] of two versions of the code that live at the same time the newer counts, and each keeps what it alone has', async () => {
      const old = await start({ providers: [Old] });
      const logger = new MemoryLogger();
      const newer = await start({ providers: [New], logger });
      const all = async () =>
        (await newer.jobs.schedules.list()).schedules.map(({ name, cron, state }) => [name, cron, state]);
      const expected = [
        ['both', '0 2 1 1 *', 'active'],
        ['new-only', '0 2 1 1 *', 'active'],
        ['old-only', '0 1 1 1 *', 'active'],
      ];
      expect(await all()).toEqual(expected);
      expect(logger.text()).toContain('Schedules of the code: added new-only; changed both; kept old-only.');
      // Both have looked at them again, and more than once.
      const puts = [old, newer].map(({ app }) => jest.spyOn(app.get<QueueBackend>(QUEUE_BACKEND).ledger, 'put'));
      const looks = (put: (typeof puts)[number]): number =>
        put.mock.calls.filter(([collection]) => collection === 'code-schedules').length;
      await eventually(() => puts.every((put) => looks(put) > 2), { timeout: 30_000 });
      expect(await all()).toEqual(expected);
      await old.close();
      await eventually(async () => (await all()).at(-1)![2] === 'undeclared', { timeout: 30_000 });
      expect(await all()).toEqual([...expected.slice(0, 2), ['old-only', '0 1 1 1 *', 'undeclared']]);
      await newer.close();
    });
  });
}
