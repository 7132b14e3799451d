import { JobCancelledError, task, type JobHandle, type JobsModuleOptions } from 'nestjs-jobs';
import { DoorTasks, type Gap, type Visit } from '../fixtures/door-tasks.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';
import { sized } from '../support/test-form.js';

const pass = task(DoorTasks, 'pass');
const elsewhere = task(DoorTasks, 'elsewhere');

describe.each(backends)('parking on $name', (backend) => {
  let running: JobsApp | undefined;

  beforeEach(() => DoorTasks.reset());
  afterEach(async () => {
    await running?.close();
    running = undefined;
  });

  async function start(options: JobsModuleOptions = {}): Promise<JobsApp['jobs']> {
    running = await startJobsApp({ backend, providers: [DoorTasks], options });
    return running.jobs;
  }

  const visit = (at: JobsApp['jobs'], payload: Visit, id: string): Promise<JobHandle<number>> =>
    at.enqueue(pass, payload, { id });

  const isParked = (job: JobHandle<unknown>): Promise<unknown> =>
    eventually(async () =>
      expect(await job.status()).toMatchObject({ state: 'pending', waitingFor: { kind: 'lock' } }),
    );

  /** A job that went in, and stays until it is told to leave; those after it wait. */
  async function occupied(
    jobs: JobsApp['jobs'],
    ids: string[],
  ): Promise<{ leave: () => void; parked: JobHandle<number>[] }> {
    const [gone, open] = [signal(), signal()];
    DoorTasks.at = async (moment, job) => {
      if (moment !== 'it has gone in' || job.id !== 'default_first') return;
      gone.reach();
      await open.reached;
    };
    await visit(jobs, { door: 'door' }, 'first');
    await gone.reached;
    const parked: JobHandle<number>[] = [];
    for (const id of ids) {
      parked.push(await visit(jobs, { door: 'door' }, id));
      await isParked(parked.at(-1)!);
    }
    return { leave: () => open.reach(), parked };
  }

  it('[I3] a parked job takes no slot, says what it waits for, and is woken when the place is free', async () => {
    const jobs = await start({ queues: { default: { concurrency: 2 } } });
    const { leave, parked } = await occupied(jobs, ['a', 'b', 'c']);
    expect(await (await jobs.enqueue(elsewhere)).result()).toBe('done');
    const status = await parked[0]!.status();
    expect(status).toMatchObject({ state: 'pending', attempt: 0, waitingFor: { kind: 'lock', key: 'door' } });
    expect(Date.parse(status.waitingFor!.until!)).toBeGreaterThan(Date.now());
    leave();
    for (const job of parked) expect(await job.result()).toBe(1);
    expect(DoorTasks.entered).toEqual(['default_first', 'elsewhere', 'default_a', 'default_b', 'default_c']);
    const done = await parked[2]!.status();
    expect(done).toMatchObject({ state: 'succeeded', attempt: 1, attempts: [{ attempt: 1 }] });
    expect(done).not.toHaveProperty('waitingFor');
    // Fetched when it came, and when it was woken: it does not poll.
    for (const { id } of parked) expect((await jobs.queue('default').getJob(id))!.attemptsStarted).toBe(2);
  });

  it.each([1, 8, 32])('[I3] one at a time in the order of the line, at concurrency %i', async (concurrency) => {
    const jobs = await start({ queues: { default: { concurrency } } });
    const doors = ['north', 'south', 'east'];
    const visits = sized(60, 30);
    const handles = await jobs.enqueueMany(
      Array.from({ length: visits }, (_, n) => ({ task: pass, payload: { door: doors[n % 3]! } })),
    );
    await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
    expect(DoorTasks.mostInside).toBe(1);
    for (const [n] of doors.entries()) {
      const ids = handles.filter((_handle, k) => k % 3 === n).map(({ id }) => id);
      const waited = DoorTasks.entered.filter((id) => ids.includes(id) && DoorTasks.turns.has(id));
      expect(waited).toEqual([...waited].sort((a, b) => DoorTasks.turns.get(a)! - DoorTasks.turns.get(b)!));
    }
    expect(new Set(DoorTasks.entered).size).toBe(visits);
    expect(DoorTasks.entered).toHaveLength(visits);
  });

  it('[I3] as many at a time as there are places', async () => {
    const jobs = await start({ queues: { default: { concurrency: 20 } } });
    const full = signal();
    DoorTasks.at = (moment) => {
      if (DoorTasks.inside === 4) full.reach();
      return moment === 'it has gone in' ? full.reached : undefined;
    };
    const visits = Array.from({ length: 40 }, () => ({ task: pass, payload: { door: 'hall', places: 4 } }));
    const handles = await jobs.enqueueMany(visits);
    await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
    expect(DoorTasks.mostInside).toBe(4);
    expect(new Set(DoorTasks.entered).size).toBe(40);
  });

  it.each<Gap>(['it stands in line and is not parked yet', 'it is parked and has not looked once more'])(
    '[I3] the place becomes free while %s: it is not forgotten',
    async (gap) => {
      const jobs = await start();
      const { leave } = await occupied(jobs, []);
      const gone = DoorTasks.at;
      DoorTasks.at = async (moment, job) => {
        await gone(moment, job);
        if (moment !== gap || job.id !== 'default_second') return;
        leave();
        await eventually(() => DoorTasks.inside === 0);
        await eventually(async () => (await jobs.job('default_first').status()).terminal);
      };
      const second = await visit(jobs, { door: 'door' }, 'second');
      expect(await second.result({ timeout: '20s' })).toBe(1);
    },
  );

  it('[I3] a job that cannot look once more comes when the place should be free', async () => {
    const jobs = await start({ lease: '1s' });
    const open = signal();
    DoorTasks.at = (moment, { id }) => {
      if (moment === 'it is parked and has not looked once more') throw new Error('no answer');
      return moment === 'it has gone in' && id === 'default_first' ? open.reached : undefined;
    };
    await visit(jobs, { door: 'door', ttl: 1_000 }, 'first');
    await eventually(() => DoorTasks.entered.length === 1);
    const second = await visit(jobs, { door: 'door' }, 'second');
    expect(await second.result({ timeout: '20s' })).toBe(1);
    open.reach();
  });

  it('[I3] one that is cancelled while it waits leaves the line, whether it was called or not', async () => {
    const jobs = await start();
    const { leave, parked } = await occupied(jobs, ['a', 'b', 'c']);
    const [a, b, c] = parked;
    expect(await a!.cancel({ reason: 'changed my mind' })).toBe(true);
    await expect(a!.result()).rejects.toThrow(JobCancelledError);
    leave();
    expect(await b!.result()).toBe(1);
    expect(await c!.result()).toBe(1);
    expect(DoorTasks.entered).toEqual(['default_first', 'default_b', 'default_c']);
  });

  it('[I3] one that was called and is cancelled before it comes lets the next have the place', async () => {
    const jobs = await start();
    const { leave, parked } = await occupied(jobs, ['a', 'b']);
    const before = DoorTasks.at;
    DoorTasks.at = async (moment, job) => {
      await before(moment, job);
      if (moment === 'it has given up the place and woken nobody') await parked[0]!.cancel();
    };
    leave();
    expect(await parked[1]!.result({ timeout: '20s' })).toBe(1);
    expect(await parked[0]!.status()).toMatchObject({ state: 'cancelled' });
  });

  it('[I3] one whose time runs out while it waits leaves the line', async () => {
    const jobs = await start();
    const { leave } = await occupied(jobs, []);
    const late = await jobs.enqueue(pass, { door: 'door' }, { id: 'late', expiresIn: '1s' });
    await isParked(late);
    const last = await visit(jobs, { door: 'door' }, 'last');
    await isParked(last);
    await eventually(async () => Date.now() > Date.parse((await late.status()).createdAt) + 1_000);
    leave();
    expect(await last.result({ timeout: '20s' })).toBe(1);
    await expect(late.result({ timeout: '20s' })).rejects.toThrow(JobCancelledError);
    expect(await late.status()).toMatchObject({ state: 'cancelled', reason: 'expired' });
    expect(DoorTasks.entered).toEqual(['default_first', 'default_last']);
  });

  it('[I3] a woken job comes before all that wait in its queue', async () => {
    const jobs = await start({ queues: { default: { concurrency: 1 } } });
    const { lines, parking } = running!.app.get(DoorTasks);
    const line = parking.line('door', 1);
    const holder = await eventually(() => lines.take(line, 'somebody', { ttl: 3_600_000, stand: false }));
    if (holder.kind !== 'holds') throw new Error('somebody else is there');
    const parked = await visit(jobs, { door: 'door' }, 'parked');
    await isParked(parked);
    // Has the only slot, while others come to wait for it.
    const [begun, end] = [signal(), signal()];
    DoorTasks.at = async (moment, { id }) => {
      if (moment !== 'it has gone in' || id !== 'default_long') return;
      begun.reach();
      await end.reached;
    };
    await visit(jobs, { door: 'another' }, 'long');
    await begun.reached;
    const waiting = await jobs.enqueueMany(
      Array.from({ length: 5 }, () => ({ task: elsewhere, payload: undefined, options: { priority: 9 as const } })),
    );
    await parking.wake(await lines.free(line, 'somebody', holder.fencingToken));
    end.reach();
    await Promise.all([parked.result(), ...waiting.map((job) => job.result())]);
    expect(DoorTasks.entered.slice(0, 3)).toEqual(['default_long', 'default_parked', 'elsewhere']);
  });

  it('[I3] an attempt that fails after it waited is tried again, and waits anew', async () => {
    const jobs = await start();
    const { leave, parked } = await occupied(jobs, ['a', 'b']);
    let failed = 0;
    const before = DoorTasks.at;
    DoorTasks.at = async (moment, job) => {
      await before(moment, job);
      if (moment === 'it has gone in' && job.id === 'default_a' && failed++ === 0) throw new Error('once');
    };
    leave();
    expect(await parked[1]!.result({ timeout: '20s' })).toBe(1);
    expect(await parked[0]!.result({ timeout: '20s' })).toBe(2);
    expect(await parked[0]!.status()).toMatchObject({ attempt: 2, attempts: [{ error: { message: 'once' } }, {}] });
  });
});
