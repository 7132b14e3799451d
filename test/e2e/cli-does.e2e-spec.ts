import { jest } from '@jest/globals';
import { cliBesideApp, servers } from '../support/cli-beside-app.js';
import { eventually } from '../support/eventually.js';

// Each run of the command line loads Nest and BullMQ, on machines that do other things too.
jest.setTimeout(180_000);

describe.each(servers)('what the command line does on $name', (backend) => {
  const { app, ids, shown, json, fleet } = cliBesideApp(backend);

  it('[M5] to a queue: pause and resume', async () => {
    expect(await json('fleet', 'pause-queue', 'idle', '--yes')).toEqual({ queue: 'idle', paused: true });
    expect((await fleet()).stats.queues).toContainEqual(expect.objectContaining({ queue: 'idle', paused: true }));
    expect(await json('fleet', 'resume-queue', 'idle')).toEqual({ queue: 'idle', paused: false });
    expect((await fleet()).stats.queues).toContainEqual(expect.objectContaining({ queue: 'idle', paused: false }));
  });

  it('[M5] to a process: pause, resume and concurrency', async () => {
    const { id, host } = (await fleet()).processes[0]!;
    const queueOf = async (queue: string) => (await fleet()).processes[0]!.queues.find((each) => each.queue === queue);

    await json('fleet', 'pause', id.slice(0, 8), '--queue', 'idle', '--yes');
    expect(await queueOf('idle')).toMatchObject({ paused: true });
    await json('fleet', 'resume', `${host}:${app().pid}`);
    expect(await queueOf('idle')).toMatchObject({ paused: false });

    await json('fleet', 'concurrency', 'idle', '3', '--process', id);
    expect(await queueOf('idle')).toMatchObject({ concurrency: 3 });
    expect(await json('fleet', 'concurrency', 'idle', '4', '--fleet')).toEqual({
      queue: 'idle',
      globalConcurrency: 4,
    });
    expect(await json('fleet', 'concurrency', 'idle', 'none', '--fleet')).toMatchObject({ globalConcurrency: null });
  });

  it('[M5] to schedules: pause, resume, trigger and delete', async () => {
    expect(await json('schedules', 'pause', 'nightly', '--reason', 'inventory', '-y')).toMatchObject({
      state: 'paused',
      pauseReason: 'inventory',
    });
    expect(await json('schedules', 'resume', 'nightly')).toMatchObject({ state: 'active' });
    const { id } = await json<{ id: string }>('schedules', 'trigger', 'nightly');
    await eventually(async () => expect(await json('status', id)).toMatchObject({ state: 'succeeded' }));
    expect(await json('schedules', 'delete', 'nightly', '--yes')).toEqual({ schedule: 'nightly', deleted: true });
    const { schedules } = await json<{ schedules: unknown[] }>('schedules');
    expect(schedules).toMatchObject([{ name: 'yearly', state: 'active' }]);
  });

  it('[M5] to limits: set, reset and pause', async () => {
    expect(await json('limits', 'set', 'crm', '10/s', '--burst', '2')).toMatchObject({
      limit: '10/s',
      burst: 2,
      algorithm: 'token-bucket',
      isOverridden: true,
    });
    expect(await json('limits', 'reset', 'crm')).toMatchObject({ limit: '100/m', isOverridden: false });
    expect(await json('limits', 'pause', 'crm', '10ms', '--key', 'a', '--yes')).toEqual({
      name: 'crm',
      key: 'a',
      duration: '10ms',
    });
  });

  it('[M5] to a job that waits: cancel, and once more', async () => {
    const reason = ['--reason', 'not needed'];
    expect(await json('cancel', ids().scheduled, ...reason, '--yes')).toMatchObject({ cancelled: true });
    expect(await json('status', ids().scheduled)).toMatchObject({ state: 'cancelled', reason: 'not needed' });
    expect(await json('cancel', ids().scheduled)).toMatchObject({ cancelled: true });
  });

  it('[M5] to a queue: purge', async () => {
    await json('fleet', 'pause-queue', 'bulk', '--yes');
    expect(await json('purge', 'bulk', '--yes')).toEqual({ queue: 'bulk', removed: 1 });
    expect((await shown('status', ids().waiting)).code).toBe(3);
    await json('fleet', 'resume-queue', 'bulk');
  });

  it('[M5] to a job that runs: asks it to stop', async () => {
    const { stdout } = await shown('cancel', ids().running, '--yes');
    expect(stdout).toMatch(/asked to stop|is cancelled/);
    await eventually(async () => expect(await json('status', ids().running)).toMatchObject({ state: 'cancelled' }));
  });

  it('[M5] to dead letters: redrive one, and all', async () => {
    const { redriven } = await json<{ redriven: { id: string; redrivenAs: string; created: boolean }[] }>(
      'redrive',
      ids().failed,
    );
    expect(redriven).toEqual([{ id: ids().failed, redrivenAs: expect.any(String), created: true }]);
    const again = redriven[0]!.redrivenAs;
    await eventually(async () => expect(await json('status', again)).toMatchObject({ state: 'failed' }));
    expect(await json('redrive', ids().failed)).toMatchObject({ redriven: [{ redrivenAs: again, created: false }] });

    const report = await json('redrive', '--all', '--task', 'mail.fail', '--yes');
    expect(report).toEqual({ matched: 1, redriven: 1, redrivenBefore: 0, refused: 0, refusals: [] });
  });
});
